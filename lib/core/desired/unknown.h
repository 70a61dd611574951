// Unknowns: paths of which somebody cannot tell what they hold, or whether anything is below them (rule 7.6).
//
// Unknown is not absent. A look at a disk ends with what is there, what is gone, and what could not be looked
// at: this is the third. Whoever compares, merges or deletes asks here before taking "not seen" for "not there".
// Paths are clean; the root is "" or ".". A plain value.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

class Unknowns {
 public:
  Unknowns() = default;
  explicit Unknowns(const std::vector<UnknownPath>& paths);

  // `below`: what is below it is unknown, too.
  void add(const std::string& path, bool below = false);
  // A path and everything below it is known again.
  void forget(const std::string& path);

  bool empty() const { return paths_.empty(); }
  // Nothing can be said of the path: it is one of them, or lies below an incomplete folder.
  bool hides(const std::string& path) const;
  // It is one of them, or leads to one: so it is there.
  bool names(const std::string& path) const;
  // Either: that it was not seen does not mean that it is gone.
  bool spares(const std::string& path) const;

  // Sorted by path; the root as ".".
  std::vector<UnknownPath> list() const;
  bool operator==(const Unknowns&) const = default;

 private:
  std::map<std::string, bool, std::less<>> paths_;  // whether `below`; the root is ""
};

}  // namespace live_update
