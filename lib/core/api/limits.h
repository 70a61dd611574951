// The bounds of the CRDs. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "core/api/kinds.h"
#include "core/base/json.h"

namespace live_update {

// Bytes of one file that a ChangeSet may announce: what is unpacked has a bound before it is.
inline constexpr std::uint64_t kLargestFile = 1ull << 30;

// What no rule forbids, but the CRD's bounds on lengths and numbers of entries do: the API server would
// refuse it.
std::vector<FieldError> limits(const LiveUpdate& live_update);

}  // namespace live_update
