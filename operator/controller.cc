#include "operator/controller.h"

#include <algorithm>

#include "core/api/conditions.h"
#include "operator/delivery_log.h"
#include "operator/requests.h"

namespace live_update {

namespace {
constexpr Millis kOutputDelay{200};
// So long a Checkpoint may take until it is seen, and the next one waits after one that failed.
constexpr Millis kMergePatience{60'000};
// Of matching in one look, some 20 ms; and of all looks in one turn of the loop, in seconds.
constexpr std::uint64_t kLookBudget = 10'000'000;
constexpr double kLongestTurn = 0.03;

ContainerRef ref_of(const ObjectKey& live_update, const Target& target) {
  return {live_update.ns,      target.pod,        target.container,
          target.container_id, target.empty_dirs, target.shared};
}

double seconds_since(const Loop& loop, Instant began) {
  return std::chrono::duration<double>(loop.exact_now() - began).count();
}

}  // namespace

Controller::Controller(Loop& loop, ApiServer& api, Cache& cache, ContainerTransport& transport, Log& log,
                       Metrics& metrics, Options options)
    : loop_(loop),
      api_(api),
      cache_(cache),
      meant_(cache, options.own_namespace),
      transport_(transport),
      log_(log),
      metrics_(metrics),
      options_(std::move(options)),
      writes_(loop, api,
              [this](const std::string& path, const Error& error) {
                metrics_.write_failed();
                log_.warn("could not write", {{"path", path}, {"error", error.message}});
              }),
      recorder_(loop, writes_, metrics,
                {options_.instance, options_.refused_time,
                 [this](const ObjectKey& key) {
                   queue_.add_after(key, options_.retry, loop_.now());
                   schedule();
                 }}),
      orphans_(loop, api, cache, writes_, options_.orphan_time) {}

void Controller::enqueue(const ObjectKey& key) {
  metrics_.queue_added();
  arrivals_.try_emplace(key, loop_.wall_clock());
  queue_.add(key);
  schedule();
}

// One timer for the whole queue: at the time of its next key.
void Controller::schedule() {
  const auto next = queue_.next_time(loop_.now());
  if (!next) return drain_.reset();
  if (drain_ && drain_at_ <= *next) return;
  drain_at_ = *next;
  const auto delay = std::chrono::ceil<Millis>(*next - loop_.now());
  drain_ = loop_.after(std::max(delay, Millis(0)), [this] { drain(); });
}

void Controller::drain() {
  drain_.reset();
  metrics_.queue_depth(queue_.depth());
  const auto turn_began = loop_.exact_now();
  while (const auto key = queue_.get(loop_.now())) {
    const auto began = loop_.exact_now();
    const Looked result = reconcile(*key);
    queue_.done(*key);
    metrics_.reconciled(seconds_since(loop_, began), result);
    if (seconds_since(loop_, turn_began) > kLongestTurn)
      break;  // what comes over the network is waiting, too
  }
  schedule();
}

Looked Controller::reconcile(const ObjectKey& key) {
  const auto live_update = cache_.live_update(key);
  if (!live_update) return forget(key), Looked::Success;
  Memory& memory = memory_of(key, *live_update);
  take_change_sets(key, *live_update, memory);
  note_times(key, memory);
  check(key, *live_update, memory);
  if (auto roots = meant_.other_roots(*live_update))
    take_other_roots(memory.checked, memory.judgements, std::move(*roots));
  memory.checked.foreign_roots = meant_.foreign_roots(*live_update);
  WorkBudget budget{kLookBudget};
  if (!judge(*live_update, memory.checked, memory.history, memory.judgements, budget))
    return go_on_later(*live_update);
  ask_for_pods(key, *live_update, memory);
  for (auto& [sequence, log] : memory.run_logs)
    if (log.take_news()) memory.printed[sequence] = log.runs();
  const Observed observed = observe(*live_update, memory);
  follow(memory.lanes, memory.checked.steps, memory.checked.mark);
  follow(memory.lanes, observed.search, loop_.now());
  memory.forgetting.look(*live_update, memory.checked, memory.history, observed.search, memory.lanes);
  drop_gone(memory, observed.search);
  if (!prepare(observed, budget)) return go_on_later(*live_update);
  Decision decision = act(observed);
  for (const DeliverTo& it : decision.deliveries) deliver(key, memory, it);
  tell(observed, decision);
  const bool again = decision.look_again.has_value();
  held_rules_.rests(memory.uid, decision.deliveries.empty() && memory.deliveries.empty());
  carry_out(key, *live_update, memory, std::move(decision));
  if (std::exchange(memory.failed, false)) return Looked::Error;
  return again ? Looked::RequeueAfter : Looked::Success;
}

// The rules are asked for in this look alone, but what it says by itself is made once.
void Controller::check(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory) {
  RulesSource rules = [this, key]() -> PathRules& { return held_rules_.of(*cache_.live_update(key)); };
  if (memory.checked.generation != live_update.meta.generation)
    memory.checked = check_spec(live_update, rules);
  memory.checked.rules = std::move(rules);
}

// There is more to match than one turn has time for: others come first.
Looked Controller::go_on_later(const LiveUpdate& live_update) {
  held_rules_.goes_on(live_update.meta.uid);
  queue_.add(key_of(live_update.meta));
  return Looked::RequeueAfter;
}

// Those of an older LiveUpdate of this name are no part of its history.
void Controller::take_change_sets(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory) {
  auto change_sets = cache_.change_sets(key);
  const auto others = std::ranges::stable_partition(
      change_sets, [&](const auto& it) { return is_of(live_update.meta, it->meta); });
  if (!others.empty()) orphans_.seen(key, {others.begin(), others.end()});
  change_sets.erase(others.begin(), others.end());
  Recorder::forget_deleted(memory.written, change_sets);
  const auto accepted =
      accepted_here(live_update.status.sequence, memory.written.status.sequence, change_sets);
  memory.history.update(std::move(change_sets), accepted, loop_.wall_clock());
  memory.history.assume_lost(memory.lost_before);
  for (const Refused& it : memory.history.refused())
    if (it.phase == "Refused") cache_.drop_content(key_of(it.meta), it.message);
}

// Once at a time. What it replaces is deleted when the cache has it.
void Controller::merge(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory,
                       std::int64_t through) {
  const ChangeSetSpec header{.live_update = live_update.meta.name,
                             .session = checkpoint_session(loop_.random() % 1'000'000'000),
                             .user = options_.account};
  auto parts = make_checkpoint(memory.history, through, header, options_.limits.checkpoints,
                               memory.forgetting.may_forget());
  memory.merge_again = loop_.now() + kMergePatience;
  if (parts.empty()) return;
  memory.merging = through;
  log_.debug("checkpoint", {{"liveUpdate", to_string(key)},
                            {"sequence", std::to_string(through)},
                            {"parts", std::to_string(parts.size())}});
  memory.checkpointer = std::make_unique<Checkpointer>(
      api_, live_update.meta, std::move(parts), [this, key](const Result<>& result) { merged(key, result); });
}

void Controller::merged(const ObjectKey& key, const Result<>& result) {
  const auto found = memories_.find(key);
  if (found == memories_.end()) return;
  found->second.checkpointer.reset();
  if (result) return;
  found->second.merging = 0;
  log_.warn("cannot write a Checkpoint", {{"liveUpdate", to_string(key)}, {"error", result.error().message}});
}

// A batch that is new came with the event that led to this look.
void Controller::note_times(const ObjectKey& key, Memory& memory) {
  const auto arrival = arrivals_.extract(key);
  const Time arrived = arrival ? arrival.mapped() : loop_.wall_clock();
  const auto& batches = memory.history.batches();
  for (const Batch& batch : batches) memory.times.try_emplace(batch.last, BatchTimes{arrived});
  if (memory.times.size() <= batches.size()) return;
  std::erase_if(memory.times, [&](const auto& entry) {
    return !std::ranges::binary_search(batches, entry.first, {}, &Batch::last);
  });
  const auto told = [&](const auto& entry) { return !memory.times.contains(entry.first); };
  std::erase_if(memory.run_logs, told);
  std::erase_if(memory.printed, told);
}

// Where somebody else redeploys, only its age tells that a pod is newer than a fall-back. One within the same
// second is told by what it is not among: the pods that the API server lists now, after the ChangeSet.
void Controller::ask_for_pods(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory) {
  std::erase_if(memory.older_pods, [&](const auto& it) { return !memory.judgements.contains(it.first); });
  if (live_update.spec.fall_back.redeploy != Redeploy::None) return;
  for (const auto& [sequence, judgement] : memory.judgements) {
    if (judgement.kind != Judgement::FallBack || memory.older_pods.contains(sequence) ||
        memory.pod_lists.contains(sequence))
      continue;
    std::set<std::string> known;
    for (const Pod* pod : cache_.pods(key.ns)) known.insert(pod->meta.uid);
    memory.pod_lists[sequence] = api_.request(
        list_pods(key.ns),
        [this, key, sequence = sequence, known = std::move(known)](Result<Response> result) mutable {
          pods_listed(key, sequence, std::move(known), result);
        });
  }
}

void Controller::pods_listed(ObjectKey key, std::int64_t sequence, std::set<std::string> before,
                             const Result<Response>& result) {
  const auto found = memories_.find(key);
  if (found == memories_.end()) return;
  Memory& memory = found->second;
  memory.pod_lists.erase(sequence);
  const auto uids = result ? uids_of(result->body) : std::unexpected(result.error());
  if (!uids) {
    log_.warn("cannot list pods", {{"liveUpdate", to_string(key)}, {"error", uids.error().message}});
    memory.failed = true;
    queue_.add_after(key, options_.retry, loop_.now());
    return schedule();
  }
  before.insert(uids->begin(), uids->end());
  memory.older_pods[sequence] = std::move(before);
  enqueue(key);
}

Controller::Memory& Controller::memory_of(const ObjectKey& key, const LiveUpdate& live_update) {
  Memory& memory = memories_.try_emplace(key, options_).first->second;
  if (memory.uid == live_update.meta.uid) return memory;
  let_go(memory);
  memory = Memory(options_);
  memory.uid = live_update.meta.uid;
  memory.lanes = lanes_from(live_update.status);
  memory.forgetting = Forgetting(live_update.status);
  memory.written.status = live_update.status;
  memory.history.expect(live_update.status.history);
  const Condition* snapshot = find_condition(live_update.status.conditions, condition::kSnapshotNeeded);
  if (!snapshot || !snapshot->status) return memory;
  if (snapshot->reason == reason::kHistoryLost) memory.lost_before = live_update.status.sequence;
  if (snapshot->reason == reason::kSequenceGap) memory.history.assume_gap(live_update.status.sequence + 1);
  return memory;
}

Observed Controller::observe(const LiveUpdate& live_update, Memory& memory) {
  const auto pods = cache_.pods(live_update.meta.ns);
  const auto workloads = cache_.workloads(live_update.meta.ns);
  Observed observed{live_update,       memory.checked,   memory.written.status, memory.history,
                    memory.judgements, memory.lanes,     memory.printed,        memory.times,
                    memory.older_pods, memory.deletions, memory.redeploys};
  observed.search = meant_.of(live_update);
  observed.workload = owning_workload(live_update, pods, workloads);
  observed.template_redeployed = memory.redeploying;
  for (const Workload* it : workloads)
    if (observed.workload && it->kind == observed.workload->kind && it->meta.name == observed.workload->name)
      observed.template_redeployed = std::max(
          observed.template_redeployed, redeployed_sequence(live_update.meta, it->template_annotations));
  observed.redeploy_problem = memory.redeploy_problem;
  observed.now = loop_.now();
  observed.wall = loop_.wall_clock();
  observed.limits = options_.limits;
  observed.forgetting = &memory.forgetting;
  const bool seen = memory.merging > 0 && memory.history.merged() >= memory.merging;
  observed.merging = options_.account.empty() || (memory.merge_again > loop_.now() && !seen);
  return observed;
}

// A container that is gone takes its lane along; what is still under way for it is cut.
void Controller::drop_gone(Memory& memory, const TargetSearch& search) {
  std::map<std::string_view, bool> running;  // by container ID
  std::set<std::string> pods;
  for (const Target& it : search.targets) running[it.container_id] = it.running, pods.insert(it.pod_uid);
  auto gone = [&](const auto& entry) { return !running.contains(entry.first); };
  std::erase_if(memory.deliveries, gone);
  std::erase_if(memory.lanes, gone);
  std::erase_if(memory.expected, [&](const std::string& id) {
    const auto it = running.find(id);
    const bool runs = it != running.end() && it->second;
    if (!runs) transport_.forget(id, memory.uid);
    return !runs;
  });
  memory.pods = pods.size();
  memory.deletions.keep(pods);
}

void Controller::carry_out(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory,
                           Decision decision) {
  for (const auto& [container_id, sequence] : decision.confirmed)
    confirm(memory.lanes[container_id], sequence, memory.checked.mark, loop_.wall_clock());
  for (const Target& it : decision.expected)
    if (memory.expected.insert(it.container_id).second)
      transport_.expect(ref_of(key, it), {memory.uid, memory.checked.roots, live_update.spec.transport});
  for (const std::string& container_id : decision.in_sync) memory.lanes[container_id].was_synced = true;
  for (const PodToDelete& it : decision.replaced_pods) delete_pod(key, memory, it);
  if (decision.redeploy) redeploy(key, live_update, memory, *decision.redeploy);
  if (decision.merge) merge(key, live_update, memory, *decision.merge);
  if (decision.look_again) {
    metrics_.queue_retried();
    queue_.add_after(key, std::chrono::ceil<Millis>(*decision.look_again - loop_.now()), loop_.now());
  }
  const auto later = recorder_.record(live_update, memory.written, decision,
                                      [&](const ChangeSetNote& it) { count(memory, it); });
  if (later) queue_.add_after(key, *later, loop_.now());
}

void Controller::deliver(const ObjectKey& key, Memory& memory, const DeliverTo& it) {
  Lane& lane = memory.lanes[it.target.container_id];
  begin(lane, it.target, it.delivery, loop_.now());
  reached(memory.times, lane.applied, it.sequence, &BatchTimes::planned, loop_.exact_wall_clock());
  const ContainerRef to = ref_of(key, it.target);
  memory.deliveries[to.container_id] = transport_.deliver(
      to, it.delivery,
      [this, key, to, sequence = it.sequence, began = loop_.now()](DeliveryOutcome outcome) {
        delivered(key, to, sequence, began, std::move(outcome));
      },
      [this, key, to, sequence = it.sequence](int step, std::string_view bytes) {
        ran(key, to, sequence, step, bytes);
      });
  say_delivery(log_, whose(key, memory.history, lane.applied, it.sequence), to, *it.delivery);
}

// Those who watch see it a moment later, however often something is printed.
void Controller::ran(const ObjectKey& key, const ContainerRef& to, std::int64_t sequence, int step,
                     std::string_view bytes) {
  const auto found = memories_.find(key);
  if (found == memories_.end()) return;
  RunLog& log = found->second.run_logs[sequence];
  log.add(to.container_id, to.pod, step, bytes);
  queue_.add_after(key, kOutputDelay, loop_.now());
  schedule();
}

void Controller::delivered(ObjectKey key, ContainerRef to, std::int64_t sequence, Instant began,
                           DeliveryOutcome outcome) {
  auto found = memories_.find(key);
  const auto live_update = cache_.live_update(key);
  if (found == memories_.end() || !live_update) return;
  Memory& memory = found->second;
  const auto took = std::chrono::duration_cast<Millis>(loop_.now() - began);
  Lane& lane = memory.lanes[to.container_id];
  if (const auto* delivered = std::get_if<Delivered>(&outcome)) {
    if (delivered->sent) reached(memory.times, lane.applied, sequence, &BatchTimes::sent, *delivered->sent);
    reached(memory.times, lane.applied, sequence, &BatchTimes::confirmed, loop_.wall_clock());
  }
  const std::int64_t before = lane.applied;
  settle(lane, outcome, loop_.now(), loop_.wall_clock(), took);
  const auto* problem = std::get_if<NotDelivered>(&outcome);
  if (problem && problem->wrong) memory.history.disbelieve(*problem->wrong);
  memory.deliveries.erase(to.container_id);
  if (const auto log = memory.run_logs.find(sequence); log != memory.run_logs.end())
    log->second.finish(to.container_id);
  metrics_.delivered(std::chrono::duration<double>(took).count(), !problem);
  memory.failed |= problem != nullptr;
  say_outcome(log_, whose(key, memory.history, before, sequence), to, took, outcome);
  enqueue(key);
}

// Asked for once; what the API server says decides whether it is asked for again.
void Controller::delete_pod(const ObjectKey& key, Memory& memory, const PodToDelete& pod) {
  memory.deletions.asked(pod.uid, pod.sequence, memory.pods, loop_.now());
  auto fields = whose(key, memory.history, pod.sequence - 1, pod.sequence);
  fields.emplace_back("pod", pod.name);
  log_.info("delete pod", fields);
  writes_.put("pod/" + key.ns + "/" + pod.uid, live_update::delete_pod(key.ns, pod), Millis(0),
              [this, key, pod](const Result<>& result) { pod_deleted(key, pod, result); });
}

void Controller::pod_deleted(const ObjectKey& key, const PodToDelete& pod, const Result<>& result) {
  const auto found = memories_.find(key);
  if (found == memories_.end()) return;
  auto& redeployed = found->second.redeployed_pods;
  if (result || !is_refusal(result.error()))
    redeployed.clear();
  else if (redeployed.erase(pod.uid) > 0 && redeployed.empty())
    found->second.redeploys.give_back();
  if (result) return;
  found->second.deletions.refused(pod.uid, result.error().message, loop_.now());
  found->second.failed = true;
  enqueue(key);
}

void Controller::redeploy(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory,
                          const RedeployAction& action) {
  if (action.bare_pods.empty() && memory.redeploying >= action.sequence) return;
  memory.redeploy_problem.clear();
  if (!action.bare_pods.empty()) memory.redeploys.take(loop_.now());
  memory.redeployed_pods.clear();
  for (const PodToDelete& pod : action.bare_pods)
    memory.redeployed_pods.insert(pod.uid), delete_pod(key, memory, pod);
  if (!action.bare_pods.empty()) return;
  memory.redeploying = action.sequence;
  auto fields = whose(key, memory.history, action.sequence - 1, action.sequence);
  if (action.workload) fields.emplace_back("workload", action.workload->kind + "/" + action.workload->name);
  log_.info("redeploy", fields);
  auto request = action.workload
                     ? restart_workload(live_update.meta, *action.workload, action.sequence)
                     : Result<Request>(fail(ErrorKind::NotFound, "no workload owns the pods of " +
                                                                     describe(live_update.spec.target)));
  if (!request) return redeployed(key, std::unexpected(request.error()), false);
  memory.redeploys.take(loop_.now());
  memory.redeploy = api_.request(std::move(*request), [this, key](Result<Response> result) {
    redeployed(key, std::move(result), true);
  });
}

// What the API server refused is none: the rollouts that it allows are counted.
void Controller::redeployed(ObjectKey key, Result<Response> result, bool counted) {
  auto found = memories_.find(key);
  if (found == memories_.end()) return;
  Memory& memory = found->second;
  if (!result) {
    if (counted && is_refusal(result.error())) memory.redeploys.give_back();
    memory.redeploy_problem = result.error().message;
    memory.failed = true;
    log_.warn("could not redeploy", {{"liveUpdate", to_string(key)}, {"error", result.error().message}});
    memory.redeploy = loop_.after(options_.retry, [this, key] {
      if (auto it = memories_.find(key); it != memories_.end()) it->second.redeploying = 0;
      enqueue(key);
    });
  }
  enqueue(key);
}

// A batch has been applied for the first time.
void Controller::count(Memory& memory, const ChangeSetNote& note) {
  const auto times = memory.times.find(note.sequence);
  if (times == memory.times.end() || times->second.applied) return;
  times->second.applied = loop_.wall_clock();
  const auto& batches = memory.history.batches();
  const auto batch = std::ranges::find(batches, note.sequence, &Batch::last);
  if (batch == batches.end()) return;
  const SaveTimes taken = save_times(batch->spec, times->second);
  if (!taken.applied) return;
  const auto seconds = [](std::chrono::microseconds it) { return std::chrono::duration<double>(it).count(); };
  metrics_.saved_to_applied(seconds(*taken.applied));
  for (const auto& [part, time] : parts_of(taken)) metrics_.saved_to_applied_part(part, seconds(time));
}

void Controller::let_go(const Memory& memory) {
  held_rules_.drop(memory.uid);
  for (const std::string& container_id : memory.expected) transport_.forget(container_id, memory.uid);
}

void Controller::forget(const ObjectKey& key) {
  if (const auto memory = memories_.extract(key)) let_go(memory.mapped());
  arrivals_.erase(key);
  if (const auto orphans = cache_.change_sets(key); !orphans.empty()) orphans_.seen(key, orphans);
}

}  // namespace live_update
