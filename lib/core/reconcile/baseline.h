// What is believed of files that no ChangeSet has named (rules 5.7, 5.8). Pure.
//
// Until a Snapshot names them all, the image is taken to hold what the machine had at the first start. That was so
// under the rules of that time: by others a file would lie elsewhere, or would not count at all. After a change of
// these nothing is Synced before a Snapshot of their reach came.
#pragma once

#include <string>

#include "core/reconcile/reconcile.h"

namespace live_update {

struct Baseline {
  bool compared = false;  // a Snapshot has named all that these rules count
  std::string rules;      // for which it holds (baseline_mark)
};
// What it is now, from what the status said before.
Baseline baseline_of(const Observed& observed);

// In a status.
inline constexpr std::string_view kAssumed = "Assumed", kCompared = "Compared";

// Whether the containers must be compared with all there is before one of them is Synced. `status` has the baseline of
// now.
bool must_compare(const CheckedSpec& checked, const LiveUpdateStatus& status);
// How that is said to people.
inline constexpr std::string_view kMustCompare =
    "which paths count or where syncs lead has changed: it waits for the machine to name all it has "
    "(live-update watch or push)";

}  // namespace live_update
