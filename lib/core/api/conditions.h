// Conditions as metav1.Condition has them, and the list of every reason that one of ours can have.
//
// The rules are kstatus': Ready is True exactly when nothing is left to do; Reconciling is True while the
// operator works on it; Stalled is True when nothing goes on until someone acts, and its message says who
// must do what. Beside them Synced (every container has confirmed every change), FallBack, and SnapshotNeeded
// (the operator asks the watcher for everything).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

namespace condition {
inline constexpr std::string_view kReady = "Ready";
inline constexpr std::string_view kSynced = "Synced";
inline constexpr std::string_view kReconciling = "Reconciling";
inline constexpr std::string_view kStalled = "Stalled";
inline constexpr std::string_view kFallBack = "FallBack";
inline constexpr std::string_view kSnapshotNeeded = "SnapshotNeeded";
}  // namespace condition

// Why a condition is as it is: a word for programs, what it means and what to do, for people.
// docs/troubleshooting.md has an entry for each (checked by a test).
struct Reason {
  std::string_view name;
  std::string_view meaning;  // one sentence
  std::string_view remedy;   // what to do; empty: nothing is wrong
};

namespace reason {
// Nothing is wrong.
inline constexpr std::string_view kSynced = "Synced";
inline constexpr std::string_view kApplying = "Applying";
inline constexpr std::string_view kIdle = "Idle";
inline constexpr std::string_view kAsExpected = "AsExpected";
inline constexpr std::string_view kNone = "None";
inline constexpr std::string_view kHistoryComplete = "HistoryComplete";
inline constexpr std::string_view kSuspended = "Suspended";
// The object, and what it selects.
inline constexpr std::string_view kInvalidSpec = "InvalidSpec";
inline constexpr std::string_view kNoTarget = "NoTarget";
inline constexpr std::string_view kContainerNotChosen = "ContainerNotChosen";
inline constexpr std::string_view kNoSuchContainer = "NoSuchContainer";
inline constexpr std::string_view kWaiting = "Waiting";
inline constexpr std::string_view kNotAllowed = "NotAllowed";
// What a container refuses.
inline constexpr std::string_view kToolMissing = "ToolMissing";
inline constexpr std::string_view kNotWritable = "NotWritable";
inline constexpr std::string_view kReadOnlyFileSystem = "ReadOnlyFileSystem";
inline constexpr std::string_view kNoSpace = "NoSpace";
inline constexpr std::string_view kPathEscapes = "PathEscapes";
inline constexpr std::string_view kAgentUnavailable = "AgentUnavailable";
inline constexpr std::string_view kUnsupported = "Unsupported";
inline constexpr std::string_view kRunFailed = "RunFailed";
inline constexpr std::string_view kRestartFailed = "RestartFailed";
inline constexpr std::string_view kRetrying = "Retrying";
inline constexpr std::string_view kUnreachable = "Unreachable";
inline constexpr std::string_view kForbidden = "Forbidden";
inline constexpr std::string_view kFailed = "Failed";
// Falling back.
inline constexpr std::string_view kStopPath = "StopPath";
inline constexpr std::string_view kUnmatched = "Unmatched";
// ChangeSets.
inline constexpr std::string_view kSequenceGap = "SequenceGap";
inline constexpr std::string_view kDigestMismatch = "DigestMismatch";
inline constexpr std::string_view kRefused = "Refused";
inline constexpr std::string_view kSnapshotNeeded = "SnapshotNeeded";
inline constexpr std::string_view kInitialSync = "InitialSync";
inline constexpr std::string_view kHistoryLost = "HistoryLost";
inline constexpr std::string_view kContentNeeded = "ContentNeeded";
inline constexpr std::string_view kRulesChanged = "RulesChanged";
inline constexpr std::string_view kTooManyDeletes = "TooManyDeletes";
}  // namespace reason

std::span<const Reason> all_reasons();
// Null if there is no such reason.
const Reason* find_reason(std::string_view name);

// Puts `condition` in the place of the one of its type. `last_transition` becomes `now` if the status is
// another than before, else it stays as it was; an unchanged condition stays equal to the last bit, so that
// no status is written for nothing. An empty reason, which the API server would refuse, becomes the type's
// name; a message too long for it loses its begin.
void set_condition(std::vector<Condition>& conditions, Condition condition, Time now);
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);

}  // namespace live_update
