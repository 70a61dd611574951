// The compiled patterns of LiveUpdates that are being judged.
//
// Compiled, a spec's patterns take up to sixty times what they say, and many LiveUpdates share one operator. So only
// those that were asked for last are held, kMost of them; others are compiled again when they are asked for. One
// whose matching goes on in its next look keeps its place, as what was looked up would be lost with it. Loop thread
// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "core/api/kinds.h"
#include "core/rules/path_rules.h"

namespace live_update {

class HeldRules {
 public:
  static constexpr std::size_t kMost = 32;

  // Holds until the next call for another LiveUpdate; compiled if it is not held, or of another generation.
  PathRules& of(const LiveUpdate& live_update);
  // It is in the middle of its matching, and keeps its place until `rests`; where so many do, it keeps none.
  void goes_on(const std::string& uid);
  // Its matching has ended. `forget`: what was looked up of paths is of no more use either.
  void rests(const std::string& uid, bool forget);
  // There is no such LiveUpdate any more.
  void drop(const std::string& uid);

  std::size_t size() const { return held_.size(); }

 private:
  struct Held {
    std::string uid;
    std::int64_t generation = 0;
    PathRules rules;
    bool goes_on = false;
  };
  std::list<Held>::iterator find(const std::string& uid);
  void make_room();

  std::list<Held> held_;  // asked for last comes first
};

}  // namespace live_update
