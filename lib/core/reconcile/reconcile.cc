#include "core/reconcile/reconcile.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/reconcile/reconcile_status.h"
#include "core/rules/mapping.h"
#include "core/rules/pattern.h"
#include "core/rules/plan.h"
#include "core/rules/validate.h"

namespace live_update {

using std::chrono::milliseconds;

namespace {

std::string say_refused(const std::vector<FieldError>& refused) {
  if (refused.empty()) return {};
  const std::string text = "not all of it is sent: " + refused.front().field + " " + refused.front().message;
  return refused.size() == 1 ? text : text + " (and " + std::to_string(refused.size() - 1) + " more)";
}

Judgement judgement_of(const Plan& planned, std::int64_t generation) {
  Judgement result;
  result.refused = say_refused(planned.refused);
  result.generation = generation;
  result.unmatched = static_cast<std::int64_t>(planned.unmatched.size());
  if (const auto* fall_back = std::get_if<FallBack>(&planned.decision)) {
    result.kind = Judgement::FallBack;
    result.reason = fall_back->reason;
    if (fall_back->reason == FallBackReason::StopPath)
      for (const PathMatch& match : planned.stopped) result.paths.push_back(visible(match.path));
    else
      std::ranges::transform(planned.unmatched, std::back_inserter(result.paths), visible);
  } else if (std::holds_alternative<Update>(planned.decision)) {
    result.kind = Judgement::Update;
  }
  return result;
}

// The step of this number, if there is one of this kind: numbers come from a status, too.
template <typename Kind>
const Kind* step_as(const LiveUpdateSpec& spec, int step) {
  if (step < 0 || static_cast<std::size_t>(step) >= spec.steps.size()) return nullptr;
  return std::get_if<Kind>(&spec.steps[static_cast<std::size_t>(step)]);
}

DeliveryRun to_delivery_run(int step, const Run& run) {
  return {step, run.argv(), run.working_dir, run.timeout_seconds, run.on_failure};
}

std::vector<DeliveryRun> to_delivery_runs(const LiveUpdateSpec& spec,
                                          const std::vector<PlannedRun>& planned) {
  std::vector<DeliveryRun> runs;
  for (const PlannedRun& it : planned) runs.push_back(to_delivery_run(it.step, *step_as<Run>(spec, it.step)));
  return runs;
}

// Runs that failed before are due with the next batch, in their place among those of the batch (rule 4.7).
void add_failed(std::vector<DeliveryRun>& runs, const LiveUpdateSpec& spec, const std::vector<int>& failed,
                RunPhase phase) {
  for (int step : failed) {
    const Run* run = step_as<Run>(spec, step);
    if (!run || run->phase != phase ||
        std::ranges::any_of(runs, [&](const auto& it) { return it.step == step; }))
      continue;
    runs.push_back(to_delivery_run(step, *run));
  }
  std::ranges::stable_sort(runs, {}, &DeliveryRun::step);
}

// A restart that a failed run kept back is due with the next batch, like that run (rule 4.7).
std::optional<int> skipped_restart(const LiveUpdateSpec& spec, const std::vector<int>& failed) {
  const auto step =
      std::ranges::find_if(failed, [&](int it) { return step_as<Restart>(spec, it) != nullptr; });
  return step == failed.end() ? std::nullopt : std::optional(*step);
}

DeliveryWrite to_write(const Copy& copy, const Entry& entry, const Tree& all) {
  DeliveryWrite write{copy.to,    copy.root,    entry.type,   entry.mode,  entry.mtime,
                      entry.size, entry.digest, entry.target, entry.pieces};
  // A change of mode alone has no bytes of its own; the ones we hold serve a container that has the file only
  // from its image.
  if (const Entry* known = all.find(copy.from);
      !entry.has_content() && known && known->digest == entry.digest)
    write.pieces = known->pieces;
  return write;
}

std::shared_ptr<Delivery> to_delivery(const LiveUpdateSpec& spec, const Update& update, const Tree& changes,
                                      const Tree& all, const std::vector<int>& failed,
                                      std::int64_t sequence) {
  auto delivery = std::make_shared<Delivery>();
  delivery->sequence = sequence;
  delivery->before_sync = to_delivery_runs(spec, update.before_sync);
  delivery->after_sync = to_delivery_runs(spec, update.after_sync);
  add_failed(delivery->before_sync, spec, failed, RunPhase::BeforeSync);
  add_failed(delivery->after_sync, spec, failed, RunPhase::AfterSync);
  if (spec.source.deletes != DeletePolicy::Never) delivery->deletes = update.deletes;
  // Rule 1.4: the watcher refuses to send what would go there; what somebody posted by hand does not get
  // there either.
  std::erase_if(delivery->deletes, [](const RemoteDelete& it) { return is_kernel_path(it.to); });
  for (const Copy& copy : update.copies) {
    if (is_kernel_path(copy.to)) continue;
    const Entry* entry = changes.find(copy.from);
    if (!entry) entry = all.find(copy.from);
    if (entry) delivery->writes.push_back(to_write(copy, *entry, all));
  }
  const std::optional<int> restart = update.restart ? update.restart : skipped_restart(spec, failed);
  delivery->transport = spec.transport;
  delivery->mirror = spec.source.deletes == DeletePolicy::Mirror;
  if (restart) {
    delivery->restart = *step_as<Restart>(spec, *restart);
    delivery->restart_step = *restart;
  }
  return delivery;
}

bool empty(const Delivery& delivery) {
  return delivery.before_sync.empty() && delivery.deletes.empty() && delivery.writes.empty() &&
         delivery.after_sync.empty() && !delivery.restart;
}

std::string say_delayed(const RateLimit& redeploys) {
  return "it was redeployed " + std::to_string(redeploys.burst()) +
         " times a moment ago: from then on once in " +
         std::to_string(redeploys.period() / std::chrono::seconds(1)) + " s, for the newest fall-back";
}

// One look at one LiveUpdate.
class Judge {
 public:
  explicit Judge(const Observed& observed)
      : o_(observed), newest_(observed.history.newest()), pending_(observed) {}

