#include "watcher/early_statuses.h"

#include <algorithm>

namespace live_update {

void EarlyStatuses::keep(const ChangeSet& change_set) {
  const ChangeSetSpec& spec = change_set.spec;
  if (spec.session != session_ || is_older(change_set)) return;
  if (!change_set.meta.uid.empty()) there_.insert(change_set.meta.uid);
  if (spec.sequence <= known_) return;
  removed_.erase(spec.sequence);
  if (change_set.status.phase.empty()) return;
  statuses_[spec.sequence] = change_set.status;
  if (statuses_.size() > kMost) statuses_.erase(statuses_.begin());
}

void EarlyStatuses::removed(const ChangeSet& change_set) {
  there_.erase(change_set.meta.uid);
  if (older_.erase(change_set.meta.uid) > 0) return;
  if (change_set.spec.session != session_ || change_set.spec.sequence <= known_) return;
  removed_.insert(change_set.spec.sequence);
  if (removed_.size() > kMost) removed_.erase(removed_.begin());
}

std::optional<ChangeSetStatus> EarlyStatuses::take(std::int64_t sequence) {
  const auto found = statuses_.extract(sequence);
  return found ? std::optional(found.mapped()) : std::nullopt;
}

void EarlyStatuses::start_over(std::int64_t next) {
  known_ = next - 1;
  statuses_.clear();
  removed_.clear();
  older_.merge(there_);
  there_.clear();
}

void EarlyStatuses::known(std::int64_t sequence) {
  known_ = std::max(known_, sequence);
  statuses_.erase(statuses_.begin(), statuses_.upper_bound(known_));
  removed_.erase(removed_.begin(), removed_.upper_bound(known_));
}

}  // namespace live_update
