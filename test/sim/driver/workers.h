// Seeds on several cores: each in a process of its own kind, so that one that crashes is a failure like any other.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "test/sim/driver/simulation.h"

namespace live_update::sim {

struct Work {
  std::uint64_t first = 1, count = 1;
  unsigned processes = 1;
  std::chrono::steady_clock::time_point until;  // no seed is begun later
};

// Calls `simulate` for each seed in a process, and `take` here with what came of it, as they end; false: no further
// seed is begun. Seeds are begun in their order.
void run_seeds(const Work& work, const std::function<Outcome(std::uint64_t)>& simulate,
               const std::function<bool(std::uint64_t, const Outcome&)>& take);

}  // namespace live_update::sim
