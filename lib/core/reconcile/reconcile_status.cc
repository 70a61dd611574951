#include "core/reconcile/reconcile_status.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/api/conditions.h"
#include "core/base/text.h"
#include "core/desired/mirror.h"
#include "core/reconcile/baseline.h"
#include "core/reconcile/change_set_status.h"
#include "core/reconcile/container_status.h"
#include "core/reconcile/forgetting.h"
#include "core/rules/plan.h"

namespace live_update {

namespace {

constexpr std::chrono::seconds kGapPatience{3};
// So long ago nobody posts the next part of a Checkpoint any more.
constexpr std::chrono::seconds kPosting{60};
constexpr std::size_t kMaxPaths = 5;

std::string number(std::int64_t value) { return std::to_string(value); }

std::string join(const std::vector<std::string>& words, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) text += (i ? ", " : "") + words[i];
  return words.size() > most ? text + " and " + std::to_string(words.size() - most) + " more" : text;
}

// A pod made after the fall-back contains it: it was redeployed for it, or is simply newer (rules 6.2, 6.3).
bool made_after(const Target& target, const Batch& batch, const OlderPods& older_pods) {
  if (target.redeployed >= batch.last) return true;
  const auto& pod = target.pod_created;
  const auto& fell_back = batch.meta().created;
  if (!pod || !fell_back) return false;
  if (*pod != *fell_back) return *pod > *fell_back;
  const auto older = older_pods.find(batch.last);
  return older != older_pods.end() && !older->second.contains(target.pod_uid);
}

class Describer {
 public:
  Describer(const Observed& observed, const PendingFallBacks& pending, Decision& decision)
      : o_(observed),
        pending_(pending),
        d_(decision),
        spec_(observed.live_update.spec),
        newest_(observed.history.newest()) {}

  void describe() {
    LiveUpdateStatus& status = d_.status;
    status.uid = o_.live_update.meta.uid;
    status.observed_generation = o_.live_update.meta.generation;
    status.sequence = newest_;
    status.history = o_.history.needed();
    const Baseline baseline = baseline_of(o_);
    status.baseline = baseline.compared ? kCompared : kAssumed;
    status.baseline_rules = baseline.rules;
    if (o_.forgetting) status.forgetting = o_.forgetting->status();
    status.target = live_update::describe(spec_.target);
    describe_containers(o_, pending_, d_);
    fall_back();
    unmatched();
    session();
    conditions();
    describe_change_sets(o_, d_.status.fall_back ? fall_back_message() : "", d_);
    last_applied();
    if (o_.history.gap() && !gap_is_old()) d_.look_again_at(o_.now + std::chrono::seconds(1));
    if (const auto when = o_.history.gives_up_at())
      d_.look_again_at(o_.now + std::max(*when - o_.wall, Time::duration(std::chrono::seconds(1))));
    superseded();
    refused();
    events();
    trim();
  }

 private:
  // The newest fall-back that some target still waits for.
  void fall_back() {
    std::int64_t sequence = 0;
    for (const Target& target : o_.search.targets) sequence = std::max(sequence, pending_.newest(target));
    const auto& batches = o_.history.batches();
    const auto newest = std::ranges::find(batches, sequence, &Batch::last);
    FallBackStatus status;
    std::vector<std::string> paths;
    if (newest != batches.end()) {
      const Judgement& judgement = o_.judgements.at(newest->last);
      status.reason = to_string(judgement.reason);
      paths = judgement.paths;
      status.change_set = newest->meta().name;
    } else if (d_.redeploy || d_.redeploy_held) {
      status.reason = "RunFailed";
    } else {
      return;
    }
    status.other_paths = paths.size() > kMaxPaths ? static_cast<std::int64_t>(paths.size() - kMaxPaths) : 0;
    if (newest != batches.end()) fall_back_text_ = say_fall_back(o_.judgements.at(newest->last));
    paths.resize(std::min(paths.size(), kMaxPaths));
    status.paths = std::move(paths);
    std::tie(status.phase, status.message) = phase();
    d_.status.fall_back = std::move(status);
  }

  std::pair<std::string, std::string> phase() const {
    if (!o_.redeploy_problem.empty()) return {"Failed", o_.redeploy_problem};
    if (spec_.suspend) return {"Suspended", "spec.suspend is true: nothing is redeployed until it is false"};
    if (spec_.fall_back.redeploy == Redeploy::None)
      return {"WaitingForDeploy",
              "spec.fallBack.redeploy is None: redeploy " + d_.status.target + " yourself"};
    if (d_.redeploy_held) return {d_.redeploy_held->phase, d_.redeploy_held->message};
    return {"Redeploying", o_.workload ? o_.workload->kind + "/" + o_.workload->name + " is restarted"
                                       : "the pods are deleted"};
  }

