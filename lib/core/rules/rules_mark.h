// By which rules a container was brought to its state (rule 5.7). Pure.
//
// What a spec says of *what is where* has a mark. A container is synced only if it was compared under the rules
// that are there now; so each one's mark is remembered, also over a restart of the operator.
#pragma once

#include <string>
#include <string_view>

#include "core/api/kinds.h"

namespace live_update {

// Equal for two specs that put the same paths into the same places of the same containers, and by which the
// same batches fall back. Runs, restarts and how things are done do not count. Text for a status: a
// digest of everything, then one of each sync.
std::string rules_mark(const LiveUpdateSpec& spec);

// Whether the rules `before` may have put something where those of `now` put nothing: a sync is gone.
bool leaves_behind(std::string_view before, std::string_view now);

}  // namespace live_update
