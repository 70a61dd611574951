// Wall-clock time as Kubernetes writes it (RFC 3339, UTC). Pure: nothing here asks a clock.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace live_update {

using Time = std::chrono::sys_time<std::chrono::microseconds>;

std::string format_time(Time time);  // 2026-01-01T00:00:00.123456Z
// Any RFC 3339 time, with a fraction and an offset or without. Error Invalid: it is none.
Result<Time> parse_time(std::string_view text);

}  // namespace live_update
