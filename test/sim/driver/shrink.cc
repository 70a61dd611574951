#include "test/sim/driver/shrink.h"

#include <algorithm>
#include <vector>

namespace live_update::sim {
namespace {

// What kind of breach it is; another kind is another failure.
std::string kind_of(const std::string& breach) { return breach.substr(0, 12); }

}  // namespace

// Pieces of the life, the large ones first.
Plan shrunk(Plan plan) {
  const Outcome first = simulate(plan);
  const std::string kind = kind_of(first.breach);
  for (std::size_t piece = std::max<std::size_t>(first.actions / 2, 1); piece > 0; piece /= 2) {
    for (std::size_t at = 0; at < first.actions; at += piece) {
      Plan smaller = plan;
      for (std::size_t i = at; i < std::min(at + piece, first.actions); ++i) smaller.left_out.insert(i);
      if (smaller.left_out == plan.left_out) continue;
      const Outcome outcome = simulate(smaller);
      if (!outcome.breach.empty() && kind_of(outcome.breach) == kind) plan = std::move(smaller);
    }
  }
  return plan;
}

}  // namespace live_update::sim
