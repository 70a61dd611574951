// A plan as text for people: what is decided, then for every path why, then what runs.
#pragma once

#include <string>
#include <vector>

#include "core/rules/plan.h"

namespace live_update {

// `plan` is the plan of `spec` for `changes`. Several lines, each ended.
std::string explain_text(const LiveUpdateSpec& spec, const Plan& plan, const std::vector<Change>& changes);

}  // namespace live_update
