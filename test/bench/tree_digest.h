// A directory and all below it in one number, to compare two places with millions of bytes in milliseconds.
#pragma once

#include <cstdint>
#include <string>

namespace live_update::bench {

struct TreeDigest {
  std::uint64_t digest = 0;  // of names, kinds, modes of files, contents and link targets
  std::uint64_t entries = 0;
  double changed = 0;  // when any of it was last changed (ctime), in seconds of the wall clock
};

// An empty one for what is not there or changes under our feet.
TreeDigest digest_of_tree(const std::string& path);

}  // namespace live_update::bench
