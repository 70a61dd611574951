#include "core/reconcile/reconcile.h"

#include <algorithm>
#include <iterator>

#include "core/base/text.h"
#include "core/reconcile/make_delivery.h"
#include "core/reconcile/reconcile_status.h"
#include "core/rules/mapping.h"
#include "core/rules/plan.h"
#include "core/rules/rules_mark.h"
#include "core/rules/validate.h"

namespace live_update {

using std::chrono::milliseconds;

namespace {

constexpr std::ptrdiff_t kMostErrors = 4;  // that are held of a spec: the first one is told

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

  Decision act() {
    if (!may_act()) return {};
    for (const Target& target : o_.search.targets) serve(target);
    redeploy();
    return std::move(decision_);
  }

 private:
  bool may_act() const {
    return !o_.live_update.spec.suspend && o_.checked.errors.empty() && !o_.live_update.meta.deleted;
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
    const bool doubtful = is_doubtful(lane, o_.checked.mark) ||
                          (lane.applied >= newest_ && may_have_more(lane, o_.history.all()));
    if (lane.under_way || (lane.applied >= newest_ && !doubtful)) return;
    if (known_up_to(lane, o_.checked.mark) < o_.history.lost() || blocked(lane)) return;
    const Lacking lacking = lacking_of(target, lane, doubtful);
    auto& delivery = deliveries_[lacking];
    if (!delivery) delivery = make_delivery(o_, lacking);
    if (empty(*delivery))
      decision_.confirmed.emplace_back(target.container_id, newest_);
    else if (decision_.deliveries.size() < o_.limits.deliveries)
      decision_.deliveries.push_back({target, newest_, delivery});
    else
      decision_.look_again_at(o_.now + milliseconds(1));
  }

  Lacking lacking_of(const Target& target, const Lane& lane, bool doubtful) const {
    Lacking it{.applied = lane.applied, .doubtful = doubtful, .due = lane.failed_steps};
    it.without = pending_.of(target, it.since());
    it.spared = !is_new(target, lane)  ? Spared::Nothing
                : lane.ended_by_signal ? Spared::Signals
                                       : Spared::Restarts;
    it.mirrors = lane.applied == 0 || doubtful || o_.history.snapshot_since(lane.applied);
    const bool known_before = lane.applied > 0 && (doubtful || o_.history.says_again_since(lane.applied));
    it.compare = lane.applied == 0 || known_before || lane.attempts > 0;
    it.looks = (lane.applied == 0 || known_before) && !lane.resumed;
    if (!it.looks) return it;
    it.due.insert(it.due.end(), lane.begun.begin(), lane.begun.end());
    std::ranges::sort(it.due);
    it.due.erase(std::ranges::unique(it.due).begin(), it.due.end());
    return it;
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
  std::map<Lacking, std::shared_ptr<const Delivery>> deliveries_;
};

}  // namespace

PathRules compile_rules(const LiveUpdateSpec& spec) {
  return {spec, std::make_shared<IgnoreRules>(IgnoreRules::from_spec(spec))};
}

CheckedSpec check_spec(const LiveUpdate& live_update, RulesSource rules) {
  const LiveUpdateSpec& spec = live_update.spec;
  const std::string mark = rules_mark(spec);
  if (!rules)
    rules = [own = std::make_shared<PathRules>(compile_rules(spec))]() -> PathRules& { return *own; };
  auto errors = validate(spec);
  if (std::ssize(errors) > kMostErrors) errors = {errors.begin(), errors.begin() + kMostErrors};
  return {live_update.meta.generation,
          std::move(errors),
          std::move(rules),
          std::make_shared<StepMarks>(marks_of(spec.steps)),
          mark,
          mark,
          reach_mark(spec),
          baseline_mark(spec),
          sync_roots(spec),
          {},
          {}};
}

void take_other_roots(CheckedSpec& checked, Judgements& judgements, std::vector<std::string> roots) {
  roots = reaching_into(std::move(roots), checked.roots);
  if (checked.other_roots == roots) return;
  checked.other_roots = std::move(roots);
  checked.mark = rules_mark(checked.spec_mark, checked.other_roots);
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
    const auto judged = [&](const std::vector<Change>& changes) {
      const Plan planned = plan(live_update.spec, checked.rules(), changes, history.all(), PlanMode::Verdict,
                                checked.other_roots);
      return judgement_of(planned, checked.generation);
    };
    if (batch.spec.checkpoint) {  // all have had it, whatever it led to then
      judgements[batch.last] = {.generation = checked.generation, .kind = Judgement::Update};
      continue;
    }
    const bool snapshot = batch.spec.type == ChangeSetType::Snapshot;
    if (!checked.rules().prepare(batch.spec.changes, history.all(), budget) ||
        (snapshot && !checked.rules().prepare(batch.differs, history.all(), budget)))
      return false;
    Judgement& judgement = judgements[batch.last] = judged(batch.changed());
    if (snapshot) judgement.refused = judged(batch.spec.changes).refused;
    // What is named again is compared, though nothing of it has become different.
    if (batch.only_content || (snapshot && judgement.kind == Judgement::Nothing))
      judgement.kind = Judgement::Update;
  }
  return true;
}

bool prepare(const Observed& o, WorkBudget& budget) {
  std::int64_t since = o.history.newest();
  for (const Target& target : o.search.targets) {
    const auto lane = o.lanes.find(target.container_id);
    if (target.running)
      since = std::min(since, lane == o.lanes.end() ? 0 : known_up_to(lane->second, o.checked.mark));
  }
  if (o.history.snapshot_since(since)) since = 0;
  return std::ranges::all_of(o.history.batches(), [&](const Batch& batch) {
    return batch.last <= since || o.checked.rules().prepare(batch.spec.changes, o.history.all(), budget);
  });
}

Decision act(const Observed& observed) { return Judge(observed).act(); }

void tell(const Observed& observed, Decision& decision) {
  describe_state(observed, PendingFallBacks(observed), decision);
}

Decision decide(const Observed& observed) {
  Decision decision = act(observed);
  tell(observed, decision);
  return decision;
}

}  // namespace live_update
