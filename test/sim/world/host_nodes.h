// What lies on the developer's disk.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/api/kinds.h"

namespace live_update::sim {

struct HostNode {
  FileType type = FileType::File;
  unsigned mode = 0644;
  std::string content;  // of a file; of a link, what it leads to
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;
};
// By path, relative to the root; folders are named, too.
using HostNodes = std::map<std::string, HostNode>;

}  // namespace live_update::sim
