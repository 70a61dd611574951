// Where symlinks lead, as the kernel follows them: a sync.from, or a folder on the way to it, may be one that
// ends inside the root (rule 3.3). Whatever leads out of the root is never followed.
#pragma once

#include <string>

namespace live_update {

struct LinkEnd {
  enum Where { Inside, Outside, Nowhere } where = Nowhere;
  // Inside: relative to the root, without links, "" for the root; Outside: absolute.
  std::string path;
};

// The end of a path, which is relative to the root. `root` is absolute and without links. Nowhere: there is
// nothing, or it cannot be reached.
LinkEnd link_end(const std::string& root, const std::string& path);

// Opens a file for reading if no link is on its whole way. Else -1 and ELOOP, or as open() has it.
int open_without_links(const std::string& absolute);

// Why a link is not followed, as a sentence without its path.
std::string say_refused(const LinkEnd& end);

}  // namespace live_update
