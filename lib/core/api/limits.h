// The bounds of the CRDs. Pure.
#pragma once

#include <vector>

#include "core/api/kinds.h"
#include "core/base/json.h"

namespace live_update {

// What no rule forbids, but the CRD's bounds on lengths and numbers of entries do: the API server would
// refuse it.
std::vector<FieldError> limits(const LiveUpdate& live_update);

}  // namespace live_update
