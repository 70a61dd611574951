// One seed: a life of saves and faults, and whether the rules held.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace live_update::sim {

// A life is a list of actions, saves and faults, drawn before it begins: each with a chance of its own, so that any
// may be left out and the others stay what they are.
struct Plan {
  std::uint64_t seed = 0;
  bool print = false;
  std::set<std::string> without;   // faults that do not happen
  std::set<std::size_t> left_out;  // actions, by their number
};

struct Outcome {
  std::uint64_t hash = 0;  // of the trace
  int saves = 0, faults = 0;
  std::size_t actions = 0;  // that were drawn
  // How often each fault met a container in each state, as the status had it: "cut" and "Applying".
  std::map<std::pair<std::string, std::string>, int> met;
  std::string breach;  // the first; empty: none
};

Outcome simulate(const Plan& plan);

}  // namespace live_update::sim
