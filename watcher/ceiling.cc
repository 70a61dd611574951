#include "watcher/ceiling.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/rules/validate.h"
#include "watcher/manifest_file.h"

namespace live_update {
namespace {

// The LiveUpdate of that name in a file, if it is one that may be used.
Result<LiveUpdateSpec> read_spec(const std::string& file, const AcceptedKey& key) {
  auto manifests = read_manifests(file);
  if (!manifests) return std::unexpected(manifests.error());
  for (const Manifest& manifest : *manifests) {
    const LiveUpdate& it = manifest.live_update;
    if (it.meta.name != key.name || (!it.meta.ns.empty() && it.meta.ns != key.ns)) continue;
    auto errors = manifest.errors;
    for (FieldError& error : validate(it.spec)) errors.push_back(std::move(error));
    if (!errors.empty()) return fail(ErrorKind::Invalid, manifest.describe(errors.front()));
    return it.spec;
  }
  return fail(ErrorKind::NotFound, fmt::format("{} has no LiveUpdate {} any more", file, key.name));
}

}  // namespace

Ceiling::Ceiling(AcceptedSpec accepted) : accepted_(std::move(accepted)), spec_(accepted_.load()) {}

Ceiling::Ceiling(AcceptedSpec accepted, std::string file, LiveUpdateSpec spec)
    : accepted_(std::move(accepted)),
      file_(std::move(file)),
      spec_(std::move(spec)),
      credentials_(spec_->source.credentials) {
  (void)accepted_.store(*spec_);  // a help for a start without the file, no more
}

std::vector<FieldError> Ceiling::compare(const LiveUpdateSpec& spec) const {
  LiveUpdateSpec asked = spec;
  if (file_.empty() || asked.source.credentials == tolerated_) asked.source.credentials.clear();
  LiveUpdateSpec bound = spec_.value_or(LiveUpdateSpec{});
  bound.source.credentials = credentials_;
  auto out = reach_beyond(bound, asked);
  if (!spec_ && out.empty()) out.push_back({"spec", "nothing was accepted on this machine yet"});
  if (!spec_) return out;
  for (FieldError& it : credentials_beyond(spec_->source.credentials, credentials_)) {
    it.message += fmt::format(", as {} says since this was started", file_);
    out.push_back(std::move(it));
  }
  return out;
}

std::vector<FieldError> Ceiling::beyond(const LiveUpdateSpec& spec, const Say& say) {
  auto further = compare(spec);
  return !further.empty() && read_again(say) ? compare(spec) : further;
}

bool Ceiling::file_changed() const { return has_file() && file_ != "-" && file_state(file_) != looked_at_; }

// Credentials that are new in it wait for the user's word: a `git pull` brings them, too.
bool Ceiling::read_again(const Say& say) {
  if (file_.empty() || file_ == "-") return false;
  if (std::string state = file_state(file_); state == std::exchange(looked_at_, state)) return false;
  auto read = read_spec(file_, accepted_.key());
  if (!read) {
    if (!std::exchange(said_useless_, true))
      say(fmt::format("{}\nwhat {} said before stays in force", visible_lines(read.error().message), file_));
    return false;
  }
  said_useless_ = false;
  credentials_ = read->source.credentials;
  if (!credentials_beyond(spec_->source.credentials, credentials_).empty())
    read->source.credentials = spec_->source.credentials;
  spec_ = std::move(*read);
  (void)accepted_.store(*spec_);
  return true;
}

Result<> Ceiling::accept(const LiveUpdateSpec& spec) {
  spec_ = reach_of(spec);
  spec_->source.credentials = credentials_;
  tolerated_ = spec.source.credentials;
  return accepted_.store(*spec_);
}

}  // namespace live_update
