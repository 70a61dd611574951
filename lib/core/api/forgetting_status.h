// What a status says of what may be forgotten (core/reconcile/forgetting.h): a value of core/api/kinds.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace live_update {

// Containers that were targets and are none now. They may come back with files that they had, on a claim: with what was
// deleted after `confirmed`, if it began by `newest`.
struct DepartedStatus {
  std::int64_t confirmed = 0, newest = 0;
  bool operator==(const DepartedStatus&) const = default;
};

struct ForgettingStatus {
  std::string rules;                // a mark: by which targets have what began after the departed ones
  std::vector<std::string> images;  // that targets were seen to have: digests of their IDs
  std::vector<DepartedStatus> departed;
  bool operator==(const ForgettingStatus&) const = default;
};

}  // namespace live_update