  Decision decide() {
    if (!may_act()) return finish();
    for (const Target& target : o_.search.targets) serve(target);
    redeploy();
    return finish();
  }

 private:
  bool may_act() const {
    return !o_.live_update.spec.suspend && o_.checked.errors.empty() && !o_.live_update.meta.deleted;
  }

  Decision finish() {
    describe_state(o_, pending_, decision_);
    return std::move(decision_);
  }

  const Lane& lane_of(const Target& target) const {
    static const Lane fresh;
    auto it = o_.lanes.find(target.container_id);
    return it == o_.lanes.end() ? fresh : it->second;
  }

  bool blocked(const Lane& lane) {
    if (!lane.problem) return false;
    if (!lane.problem->what.curable)
      return lane.problem->sequence == newest_ && lane.problem->generation == o_.live_update.meta.generation;
    if (lane.not_before <= o_.now) return false;
    decision_.look_again_at(lane.not_before);
    return true;
  }

  void serve(const Target& target) {
    if (!target.running) return;
    const Lane& lane = lane_of(target);
    if (lane.replace_pod && target.has_controller) replace(target, lane);
    if (o_.live_update.spec.transport != Transport::Tar) decision_.expected.push_back(target);
    if (lane.under_way || lane.applied >= newest_ || lane.applied < o_.history.lost() || blocked(lane))
      return;
    const Spared spared = !is_new(target, lane)  ? Spared::Nothing
                          : lane.ended_by_signal ? Spared::Signals
                                                 : Spared::Restarts;
    const bool compare = lane.applied == 0 || lane.attempts > 0 || o_.history.snapshot_since(lane.applied);
    const auto delivery =
        delivery_for(lane.applied, pending_.of(target, lane.applied), lane.failed_steps, spared, compare);
    if (empty(*delivery))
      decision_.confirmed.emplace_back(target.container_id, newest_);
    else
      decision_.deliveries.push_back({target, newest_, delivery});
  }

  // What a new container is not restarted by (rule 4.8). A signal that makes it load its files is no restart;
  // one that ends it is.
  enum class Spared { Nothing, Restarts, Signals };
  static bool spares(Spared spared, const Restart& restart) {
    if (std::holds_alternative<RestartContainer>(restart.how)) return spared != Spared::Nothing;
    return std::holds_alternative<RestartSignal>(restart.how) && spared == Spared::Signals;
  }

  // Rule 4.8: not what was there before the LiveUpdate was, nor what has counted as synced. Whether its pod was
  // made in the place of another, and whether the kubelet has restarted it, is of no matter.
  bool is_new(const Target& target, const Lane& lane) const {
    if (lane.was_synced) return false;
    const auto& since = o_.live_update.meta.created;
    return !(since && target.started && *target.started < *since);
  }

  void replace(const Target& target, const Lane& lane) {
    const auto verdict = o_.deletions.verdict(target.pod_uid, lane.applied, o_.now);
    if (verdict.kind == PodDeletions::Verdict::Delete)
      decision_.replaced_pods.push_back({target.pod, target.pod_uid, lane.applied});
    if (verdict.kind == PodDeletions::Verdict::Wait) decision_.look_again_at(verdict.when);
  }

  // Replicas that lack the same get the same object: bytes are held, planned and (by the transport) packed
  // once.
  std::shared_ptr<const Delivery> delivery_for(std::int64_t applied, const std::set<std::int64_t>& without,
                                               const std::vector<int>& failed, Spared spared, bool compare) {
    auto& delivery = deliveries_[{applied, without, failed, spared, compare}];
    if (delivery) return delivery;
    const LiveUpdateSpec& spec = o_.live_update.spec;
    const Tree changes = o_.history.since(applied, without);
    const Plan planned = plan(spec, *o_.checked.rules, changes.changes(), o_.history.all(), PlanMode::CatchUp,
                              o_.checked.other_roots);
    const Update* update = std::get_if<Update>(&planned.decision);
    if (!update) return delivery = std::make_shared<Delivery>();
    auto made = to_delivery(spec, *update, changes, o_.history.all(), failed, newest_);
    if (made->restart && spares(spared, *made->restart)) made->restart.reset();
    made->compare = compare;
    made->generation = o_.checked.generation;
    made->steps = o_.checked.steps;
    return delivery = made;
  }

