// Which host paths the watcher looks at, as the tree watch and the scanner ask for it.
//
// Paths are clean and relative to the root; "" is the root. Answers stay the same while nobody replaces the
// filter.
#pragma once

#include <string>

namespace live_update {

class PathFilter {
 public:
  virtual ~PathFilter() = default;
  // Rule 2.1: inside the context and not ignored. What does not count does not exist.
  virtual bool counts(const std::string& path) const = 0;
  // Whether to watch and walk a directory: it lies in the context or leads to it, and is not ignored as a
  // whole (rule 2.6).
  virtual bool enters(const std::string& directory) const = 0;
  // Rule 3.3: a symlink at this path stands for what it leads to, if that is inside the root.
  virtual bool follows(const std::string& path) const = 0;
  // Rules 2.2, 2.8: whether it may stand for `end`, a path inside the root: that is not ignored itself.
  virtual bool follows_to(const std::string& /*path*/, const std::string& /*end*/) const { return true; }
  // Rule 2.8: it is a credential that may not leave; wherever it is, and ignored by nothing else.
  virtual bool holds_back(const std::string&) const { return false; }
  // Paths whose events are wanted though they may not count: the ignore file (rule 2.4).
  virtual bool wants_events(const std::string& path) const { return counts(path); }
};

}  // namespace live_update
