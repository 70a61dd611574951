// How long a save takes, stage by stage: from the file event on the developer's machine until every container
// has confirmed it. Pure.
//
//   observedAt -> posted (the watcher sends it) -> received (the operator has it) -> planned (what each
//   container gets) -> sent (handed to the container's session) -> confirmed -> applied
//
// Of several containers the last one counts, so each stage follows the one before.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// When a batch reached each stage in the operator, on its wall clock.
struct BatchTimes {
  Time received;
  // `sent` only where the transport tells.
  std::optional<Time> planned, sent, confirmed, applied;
};
using BatchTimesMap = std::map<std::int64_t, BatchTimes>;  // by the batch's sequence

// A container has reached `stage` with the batches after `after` up to `upto`: the newest time stays.
void reached(BatchTimesMap& batches, std::int64_t after, std::int64_t upto,
             std::optional<Time> BatchTimes::* stage, Time time);

// Since spec.observedAt, never negative; empty when the ChangeSet does not tell that, or tells what cannot be: more
// than a week before the operator received it, or 5 minutes after. So is `posted` alone. The developer's clock and the
// operator's must agree for what follows `posted`.
using SaveTimes = SaveStages<std::chrono::microseconds>;
SaveTimes save_times(const ChangeSetSpec& spec, const BatchTimes& times);
SaveMilliseconds in_milliseconds(const SaveTimes& times);

// What each stage took by itself, in order; a stage that is not known counts to the next one. The sum is the
// last one's time.
std::vector<std::pair<std::string_view, std::chrono::microseconds>> parts_of(const SaveTimes& times);

// "posted 3, received 5, planned 5, sent 6, confirmed 9"; empty when nothing is known.
std::string say_stages(const SaveMilliseconds& milliseconds);

}  // namespace live_update
