// What the operator knows of one container, and how it learns it. Pure.
//
// A lane is seeded from the status after a restart, and can be lost: what it knows then is what the status says
// (rules 4.9, 5.3). `decide` (reconcile.h) reads lanes; only what stands here changes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/delivery.h"
#include "core/desired/targets.h"
#include "core/rules/step_marks.h"

namespace live_update {

using Instant = std::chrono::steady_clock::time_point;  // of the loop: for backoff and delays only

// What the operator knows of one container, by container ID. Seeded from status after a restart
// (rule 4.9, 5.3).
struct Lane {
  std::int64_t applied =
      0;  // the newest sequence that the container confirmed; 0: it is as its image made it
  // The mark of the rules by which it was brought there (rule 5.7); empty: not known.
  std::string rules;
  std::map<std::string, WantedContent> wanted;  // what it got without: nobody held it; by host path
  bool older_rules = false;                     // others before these may have put something elsewhere in it
  // It has counted as synced, be it with nothing to get: from now on it is not new (rule 4.8).
  bool was_synced = false;
  std::optional<Time> applied_at;
  std::int64_t last_milliseconds = 0;
  // Runs, and a restart they kept back, that are due again with the next batch (rule 4.7): numbers of `steps`.
  std::vector<int> failed_steps;
  std::shared_ptr<const StepMarks> steps;  // null: those of the spec that is there (an older status)
  // Those that attempts which ended badly may have left undone, though nothing differs any more; numbers as
  // well.
  std::vector<int> begun;
  bool resumed = false;              // another operator has left a delivery in the middle, or may have
  std::string run_message;           // why they failed; after a restart perhaps only that they did
  bool run_wants_fall_back = false;  // one of them has onFailure: FallBack
  std::vector<std::string> warnings;
  std::string held;          // why what only it has was not deleted, as it is too much (rule 4.5)
  std::string transport;     // that the last delivery took
  bool replace_pod = false;  // the container could not be restarted from inside (rule 4.8)
  std::shared_ptr<const Delivery> under_way;  // null: none is
  std::string place;                          // its pod's uid and its name there, of the last delivery
  std::optional<Instant> signalled, stopped;  // by that delivery; and when it was seen not to run any more
  bool ended_by_signal = false;               // the one before it in its place was

  struct Problem {
    NotDelivered what;
    std::int64_t sequence = 0, generation = 0;  // incurable ones are tried again when either changes
  };
  std::optional<Problem> problem;
  int attempts = 0;  // in a row that failed
  Instant not_before{};
  Instant failed_at{};  // when the last delivery ended with a problem or a failed run
};
// By container ID; until `follow` has seen their containers, those that a status names by digests of their IDs
// have these.
using Lanes = std::map<std::string, Lane>;

Lanes lanes_from(const LiveUpdateStatus& status);

// As in OtherContainers.
std::string id_digest(const std::string& container_id);

// In a status, in the place of the rules: content was lacking, so it must be compared whatever the rules are.
inline constexpr std::string_view kWithoutContent = "-";

// How the message of a container begins whose pod goes, as it cannot be restarted from inside.
inline constexpr std::string_view kPodGoes =
    "the pod is deleted, because its process 1 does not end when asked to";

// Takes in that the spec may be another one, with these steps and rules: what is due again is found among its
// steps.
void follow(Lanes& lanes, const std::shared_ptr<const StepMarks>& steps, const std::string& rules);

// What of this a container still lacks, as things are now.
std::vector<const WantedContent*> lacked_content(const Lane& lane, const Tree& all);

// Whether some of that is held by now: a Checkpoint has brought it, or batches that are joined anew.
bool may_have_more(const Lane& lane, const Tree& all);

// Takes in that containers stop, and that others take their place: what a signal of ours has ended would be
// ended by the next one, too.
void follow(Lanes& lanes, const TargetSearch& search, Instant now);

// A delivery begins.
void begin(Lane& lane, const Target& target, std::shared_ptr<const Delivery> delivery, Instant now);

// Takes in how the delivery that is under way went, which was made by the spec of that time. Backoff doubles
// from 250 ms up to 30 s.
void settle(Lane& lane, const DeliveryOutcome& outcome, Instant now, Time wall,
            std::chrono::milliseconds took);

// Whether what it has was decided by other rules than these: nothing may be taken for granted then (rule 5.7).
bool is_doubtful(const Lane& lane, const std::string& rules);
// The sequence up to which nothing has to be compared by these rules.
std::int64_t known_up_to(const Lane& lane, const std::string& rules);

// Takes in that a container needs nothing of what it lacks up to `sequence` by these rules: what it refused is
// not needed any more, either.
void confirm(Lane& lane, std::int64_t sequence, const std::string& rules, Time wall);

}  // namespace live_update
