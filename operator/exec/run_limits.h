// What no container can execute, whatever the transport. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/desired/delivery.h"

namespace live_update {

// Linux takes no longer word.
inline constexpr std::size_t kLongestWord = 128 * 1024 - 1;

// How many bytes the commands of a delivery take, with what goes along with each.
std::size_t command_bytes(const DeliveryRun& run);
std::size_t command_bytes(const Delivery& delivery);

// How much a transport can carry: `run` for one command, `all` for those of a delivery together. Multiples of
// 1 KiB.
struct RunLimits {
  std::size_t run, all;
};

// What is wrong with a run of this delivery, with its step and a remedy: no program, a NUL, too long. To be asked
// before anything is sent, as what would come of it is a broken session.
std::optional<std::string> run_trouble(const Delivery& delivery, const RunLimits& limits);

}  // namespace live_update
