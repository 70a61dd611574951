// Places of one batch that cannot be written, collected while it is staged: one answer names them, so that
// nobody has to find them one push at a time.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/system/failure.h"

namespace live_update::agent {

class Obstacles {
 public:
  // Takes in what is about a place: missing rights, a read-only file system, a symlink in the way, a name
  // that is too long. False for everything else, and after a thousand places: the batch ends there.
  bool take(const Failure& failure);
  bool any() const { return first_.has_value(); }
  // The first one; its reason also names one path in each of four further directories, and how many more
  // directories there are.
  Failure failure() const;

 private:
  std::optional<Failure> first_;
  std::set<std::string> directories_;
  std::vector<std::string> others_;
};

}  // namespace live_update::agent
