// Many saves whose file has another name each time, as bundlers name their output: what is kept must not grow (rule 7.5).
#pragma once

#include <cstdint>
#include <string>

namespace live_update::sim {

// Prints what there is after each tenth. What is wrong in the end; empty: nothing.
std::string save_hashed(std::uint64_t seed, int saves);

}  // namespace live_update::sim
