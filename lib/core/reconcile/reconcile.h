// The operator's judgement: from everything that is known of one LiveUpdate to everything that is to be done.
// Pure.
//
// Level, not edge: a restarted operator, a lost event, a new pod and a restarted container are one case.
// `decide` compares what every container has confirmed with what the history says, and returns the difference
// as deliveries. It is called after every event; calling it twice changes nothing. The shell
// (operator/controller.h) gathers `Observed`, carries out `Decision`, and reports each outcome through
// `settle`.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/delivery.h"
#include "core/desired/history.h"
#include "core/desired/targets.h"
#include "core/reconcile/save_times.h"
#include "core/rules/ignore_rules.h"

namespace live_update {

using Instant = std::chrono::steady_clock::time_point;  // of the loop: for backoff and delays only

// What a spec says by itself. Made once for each generation: its patterns are dear to compile.
struct CheckedSpec {
  std::int64_t generation = -1;
  std::vector<FieldError> errors;  // of `validate`
  IgnoreRules ignore;
};
CheckedSpec check_spec(const LiveUpdate& live_update);

// What became of one batch under the rules of semantics.md 3.
struct Judgement {
  std::int64_t generation = 0;  // of the spec it was judged by
  enum Kind { Nothing, Update, FallBack } kind = Nothing;
  FallBackReason reason = FallBackReason::StopPath;
  std::vector<std::string> paths;  // that made it fall back
  std::int64_t unmatched = 0;      // changes that onUnmatched: Ignore dropped
  std::string refused;             // what is left out, as it would go to the kernel's files (rule 1.4)
};
using Judgements = std::map<std::int64_t, Judgement>;  // by the batch's sequence

// Judges the batches that have not been judged by this spec yet; forgets those that are gone from the
// history.
void judge(const LiveUpdate& live_update, const CheckedSpec& checked, const History& history,
           Judgements& judgements);

// What the operator knows of one container, by container ID. Seeded from status after a restart
// (rule 4.9, 5.3).
struct Lane {
  std::int64_t applied =
      0;  // the newest sequence that the container confirmed; 0: it is as its image made it
  std::optional<Time> applied_at;
  std::int64_t last_milliseconds = 0;
  std::vector<int>
      failed_steps;  // runs, and a restart they kept back, that are due again with the next batch (rule 4.7)
  std::string run_message;           // why they failed; after a restart perhaps only that they did
  bool run_wants_fall_back = false;  // one of them has onFailure: FallBack
  std::vector<std::string> warnings;
  std::string transport;     // that the last delivery took
  bool replace_pod = false;  // the container could not be restarted from inside (rule 4.8)
  bool busy = false;         // a delivery is under way

  struct Problem {
    NotDelivered what;
    std::int64_t sequence = 0, generation = 0;  // incurable ones are tried again when either changes
  };
  std::optional<Problem> problem;
  int attempts = 0;  // in a row that failed
  Instant not_before{};
  Instant failed_at{};  // when the last delivery ended with a problem or a failed run
};
using Lanes = std::map<std::string, Lane>;  // by container ID

Lanes lanes_from(const LiveUpdateStatus& status);

// Takes in how a delivery up to `sequence` went. Backoff doubles from 250 ms up to 30 s.
void settle(Lane& lane, const DeliveryOutcome& outcome, const LiveUpdate& live_update, std::int64_t sequence,
            Instant now, Time wall, std::chrono::milliseconds took);

// Takes in that a container needs nothing of what it lacks up to `sequence`: what it refused is not needed
// any more, either.
void confirm(Lane& lane, std::int64_t sequence, Time wall);

// What the runs of a batch have printed so far, by its sequence.
using PrintedMap = std::map<std::int64_t, std::vector<RunOutput>>;

// For a batch that fell back: the uids of all pods there were at some time after it was made. A pod that is
// not among them is newer, which its creation timestamp, of whole seconds, cannot always tell.
using OlderPods = std::map<std::int64_t, std::set<std::string>>;  // by the batch's sequence

struct Observed {
  const LiveUpdate& live_update;
  const CheckedSpec& checked;      // of its spec
  const LiveUpdateStatus& before;  // what was decided last time, or what the API server has after a restart
  const History& history;
  const Judgements& judgements;
  const Lanes& lanes;
  const PrintedMap& printed;
  const BatchTimesMap& times;
  const OlderPods& older_pods;  // of those batches for which it is known
  TargetSearch search;
  std::optional<WorkloadRef> workload;   // what a redeploy restarts
  std::int64_t template_redeployed = 0;  // the sequence that the workload's template was redeployed for
  std::string redeploy_problem;          // why the last redeploy could not be asked for
  Instant now;
  Time wall;
};

struct DeliverTo {
  Target target;
  std::int64_t sequence = 0;
  std::shared_ptr<const Delivery> delivery;  // shared by all containers that need the same
};
// Restart `workload` by its pod template (rule 6.2), or delete the bare pods.
struct RedeployAction {
  std::optional<WorkloadRef> workload;
  std::vector<std::string> bare_pods;
  std::int64_t sequence = 0;
};
struct EventNote {
  bool warning = false;
  std::string reason, message;
  bool operator==(const EventNote&) const = default;
};
struct ChangeSetNote {
  ObjectMeta meta;
  ChangeSetStatus status;
  std::int64_t sequence = 0;  // of the batch; 0: it is not part of the history
};

struct Decision {
  std::vector<DeliverTo> deliveries;
  // Containers that need nothing of what they lack: confirmed without a delivery.
  std::vector<std::pair<std::string, std::int64_t>> confirmed;  // container ID, sequence
  std::optional<RedeployAction> redeploy;
  std::vector<Target> expected;       // running containers that later deliveries will go to
  std::vector<Target> replaced_pods;  // to delete: their container cannot be restarted otherwise
  LiveUpdateStatus status;
  std::vector<ChangeSetNote> change_sets;  // whose status is to be written
  std::vector<ObjectMeta> superseded;      // ChangeSets to delete
  std::vector<EventNote> events;           // for what has become different
  std::optional<Instant> look_again;       // when time alone makes a difference

  void look_again_at(Instant when) { look_again = std::min(look_again.value_or(when), when); }
};

Decision decide(const Observed& observed);

}  // namespace live_update
