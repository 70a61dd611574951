// The second half of `decide`: what is told about a LiveUpdate and its ChangeSets. Pure; used by
// reconcile.cc.
#pragma once

#include <cstdint>
#include <set>

#include "core/reconcile/reconcile.h"

namespace live_update {

// The batches that fell back and that the pod of a target was not made after (rules 6.2, 6.3), found once for
// one look. Costs nothing where no batch fell back.
class PendingFallBacks {
 public:
  explicit PendingFallBacks(const Observed& observed);

  // `target` is one of observed.search.targets. Sequences after `since`.
  std::set<std::int64_t> of(const Target& target, std::int64_t since) const;
  // 0: there is none.
  std::int64_t newest(const Target& target) const;
  std::int64_t oldest(const Target& target) const;

 private:
  std::map<const Target*, std::vector<std::int64_t>> pending_;  // ascending, never empty
};

std::string_view to_string(FallBackReason reason);
// "fallBackOn matches Dockerfile", of a batch that fell back.
std::string say_fall_back(const Judgement& judgement);

// Nothing more becomes of such a ChangeSet: what fails later is told of later batches (rule 4.7).
bool is_final(const ChangeSetStatus& status);

// Fills status, change_sets, superseded and events of `decision` from `observed` and what was decided.
void describe_state(const Observed& observed, const PendingFallBacks& pending, Decision& decision);

}  // namespace live_update