  void unmatched() {
    for (const auto& [sequence, judgement] : o_.judgements)
      if (judgement.kind != Judgement::FallBack) d_.status.unmatched += judgement.unmatched;
  }

  void session() {
    if (o_.history.batches().empty()) return;
    const Batch& batch = o_.history.batches().back();
    const std::string user = visible(batch.spec.user);
    SessionStatus session{user.empty() ? visible(batch.spec.session) : user, user, ""};
    for (const Batch& it : o_.history.batches())
      if (it.spec.session == batch.spec.session && !session.since) session.since = it.meta().created;
    if (const auto& old = o_.before.session;
        old && old->holder == session.holder && old->since && session.since)
      session.since = std::min(*old->since, *session.since);
    d_.status.session = std::move(session);
  }

  std::string message_of_first(std::string_view state) const {
    return first_message(d_.status.containers, state);
  }
  std::int64_t count(std::string_view state) const {
    return std::ranges::count(d_.status.containers, state, &ContainerStatus::state);
  }

  // The one word for `kubectl get`, with the reason and message of the conditions that follow from it.
  struct Summary {
    std::string state, reason, message;
    bool stalled = false, working = false;
  };
  Summary summarize() const {
    if (const auto& errors = o_.checked.errors; !errors.empty())
      return {"Invalid", "InvalidSpec", errors.front().field + ": " + errors.front().message, true};
    if (spec_.suspend)
      return {"Suspended", "Suspended", "spec.suspend is true: changes are recorded and applied on resume"};
    if (!o_.search.reason.empty())
      return {o_.search.reason, o_.search.reason, o_.search.message, o_.search.reason != "NoTarget"};
    if (d_.status.fall_back) {
      const bool stuck = d_.status.fall_back->phase == "Failed";
      return {"FallBack", d_.status.fall_back->reason, fall_back_message(), stuck, !stuck};
    }
    if (gap_is_old())
      return {"Waiting", "SequenceGap",
              "sequence " + number(*o_.history.gap()) + " is missing: the watcher is asked for everything",
              true};
    if (count("Failed")) return {"Failed", failed_reason(), message_of_first("Failed"), true};
    if (count("RunFailed")) return {"RunFailed", "RunFailed", message_of_first("RunFailed"), true};
    if (count("Retrying")) return {"Retrying", "Retrying", message_of_first("Retrying"), false, true};
    if (count("Applying"))
      return {"Applying", "Applying", "sequence " + number(newest_) + " is being applied", false, true};
    if (const std::string lacking = say_wanted(o_); !lacking.empty())
      return {"Waiting", "ContentNeeded", lacking, false, true};
    if (snapshot_missing(o_))
      return {"Waiting", "SnapshotNeeded", "waits for the watcher's first full sync", false, true};
    if (must_compare(o_.checked, d_.status))
      return {"Waiting", "SnapshotNeeded", std::string(kMustCompare), false, true};
    if (const std::string held = held_deletes(); !held.empty())
      return {"Waiting", std::string(reason::kTooManyDeletes), held, true};
    if (d_.status.synced_targets < d_.status.targets)
      return {"Waiting", "Waiting", message_of_first("Waiting"), false, true};
    return {"Synced", "Synced",
            d_.status.synced + " containers have sequence " + number(newest_) + mirror_note()};
  }

  // Rule 4.5: of the first container in which nothing was deleted, as it was too much.
  std::string held_deletes() const {
    for (const Target& target : o_.search.targets)
      if (auto it = o_.lanes.find(target.container_id); it != o_.lanes.end() && !it->second.held.empty())
        return "pod " + target.pod + ", container " + target.container + ": " + it->second.held;
    return {};
  }

  std::string mirror_note() const {
    if (spec_.source.deletes != DeletePolicy::Mirror) return {};
    const std::string why = mirror_obstacle(o_.history, o_.checked.reach);
    return why.empty() ? "" : "; " + why;
  }

  std::string failed_reason() const {
    for (const Target& target : o_.search.targets)
      if (auto it = o_.lanes.find(target.container_id);
          it != o_.lanes.end() && it->second.problem && !it->second.problem->what.curable)
        return it->second.problem->what.reason;
    return "Failed";
  }

  std::string fall_back_message() const {
    const FallBackStatus& it = *d_.status.fall_back;
    if (it.reason == "RunFailed") return "a run with onFailure: FallBack failed; " + it.message;
    return fall_back_text_ + "; " + it.message;
  }

  void set(std::string type, bool status, std::string reason, std::string message) {
    Condition condition{std::move(type), status, std::move(reason), std::move(message),
                        o_.live_update.meta.generation};
    set_condition(d_.status.conditions, std::move(condition), o_.wall);
  }

