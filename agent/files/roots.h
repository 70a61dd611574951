// The roots that a batch names, and from a root and a path below it to the place that is meant.
//
// The way to a root is taken as any program takes it, symlinks included, as an image may have them there. But
// a root that lies within another one of the batch is reached through that, without following any: what is
// written by way of the outer one may have put them there (rule 4.3).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/files/switch.h"

namespace live_update::agent {

class Roots {
 public:
  explicit Roots(const std::vector<std::string>& named) : named_(named) {}

  // Whether they are such that a batch can be made of them.
  Try<> open();
  // An empty path is the root itself. Code Protocol: there is no root of this number.
  Try<Spot> spot(std::uint16_t root, const std::string& path);
  // Whether the way to one of them would lead through something at this place.
  bool leads_to_one(const Spot& spot) const;
  // Whether there is a directory already, which may be reached by a symlink.
  bool is_directory(std::uint16_t root) const;
  // When directories may have changed.
  void forget();

 private:
  struct Root {
    SyncRoot* at = nullptr;
    std::string prefix;  // where it lies within another root, or is no directory (yet): the way from `at`
  };
  SyncRoot& sync_root(const std::string& path);
  Root above(const std::string& path);
  const std::string& outermost(const std::string& path) const;

  const std::vector<std::string>& named_;
  std::map<std::string, std::unique_ptr<SyncRoot>> sync_roots_;
  std::vector<Root> roots_;
};

// "agent protocol: ...": the session has to end.
Failure nonsense(std::string reason);

}  // namespace live_update::agent
