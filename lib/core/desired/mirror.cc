#include "core/desired/mirror.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/path.h"
#include "core/base/text.h"

namespace live_update {
namespace {

// Whoever lets a sync lead to one of these does not mean that all else in it should go.
constexpr std::array<std::string_view, 18> kSystemFolders = {
    "/",    "/bin",  "/boot", "/dev", "/etc",  "/home", "/lib", "/lib64", "/mnt",
    "/opt", "/proc", "/root", "/run", "/sbin", "/sys",  "/tmp", "/usr",   "/var"};

// Ours lie in sync roots, too: what is staged, and the agent itself (core/wire/agent_notes.h).
bool is_ours(std::string_view name) {
  return name.starts_with(".live-update-") || name.starts_with("live-update-agent");
}

std::string say(const std::string& why) { return "spec.source.deletes: Mirror: " + why; }

}  // namespace

std::string mirror_obstacle(const History& history, const std::string& reach) {
  const Batch* snapshot = history.newest_snapshot();
  if (!snapshot || !history.knows_all(reach) || snapshot->reach() != reach)
    return say(
        "nothing is deleted that only containers have before the machine has named all that it has: run "
        "live-update watch or push there");
  const auto& ignores = snapshot->ignores();
  if (!ignores)
    return say("nothing is deleted that only containers have, as the Snapshot of sequence " +
               std::to_string(snapshot->snapshot()) +
               " does not say what the machine ignores: run live-update watch or push there, of version " +
               LIVE_UPDATE_VERSION + " or newer");
  std::string incomplete = visible(ignores->incomplete.substr(0, 1000));
  const auto lines = static_cast<std::size_t>(std::ranges::count(ignores->patterns, '\n'));
  if (incomplete.empty() &&
      (ignores->patterns.size() > HostIgnores::kMostBytes || lines > HostIgnores::kMostPatterns))
    incomplete = "its ignore file has more than 1,000 patterns or 32 KiB";
  if (incomplete.empty()) return {};
  return say(
      "nothing is deleted that only containers have, as the machine cannot tell all that it ignores: " +
      incomplete);
}

Result<std::shared_ptr<const MirrorRules>> MirrorRules::make(const LiveUpdateSpec& spec,
                                                             std::vector<std::string> other_roots,
                                                             const History& history,
                                                             std::shared_ptr<PathRules> triggers) {
  const Batch& snapshot = *history.newest_snapshot();
  LiveUpdateSpec own = spec;
  own.source.credentials.clear();  // those that may leave the machine are credentials all the same
  auto ignore = IgnoreRules::compile(own, IgnoreFile{"the ignore file", snapshot.ignores()->patterns});
  if (!ignore)
    return fail(ErrorKind::Invalid,
                say("nothing is deleted that only containers have: " + visible(ignore.error().front().field) +
                    " " + visible(ignore.error().front().message)));
  return std::shared_ptr<const MirrorRules>(
      new MirrorRules(spec, std::move(other_roots), std::move(*ignore), snapshot, std::move(triggers)));
}

MirrorRules::MirrorRules(const LiveUpdateSpec& spec, std::vector<std::string> other_roots, IgnoreRules ignore,
                         const Batch& snapshot, std::shared_ptr<PathRules> triggers)
    : mapping_(spec, other_roots),
      other_roots_(std::move(other_roots)),
      roots_(other_roots_),
      ignore_(std::move(ignore)),
      unknown_(snapshot.spec.unknown),
      triggers_(std::move(triggers)),
      cost_(ignore_.words() + 1) {
  for (const Route& route : mapping_.routes()) {
    roots_.push_back(route.to);
    roots_.push_back(route.remote(route.from, false));
  }
}

std::vector<MirrorRules::Origin> MirrorRules::origins(std::string_view remote) const {
  std::vector<Origin> origins;
  const auto& routes = mapping_.routes();
  for (std::size_t i = 0; i < routes.size(); ++i)
    if (at_or_below(remote, routes[i].to))
      origins.push_back({i, join_path(routes[i].from, relative_to(remote, routes[i].to))});
  return origins;
}

MirrorRules::Verdict MirrorRules::judge(const Origin& origin, bool directory, Cursors& cursors) const {
  const std::string& path = origin.path;
  const Verdict perhaps_below = directory ? Verdict::Looked : Verdict::Stays;
  if (mapping_.route(path) != &mapping_.routes()[origin.route]) return Verdict::Stays;
  const auto ignored = cursors[origin.route].check(path);
  if (ignored.ignored) return ignored.whole ? Verdict::Stays : perhaps_below;
  if (unknown_.hides(path)) return Verdict::Stays;
  return unknown_.names(path) ? perhaps_below : Verdict::Goes;
}

MirrorRules::Verdict MirrorRules::judge(const std::string& remote, bool directory,
                                        const std::vector<Origin>& origins, Cursors& cursors) const {
  if (origins.empty() || is_ours(base_name(remote)) || is_kernel_path(remote)) return Verdict::Stays;
  if (is_root(remote)) return Verdict::Stays;
  Verdict verdict = Verdict::Goes;
  for (const std::string& root : roots_) {
    if (strictly_below(root, remote)) verdict = directory ? Verdict::Looked : Verdict::Stays;
  }
  for (const Origin& origin : origins) verdict = std::min(verdict, judge(origin, directory, cursors));
  return verdict;
}

bool MirrorRules::is_root(std::string_view remote) const {
  return std::ranges::find(roots_, remote) != roots_.end();
}

bool MirrorRules::triggers(int step, const std::string& host_path) const {
  const PathRules::Said& said = triggers_->of(host_path);
  return said.inside && !said.ignored.ignored &&
         std::ranges::find(said.triggered, step) != said.triggered.end();
}

std::string MirrorRules::bars(const Route& route) const {
  if (std::ranges::find(kSystemFolders, route.to) != kSystemFolders.end())
    return say("what only containers have in " + visible(route.to) +
               " stays, as that folder is the system's; let the sync lead to a folder of its own");
  if (std::ranges::any_of(other_roots_, [&](const auto& it) { return at_or_below(route.to, it); }))
    return say("what only containers have in " + visible(route.to) +
               " stays, as another LiveUpdate's sync leads there, too");
  return {};
}

namespace {

// With the folders that lead there.
void want(Mirror& mirror, const std::string& path, bool directory) {
  mirror.wanted[path] |= directory;
  for (std::string_view up = parent_path(path); up.size() > 1; up = parent_path(up))
    if (!mirror.wanted.emplace(up, true).second) return;
}

// Only what the machine is known to have as a folder: that a whole `from` is gone may be a disk that is not mounted.
bool is_filled(const History& history, const Route& route) {
  const Tree& all = history.all();
  return route.from == "." ? !all.empty() : all.type(route.from) == FileType::Directory;
}

void add_folder(Mirror& mirror, const std::string& path, const Route& route) {
  if (std::ranges::find(mirror.folders, path, &Mirror::Folder::path) == mirror.folders.end())
    mirror.folders.push_back({path, route.tree_root});
}

void add_deleted_folders(Mirror& mirror, const Delivery& delivery) {
  for (const RemoteDelete& gone : delivery.deletes) {
    if (gone.type != FileType::Directory) continue;
    const Route* route = mirror.rules->mapping().route(gone.from);
    if (!route || !mirror.rules->bars(*route).empty()) continue;
    add_folder(mirror, gone.to, *route);
    for (const std::string& kept : gone.keep) want(mirror, kept, false);
  }
}

}  // namespace

std::shared_ptr<const Mirror> mirror_of(const std::shared_ptr<const MirrorRules>& rules,
                                        const History& history, Delivery& delivery, int most, bool compares) {
  auto mirror = std::make_shared<Mirror>();
  mirror->rules = rules;
  mirror->compares = compares;
  mirror->most = static_cast<std::size_t>(std::max(most, 0));
  if (compares) {
    for (const Route& route : rules->mapping().routes()) {
      if (!is_filled(history, route)) continue;
      if (std::string why = rules->bars(route); !why.empty())
        delivery.notes.push_back(std::move(why));
      else
        add_folder(*mirror, route.to, route);
    }
  } else {
    add_deleted_folders(*mirror, delivery);
  }
  if (mirror->folders.empty()) return nullptr;
  for (const DeliveryWrite& write : delivery.writes)
    want(*mirror, write.to, write.type == FileType::Directory);
  for (const RemoteDelete& gone : delivery.deletes) mirror->deleted.insert(gone.to);
  return mirror;
}

}  // namespace live_update