  void conditions() {
    d_.status.conditions = o_.before.conditions;
    const Summary it = summarize();
    d_.status.state = it.state;
    const bool synced = it.state == "Synced";
    set("Synced", synced, it.reason, it.message);
    set("Ready", synced, it.reason, it.message);
    set("Reconciling", it.working, it.working ? it.reason : "Idle", it.working ? it.message : "");
    set("Stalled", it.stalled, it.stalled ? it.reason : "AsExpected", it.stalled ? it.message : "");
    const auto& fall_back = d_.status.fall_back;
    set("FallBack", fall_back.has_value(), fall_back ? fall_back->reason : "None",
        fall_back ? fall_back_message() : "");
    const auto [needed, why, message] = snapshot_needed();
    set("SnapshotNeeded", needed, why, message);
  }

  bool gap_is_old() const {
    return o_.history.gap() && (!o_.history.gap_since() || o_.wall - *o_.history.gap_since() > kGapPatience);
  }

  // What only the watcher can give now: everything there is.
  std::tuple<bool, std::string, std::string> snapshot_needed() const {
    if (gap_is_old()) return {true, "SequenceGap", "sequence " + number(*o_.history.gap()) + " is missing"};
    if (o_.history.lost() > 0)
      return {true, "HistoryLost",
              "ChangeSets up to sequence " + number(o_.history.lost()) +
                  " were deleted while they were still needed"};
    if (must_compare(o_.checked, d_.status)) return {true, "RulesChanged", std::string(kMustCompare)};
    if (snapshot_missing(o_))
      return {true, "InitialSync", "spec.steps has initialSync, and no Snapshot was posted yet"};
    return {false, "HistoryComplete", ""};
  }

  void last_applied() {
    auto& last = d_.status.last_applied;
    last = o_.before.last_applied;
    for (const ChangeSetNote& it : d_.change_sets)
      if (it.status.phase == "Applied" && (!last || it.sequence >= last->sequence))
        last = LastApplied{it.sequence, it.status.milliseconds};
  }

  void superseded() {
    std::int64_t confirmed = newest_;
    if (o_.search.targets.empty()) return;
    for (const Target& target : o_.search.targets) {
      auto lane = o_.lanes.find(target.container_id);
      confirmed = std::min(confirmed, lane == o_.lanes.end() ? 0 : lane->second.applied);
      if (const std::int64_t pending = pending_.oldest(target)) confirmed = std::min(confirmed, pending - 1);
    }
    d_.superseded = o_.history.superseded(confirmed);
    if (!o_.merging) {
      d_.merge = checkpoint_due(o_.history, confirmed, o_.limits.checkpoints);
      half_checkpoint();
    }
    if (d_.superseded.empty()) return;
    // Only what the API server's status does not call needed any more: else the next operator took it for lost.
    std::set<std::string_view> kept;
    const auto ranges = ranges_from(o_.live_update.status.history);
    for (const Batch& batch : o_.history.batches())
      if (const auto it = std::ranges::lower_bound(ranges, batch.first, {}, &SequenceRange::last);
          it != ranges.end() && it->first <= batch.last)
        for (const ObjectMeta& part : batch.parts) kept.insert(part.name);
    std::erase_if(d_.superseded, [&](const ObjectMeta& it) { return kept.contains(it.name); });
  }

  // Not while another operator may be posting it: it would become complete without what was deleted of it.
  void half_checkpoint() {
    const auto& parts = o_.history.half_checkpoint();
    const auto newest = std::ranges::max_element(parts, {}, &ObjectMeta::created);
    if (newest == parts.end()) return;
    const auto until = newest->created.value_or(Time::min()) + kPosting;
    if (until > o_.wall) return d_.look_again_at(o_.now + (until - o_.wall));
    std::ranges::copy(parts, std::back_inserter(d_.superseded));
  }

  // Those that have been told so. Whoever posted one reads that in its status.
  void refused() {
    for (const Refused& it : o_.history.refused())
      if (it.status.phase == it.phase) d_.refused.push_back(it.meta);
  }

