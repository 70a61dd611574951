// The second half of `decide`: what is told about a LiveUpdate and its ChangeSets. Pure; used by
// reconcile.cc.
#pragma once

#include <cstdint>
#include <set>

#include "core/reconcile.h"

namespace live_update {

// Sequences of batches after `since` that fell back and that `target`'s pod was not made after
// (rules 6.2, 6.3).
std::set<std::int64_t> pending_fall_backs(const Observed& observed, const Target& target, std::int64_t since);

// Fills status, change_sets, superseded and events of `decision` from `observed` and what was decided.
void describe_state(const Observed& observed, Decision& decision);

}  // namespace live_update
