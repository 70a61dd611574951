#include "operator/meant_containers.h"

#include <algorithm>
#include <utility>

#include "core/rules/mapping.h"
#include "core/rules/validate.h"

namespace live_update {

const TargetSearch& MeantContainers::of(const LiveUpdate& live_update) {
  return meaning_of(current(live_update.meta.ns), live_update).search;
}

std::optional<std::vector<std::string>> MeantContainers::other_roots(const LiveUpdate& live_update) {
  if (meaning_of(current(live_update.meta.ns), live_update).containers.empty()) return std::nullopt;
  const auto roots = roots_of_others(live_update, &Meaning::roots);
  return std::vector(roots.begin(), roots.end());
}

std::vector<std::string> MeantContainers::foreign_roots(const LiveUpdate& live_update) {
  const auto roots = roots_of_others(live_update, &Meaning::written);
  return std::vector(roots.begin(), roots.end());
}

std::set<std::string> MeantContainers::roots_of_others(const LiveUpdate& live_update,
                                                       std::vector<std::string> Meaning::* which) {
  Namespace& space = current(live_update.meta.ns);
  const std::set<std::string>& ours = meaning_of(space, live_update).containers;
  std::set<std::string> roots;
  for (const Shared<LiveUpdate>& other : cache_.live_updates(live_update.meta.ns)) {
    if (other->meta.name == live_update.meta.name) continue;
    const Meaning& theirs = meaning_of(space, *other);
    if (std::ranges::any_of(theirs.containers, [&](const auto& id) { return ours.contains(id); }))
      roots.insert((theirs.*which).begin(), (theirs.*which).end());
  }
  return roots;
}

// What is known of other pods is of no use any more, and goes with LiveUpdates that are gone.
MeantContainers::Namespace& MeantContainers::current(const std::string& ns) {
  Namespace& space = namespaces_[ns];
  const std::uint64_t version = cache_.version(ns);
  if (std::exchange(space.version, version) != version) space.meanings.clear();
  return space;
}

const MeantContainers::Meaning& MeantContainers::meaning_of(Namespace& space, const LiveUpdate& live_update) {
  const ObjectMeta& meta = live_update.meta;
  Meaning& it = space.meanings[meta.name];
  if (it.uid == meta.uid && it.generation == meta.generation) return it;
  it = {meta.uid, meta.generation, closed_namespace(meta.ns, own_namespace_), {}, {}, {}};
  if (it.search.reason.empty())
    it.search = find_targets(live_update, cache_.pods(meta.ns), cache_.workloads(meta.ns));
  for (const Target& target : it.search.targets)
    if (!target.container_id.empty()) it.containers.insert(target.container_id);
  it.written = sync_roots(live_update.spec);
  if (validate(live_update.spec).empty()) it.roots = it.written;
  return it;
}

}  // namespace live_update
