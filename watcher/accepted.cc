#include "watcher/accepted.h"

#include <spdlog/fmt/fmt.h>

#include "core/api/codec.h"
#include "core/base/json.h"
#include "core/rules/reach.h"
#include "watcher/notes_file.h"

namespace live_update {
namespace {

constexpr std::string_view kFormat = "live-update accepted 1 ";

// The object in which the reach is kept; it names what it is about.
LiveUpdate kept(const AcceptedKey& key, const LiveUpdateSpec& spec) {
  LiveUpdate out;
  out.meta.ns = key.ns;
  out.meta.name = key.name;
  out.meta.annotations = {{"server", key.server}, {"root", key.root}};
  out.spec = reach_of(spec);
  out.spec.source.credentials.clear();
  return out;
}

}  // namespace

AcceptedSpec::AcceptedSpec(const std::string& directory, AcceptedKey key) : key_(std::move(key)) {
  if (directory.empty()) return;
  path_ = notes_path(directory, fmt::format("{}\n{}\n{}\n{}", key_.server, key_.ns, key_.name, key_.root),
                     "accepted");
}

std::optional<LiveUpdateSpec> AcceptedSpec::load() const {
  if (path_.empty()) return {};
  const auto notes = read_notes(path_);
  const std::string text = notes && *notes ? **notes : "";
  const auto body = open_notes(kFormat, text);
  auto json = body ? parse_json(*body) : std::unexpected(body.error());
  auto found = json ? decode_live_update(*json) : std::unexpected(json.error());
  if (!found || found->meta != kept(key_, {}).meta) return {};
  return std::move(found->spec);
}

Result<> AcceptedSpec::store(const LiveUpdateSpec& spec) const {
  if (path_.empty()) return {};
  const LiveUpdate now = kept(key_, spec);
  if (load() == now.spec) return {};
  const auto stored = replace_notes(path_, seal_notes(kFormat, encode_live_update(now)));
  if (stored) return {};
  return fail(ErrorKind::Io, fmt::format("that it was accepted cannot be written to {} ({}): the next start "
                                         "asks again; make the directory writable or set XDG_STATE_HOME",
                                         path_, stored.error().message));
}

}  // namespace live_update