  // Rule 6.2. Once for each fall-back: the template tells whether it was asked for already.
  void redeploy() {
    if (o_.live_update.spec.fall_back.redeploy != Redeploy::Restart) return;
    RedeployAction action;
    bool controlled = false;
    for (const Target& target : o_.search.targets) {
      const std::int64_t pending = pending_.newest(target);
      const std::int64_t newest = pending == 0 ? run_fall_back(target) : pending;
      if (newest == 0) continue;
      action.sequence = std::max(action.sequence, newest);
      controlled |= target.has_controller;
    }
    if (action.sequence == 0 || (controlled && o_.template_redeployed >= action.sequence)) return;
    if (controlled)
      action.workload = o_.workload;
    else
      action.bare_pods = bare_pods(action.sequence);
    if (!controlled && action.bare_pods.empty()) return;
    if (!o_.redeploys.allows(o_.now)) {
      decision_.redeploy_held = {"Delayed", say_delayed(o_.redeploys)};
      return decision_.look_again_at(o_.redeploys.next());
    }
    decision_.redeploy = std::move(action);
  }

  std::vector<PodToDelete> bare_pods(std::int64_t sequence) {
    std::vector<PodToDelete> pods;
    for (const Target& target : o_.search.targets) {
      if (pending_.newest(target) == 0 && run_fall_back(target) == 0) continue;
      const auto verdict = o_.deletions.verdict(target.pod_uid, sequence, o_.now);
      if (verdict.kind == PodDeletions::Verdict::Wait) decision_.look_again_at(verdict.when);
      if (!verdict.why.empty())
        decision_.redeploy_held = {verdict.refused ? "Failed" : "Delayed",
                                   "pod " + target.pod + " is not deleted now: " + verdict.why};
      PodToDelete pod{target.pod, target.pod_uid, sequence};
      if (verdict.kind == PodDeletions::Verdict::Delete && (pods.empty() || pods.back() != pod))
        pods.push_back(std::move(pod));
    }
    return pods;
  }

  // The sequence after which a run with onFailure: FallBack failed here; 0: none did.
  std::int64_t run_fall_back(const Target& target) const {
    const Lane& lane = lane_of(target);
    return lane.run_wants_fall_back && target.redeployed < lane.applied ? lane.applied : 0;
  }

  const Observed& o_;
  const std::int64_t newest_;
  const PendingFallBacks pending_;
  Decision decision_;
  std::map<std::tuple<std::int64_t, std::set<std::int64_t>, std::vector<int>, Spared, bool>,
           std::shared_ptr<const Delivery>>
      deliveries_;
};

}  // namespace

CheckedSpec check_spec(const LiveUpdate& live_update) {
  const LiveUpdateSpec& spec = live_update.spec;
  return {live_update.meta.generation,
          validate(spec),
          std::make_shared<PathRules>(spec, std::make_shared<IgnoreRules>(IgnoreRules::from_spec(spec))),
          std::make_shared<StepMarks>(marks_of(spec.steps)),
          sync_roots(spec),
          {}};
}

void take_other_roots(CheckedSpec& checked, Judgements& judgements, std::vector<std::string> roots) {
  if (checked.other_roots == roots) return;
  checked.other_roots = std::move(roots);
  judgements.clear();
}

bool judge(const LiveUpdate& live_update, const CheckedSpec& checked, const History& history,
           Judgements& judgements, WorkBudget& budget) {
  const auto& batches = history.batches();
  std::erase_if(judgements, [&](const auto& it) {
    return !std::ranges::binary_search(batches, it.first, {}, &Batch::last);
  });
  if (!checked.errors.empty()) return true;  // nothing is done by such rules
  for (const Batch& batch : batches) {
    const auto known = judgements.find(batch.last);
    if (known != judgements.end() && known->second.generation == checked.generation) continue;
    if (!checked.rules->prepare(batch.spec.changes, history.all(), budget)) return false;
    const Plan planned = plan(live_update.spec, *checked.rules, batch.spec.changes, history.all(),
                              PlanMode::Batch, checked.other_roots);
    Judgement& judgement = judgements[batch.last];
    judgement = judgement_of(planned, checked.generation);
    if (batch.spec.type == ChangeSetType::Snapshot) judgement.kind = Judgement::Update;
  }
  return true;
}

bool prepare(const Observed& o, WorkBudget& budget) {
  std::int64_t since = o.history.newest();
  for (const Target& target : o.search.targets) {
    const auto lane = o.lanes.find(target.container_id);
    if (target.running) since = std::min(since, lane == o.lanes.end() ? 0 : lane->second.applied);
  }
  if (o.history.snapshot_since(since)) since = 0;
  return std::ranges::all_of(o.history.batches(), [&](const Batch& batch) {
    return batch.last <= since || o.checked.rules->prepare(batch.spec.changes, o.history.all(), budget);
  });
}

Decision decide(const Observed& observed) { return Judge(observed).decide(); }

}  // namespace live_update
