#include "core/reconcile/baseline.h"

#include "core/api/conditions.h"

namespace live_update {
namespace {

// When a Snapshot was asked for because of the rules; nothing: none is.
std::optional<Time> asked_since(const LiveUpdateStatus& status) {
  const Condition* asked = find_condition(status.conditions, condition::kSnapshotNeeded);
  if (!asked || !asked->status || asked->reason != reason::kRulesChanged) return std::nullopt;
  // Objects are dated in whole seconds.
  if (!asked->last_transition) return std::nullopt;
  return std::chrono::floor<std::chrono::seconds>(*asked->last_transition);
}

}  // namespace

Baseline baseline_of(const Observed& o) {
  const LiveUpdateStatus& before = o.before;
  const std::string& now = o.checked.baseline;
  if (!o.checked.errors.empty()) return {before.baseline == kCompared, before.baseline_rules};
  const bool same = before.baseline_rules.empty() || before.baseline_rules == now;
  const auto asked = asked_since(before);
  // An older watcher's Snapshot of before the change is not meant for these rules.
  if (same ? o.history.knows_all(o.checked.reach)
           : o.history.knows_all(o.checked.reach, asked.value_or(Time::max())))
    return {true, now};
  if (same || o.history.newest() == 0) return {false, now};
  return {false, before.baseline_rules};
}

bool must_compare(const CheckedSpec& checked, const LiveUpdateStatus& status) {
  return checked.errors.empty() && status.baseline_rules != checked.baseline;
}

}  // namespace live_update
