// Checkpoints: what is left of many ChangeSets, in few (rule 7.5). Pure.
//
// How it works. When more than a hundred confirmed ChangeSets are kept because something of each is still needed, the
// operator posts what the older of them say together: each path once, as it was after the last of them, with its
// stamp, the sequence that said so. A History takes such a Checkpoint in the place of everything up to its sequence
// (`newest_checkpoint`), and what it replaces is deleted. So it is complete before anything goes, an operator that ends
// in the middle leaves either the old or both, and whoever lags behind is told by the stamps what it lacks.
//
// That a path is gone is kept, too, as an image may have it. But of a path that no image has (History::beginning) it is
// left out once no container can have it any more, which whoever asks for the Checkpoint decides: names that carry a
// hash would else pile up for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"
#include "core/api/limits.h"
#include "core/desired/history.h"

namespace live_update {

// The session of a Checkpoint: "checkpoint-" and this number. No other ChangeSet has such a one.
std::string checkpoint_session(std::uint64_t number);
bool is_checkpoint_session(std::string_view session);

// Up to where all is to be merged; nothing: not yet, or something is missing. `confirmed`: what all containers have.
std::optional<std::int64_t> checkpoint_due(const History& history, std::int64_t confirmed,
                                           const CheckpointLimits& limits);

// Whether it may be forgotten that a path is gone which began with one sequence and was deleted with another one; or,
// deleted with kNever, whether that may be so one day.
using MayForget = std::function<bool(std::int64_t begun, std::int64_t deleted)>;
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// The ChangeSets of it, which end with the sequence `through`, that of a batch. `header` gives the LiveUpdate, the
// user, which is the operator's own account, and a checkpoint_session that nobody can have foreseen: names are free
// for all.
std::vector<ChangeSetSpec> make_checkpoint(const History& history, std::int64_t through,
                                           const ChangeSetSpec& header, const CheckpointLimits& limits,
                                           const MayForget& may_forget = {});

// The parts of the newest Checkpoint that is complete, among ChangeSets in order of sequence; none: empty.
std::vector<std::shared_ptr<const ChangeSet>> newest_checkpoint(
    const std::vector<std::shared_ptr<const ChangeSet>>& sorted);

}  // namespace live_update
