// The rules once more, written from their text and as simply as can be, for the few patterns that the simulation
// uses: whole folders and files. Nothing of core/rules or core/desired.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"

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

}  // namespace live_update::sim
