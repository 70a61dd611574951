#include "watcher/early_statuses.h"

#include <algorithm>

namespace live_update {

void EarlyStatuses::keep(const ChangeSet& change_set) {
  const ChangeSetSpec& spec = change_set.spec;
  if (spec.session != session_ || spec.sequence <= known_ || change_set.status.phase.empty()) return;
  statuses_[spec.sequence] = change_set.status;
  if (statuses_.size() > kMost) statuses_.erase(statuses_.begin());
}

std::optional<ChangeSetStatus> EarlyStatuses::take(std::int64_t sequence) {
  const auto found = statuses_.extract(sequence);
  return found ? std::optional(found.mapped()) : std::nullopt;
}

void EarlyStatuses::known(std::int64_t sequence) {
  known_ = std::max(known_, sequence);
  statuses_.erase(statuses_.begin(), statuses_.upper_bound(known_));
}

}  // namespace live_update
