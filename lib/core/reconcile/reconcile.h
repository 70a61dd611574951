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
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/checkpoint.h"
#include "core/desired/delivery.h"
#include "core/desired/history.h"
#include "core/desired/targets.h"
#include "core/reconcile/lane.h"
#include "core/reconcile/pod_deletions.h"
#include "core/reconcile/rate_limit.h"
#include "core/reconcile/save_times.h"
#include "core/rules/path_rules.h"
#include "core/rules/step_marks.h"

namespace live_update {

class Forgetting;

// The compiled patterns of a spec; what is given holds until the end of the look.
using RulesSource = std::function<PathRules&()>;
PathRules compile_rules(const LiveUpdateSpec& spec);

// What a spec says by itself. Made once for each generation.
struct CheckedSpec {
  std::int64_t generation = -1;
  std::vector<FieldError> errors;  // of `validate`, the first few
  RulesSource rules;               // asked only where there is something to match
  std::shared_ptr<const StepMarks> steps;
  // Of what decides what is where, and of parts of that (core/rules/rules_mark.h).
  std::string mark, spec_mark, reach, baseline;  // spec_mark: without the roots of others
  std::vector<std::string> roots;                // where its syncs lead
  std::vector<std::string>
      other_roots;  // of where others' lead in its containers, what counts here (rule 4.3)
  std::vector<std::string>
      foreign_roots;  // all of them: what is there is theirs, too, and not to be mirrored (rule 4.5)
};
// With rules that it holds itself, unless they come from elsewhere, as an operator of many LiveUpdates has it.
CheckedSpec check_spec(const LiveUpdate& live_update, RulesSource rules = {});

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

// Where syncs of others lead now. Batches that were judged when they led elsewhere are to be judged again.
void take_other_roots(CheckedSpec& checked, Judgements& judgements, std::vector<std::string> roots);

// Judges the batches that have not been judged by this spec yet, as far as the budget goes; forgets those that
// are gone from the history. False: some are left for the next time.
bool judge(const LiveUpdate& live_update, const CheckedSpec& checked, const History& history,
           Judgements& judgements, WorkBudget& budget);

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
  const PodDeletions& deletions;
  const RateLimit& redeploys;
  TargetSearch search;
  std::optional<WorkloadRef> workload;   // what a redeploy restarts
  std::int64_t template_redeployed = 0;  // the sequence that the workload's template was redeployed for
  std::string redeploy_problem;          // why the last redeploy could not be asked for
  Instant now;
  Time wall;
  Limits limits = {};
  bool merging = false;  // a Checkpoint is being posted, or has been, and is not seen yet
  const Forgetting* forgetting = nullptr;
};

struct DeliverTo {
  Target target;
  std::int64_t sequence = 0;
  std::shared_ptr<const Delivery> delivery;  // shared by all containers that need the same
};
// A pod that is to be deleted for the save of this sequence.
struct PodToDelete {
  std::string name, uid;
  std::int64_t sequence = 0;
  bool operator==(const PodToDelete&) const = default;
};
// Restart `workload` by its pod template (rule 6.2), or delete the bare pods.
struct RedeployAction {
  std::optional<WorkloadRef> workload;
  std::vector<PodToDelete> bare_pods;
  std::int64_t sequence = 0;
};
struct EventNote {
  bool warning = false;
  std::string reason, message;
  // What it is about, where that makes it one Event however often it is told: a ChangeSet. Empty: it is
  // another one each time.
  std::string about = {};
  bool operator==(const EventNote&) const = default;
};
struct ChangeSetNote {
  ObjectMeta meta;
  ChangeSetStatus status;
  std::int64_t sequence = 0;            // of the batch; 0: it is not part of the history
  std::optional<EventNote> event = {};  // to be told with it
};

struct Decision {
  std::vector<DeliverTo> deliveries;
  // Containers that need nothing of what they lack: confirmed without a delivery.
  std::vector<std::pair<std::string, std::int64_t>> confirmed;  // container ID, sequence
  std::optional<RedeployAction> redeploy;
  std::vector<std::string> in_sync;  // container IDs that count as synced for the first time
  // A redeploy is due, but not now: there were enough of them a moment ago, or a pod cannot be deleted.
  struct Held {
    std::string phase, message;  // as in status.fallBack
  };
  std::optional<Held> redeploy_held;
  std::vector<Target> expected;            // running containers that later deliveries will go to
  std::vector<PodToDelete> replaced_pods;  // their container cannot be restarted otherwise
  LiveUpdateStatus status;
  std::vector<ChangeSetNote> change_sets;  // whose status is to be written
  std::vector<ObjectMeta> superseded;      // ChangeSets to delete
  std::optional<std::int64_t> merge;       // all up to this sequence into a Checkpoint (rule 7.5)
  std::vector<ObjectMeta> refused;    // those to delete that were told so: who posted them may still read it
  std::vector<EventNote> events;      // for what has become different
  std::optional<Instant> look_again;  // when time alone makes a difference

  void look_again_at(Instant when) { look_again = std::min(look_again.value_or(when), when); }
};

// Looks up in `observed.checked.rules` what `decide` will ask for, as far as the budget goes. False: some is
// left for the next time, and `act` would take long.
bool prepare(const Observed& observed, WorkBudget& budget);

// What is to be done, and then what people are told of it: who has time for that when bytes have left. `observed` may
// say by then that the deliveries are under way.
Decision act(const Observed& observed);
void tell(const Observed& observed, Decision& decision);
// Both.
Decision decide(const Observed& observed);

}  // namespace live_update
