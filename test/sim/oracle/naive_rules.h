// The rules once more, written from their text and as simply as can be, for the few patterns that the simulation
// uses: whole folders, files, and links to folders. Nothing of core/rules or core/desired.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"
#include "test/sim/world/host_nodes.h"

namespace live_update::sim {

inline bool at_or_below_naive(std::string_view path, std::string_view folder) {
  if (folder == "." || path == folder) return true;
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// Rule 3.3: the first sync whose `from` is the path or above it.
inline std::optional<std::string> remote_path(const LiveUpdateSpec& spec, const std::string& path) {
  for (const Step& step : spec.steps) {
    const auto* sync = std::get_if<Sync>(&step);
    if (!sync || !at_or_below_naive(path, sync->from)) continue;
    if (path == sync->from) return sync->to;
    return sync->to + '/' + (sync->from == "." ? path : path.substr(sync->from.size() + 1));
  }
  return {};
}

inline std::vector<std::string> sync_roots(const LiveUpdateSpec& spec) {
  std::vector<std::string> roots;
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) roots.push_back(sync->to);
  return roots;
}

// Rule 3.3: the host paths that lead to a remote one; where several of them are there, the first wins.
inline std::vector<std::string> sources_of(const LiveUpdateSpec& spec, const std::string& remote) {
  std::vector<std::string> sources;
  for (const Step& step : spec.steps) {
    const auto* sync = std::get_if<Sync>(&step);
    if (!sync || !at_or_below_naive(remote, sync->to)) continue;
    std::string path = sync->from + remote.substr(sync->to.size());
    if (remote_path(spec, path) == remote && std::ranges::find(sources, path) == sources.end())
      sources.push_back(std::move(path));
  }
  return sources;
}

// Whether files of two syncs can land at one place, or below one another.
inline bool overlapping(const LiveUpdateSpec& spec) {
  const auto roots = sim::sync_roots(spec);
  for (std::size_t i = 0; i < roots.size(); ++i)
    for (std::size_t j = 0; j < roots.size(); ++j)
      if (i != j && at_or_below_naive(roots[i], roots[j])) return true;
  return false;
}

// What is on the disk as syncs see it: a `from` that is a link stands for what it leads to, other links for
// themselves (rule 3.3). `nowhere`: such links that lead to nothing, which says nothing of the files.
inline HostNodes seen_by_syncs(const HostNodes& disk, const LiveUpdateSpec& spec,
                               std::set<std::string>* nowhere = nullptr) {
  HostNodes seen = disk;
  for (const Step& step : spec.steps) {
    const auto* sync = std::get_if<Sync>(&step);
    const auto link = sync ? disk.find(sync->from) : disk.end();
    if (link == disk.end() || link->second.type != FileType::Symlink) continue;
    seen.erase(sync->from);
    const std::string& target = link->second.content;
    if (!disk.contains(target) && nowhere) nowhere->insert(sync->from);
    for (const auto& [path, node] : disk)
      if (path != target && at_or_below_naive(path, target))
        seen[sync->from + path.substr(target.size())] = node;
  }
  return seen;
}

}  // namespace live_update::sim