  // An Event for what a person would want to hear of when it begins (rule 6.6, design 7). A batch that falls
  // back has one of its own, beside its status.
  void events() {
    const LiveUpdateStatus& old = o_.before;
    if (const auto& now = d_.status.fall_back;
        now && now->change_set.empty() && (!old.fall_back || old.fall_back->reason != now->reason))
      d_.events.push_back({false, "FallBack", now->reason + ": " + fall_back_message()});
    if (d_.redeploy)
      d_.events.push_back({false, "Redeploying",
                           "redeploys " + d_.status.target + " for sequence " +
                               number(d_.redeploy->sequence) + author_of(d_.redeploy->sequence),
                           "sequence " + number(d_.redeploy->sequence)});
    for (const PodToDelete& it : d_.replaced_pods)
      d_.events.push_back({true, "PodDeleted",
                           "deletes pod " + it.name + " for sequence " + number(it.sequence) +
                               author_of(it.sequence) + ": its process 1 does not end when asked to",
                           it.uid});
    if (old.state != d_.status.state &&
        (d_.status.state == "Failed" || d_.status.state == "RunFailed" || d_.status.state == "Invalid" ||
         d_.status.state == "ContainerNotChosen" || d_.status.state == "NoSuchContainer"))
      d_.events.push_back({true, summarize().reason, summarize().message});
  }

  // ", ChangeSet web-7f3a-000042 of ada": who asked for what is done for this sequence.
  std::string author_of(std::int64_t sequence) const {
    const auto& batches = o_.history.batches();
    const auto batch = std::ranges::find(batches, sequence, &Batch::last);
    return batch == batches.end() ? "" : ", ChangeSet " + say_author(*batch);
  }

  void trim() {
    auto& all = d_.status.containers;
    std::ranges::stable_sort(all, {}, [](const ContainerStatus& it) { return it.state == "Synced"; });
    const Limits& limits = o_.limits;
    if (all.size() <= limits.containers) return;
    std::map<std::tuple<std::int64_t, std::string, std::string, std::string, bool, std::vector<int>>,
             std::size_t>
        groups;
    for (auto it = all.begin() + static_cast<std::ptrdiff_t>(limits.containers); it != all.end(); ++it) {
      if (it->container_id.empty()) continue;
      const auto [group, first] = groups.try_emplace(
          {it->applied_sequence, it->state, it->transport, it->rules, it->older_rules, it->failed_steps},
          groups.size());
      if (group->second >= limits.others) continue;  // as if it were new, should the operator end now
      if (first)
        d_.status.others.push_back({it->applied_sequence,
                                    it->state,
                                    it->transport,
                                    it->rules,
                                    it->older_rules,
                                    it->failed_steps,
                                    {}});
      auto& ids = d_.status.others[group->second].ids;
      if (ids.size() < limits.other_ids) ids.push_back(id_digest(it->container_id));
    }
    all.resize(limits.containers);
  }

  const Observed& o_;
  const PendingFallBacks& pending_;
  Decision& d_;
  const LiveUpdateSpec& spec_;
  const std::int64_t newest_;
  std::string fall_back_text_;
};

}  // namespace

std::string_view to_string(FallBackReason reason) {
  switch (reason) {
    case FallBackReason::StopPath:
      return "StopPath";
    case FallBackReason::Unmatched:
      return "Unmatched";
    case FallBackReason::RunFailed:
      return "RunFailed";
  }
  return "StopPath";
}

std::string say_fall_back(const Judgement& judgement) {
  const bool stopped = judgement.reason == FallBackReason::StopPath;
  return (stopped ? "fallBackOn matches " : "no sync covers ") + join(judgement.paths, kMaxPaths);
}

bool is_final(const ChangeSetStatus& status) {
  return status.phase == "Applied" || status.phase == "Nothing" || status.phase == "Superseded";
}

PendingFallBacks::PendingFallBacks(const Observed& observed) {
  const auto& batches = observed.history.batches();
  for (const auto& [sequence, judgement] : observed.judgements) {
    if (judgement.kind != Judgement::FallBack) continue;
    const auto batch = std::ranges::lower_bound(batches, sequence, {}, &Batch::last);
    if (batch == batches.end() || batch->last != sequence) continue;
    // All that were there had it, or were made after it. Judged anew, it may seem to have fallen back.
    if (batch->status.phase == "Applied") continue;
    for (const Target& target : observed.search.targets)
      if (!made_after(target, *batch, observed.older_pods)) pending_[&target].push_back(sequence);
  }
}

std::set<std::int64_t> PendingFallBacks::of(const Target& target, std::int64_t since) const {
  const auto it = pending_.find(&target);
  if (it == pending_.end()) return {};
  return {std::ranges::upper_bound(it->second, since), it->second.end()};
}

std::int64_t PendingFallBacks::newest(const Target& target) const {
  const auto it = pending_.find(&target);
  return it == pending_.end() ? 0 : it->second.back();
}

std::int64_t PendingFallBacks::oldest(const Target& target) const {
  const auto it = pending_.find(&target);
  return it == pending_.end() ? 0 : it->second.front();
}

void describe_state(const Observed& observed, const PendingFallBacks& pending, Decision& decision) {
  Describer(observed, pending, decision).describe();
}

}  // namespace live_update
