// The port through which the planner asks what is on the host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// What the planner may ask about the host tree: what is at a clean relative path now, and which paths are
// below a directory. Answers must not change during one call. Whether the tree already has the batch's
// changes is of no matter: the planner lays them over it. A symlink to a directory that is followed
// (Mapping::follows) counts as that directory.
class HostTree {
 public:
  virtual ~HostTree() = default;
  virtual std::optional<FileType> type(const std::string& path) const = 0;
  // Paths of files and symlinks strictly below `directory`, any depth, any order.
  virtual std::vector<std::string> files_below(const std::string& directory) const = 0;
};

}  // namespace live_update
