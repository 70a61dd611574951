#include "operator/controller.h"

#include <algorithm>

#include "core/api/conditions.h"
#include "core/reconcile/reconcile_status.h"
#include "operator/requests.h"

namespace live_update {

namespace {

constexpr Millis kStatusDelay{50}, kStatusPeriod{250}, kRedeployRetry{5'000};
constexpr int kStatusesAtOnce = 5;
// Most batches are applied before this: then one write tells it, and the API server has the time for the next
// save.
constexpr Millis kWaitingDelay{500};
constexpr Millis kDeleteDelay{1'000};  // whoever watches sees the last status first
constexpr Millis kOutputDelay{200};
constexpr std::size_t kFewChangeSets = 100;

ContainerRef ref_of(const ObjectKey& live_update, const Target& target) {
  return {live_update.ns, target.pod, target.container, target.container_id, target.empty_dirs};
}

std::vector<std::string> sync_roots(const LiveUpdateSpec& spec) {
  std::vector<std::string> roots;
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step))
      roots.push_back(sync->to.size() > 1 && sync->to.ends_with('/') ? sync->to.substr(0, sync->to.size() - 1)
                                                                     : sync->to);
  return roots;
}

std::string status_key(const ObjectMeta& change_set) {
  return "changeset/" + change_set.ns + "/" + change_set.name;
}
std::string delete_key(const ObjectMeta& change_set) {
  return std::string(WriteQueue::kDelete) + change_set.ns + "/" + change_set.name;
}

}  // namespace

Controller::Controller(Loop& loop, ApiServer& api, Cache& cache, ContainerTransport& transport, Log& log,
                       Metrics& metrics, Options options)
    : loop_(loop),
      api_(api),
      cache_(cache),
      transport_(transport),
      log_(log),
      metrics_(metrics),
      options_(std::move(options)),
      writes_(loop, api, [this](const std::string& path, const Error& error) {
        metrics_.write_failed();
        log_.warn("could not write", {{"path", path}, {"error", error.message}});
      }) {}

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
  while (const auto key = queue_.get(loop_.now())) {
    const auto began = std::chrono::steady_clock::now();
    reconcile(*key);
    queue_.done(*key);
    metrics_.reconciled(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  schedule();
}

void Controller::reconcile(const ObjectKey& key) {
  const auto live_update = cache_.live_update(key);
  if (!live_update) return forget(key);
  Memory& memory = memory_of(key, *live_update);
  memory.history.update(cache_.change_sets(key),
                        std::max(live_update->status.sequence, memory.written.sequence));
  note_times(key, memory);
  if (memory.checked.generation != live_update->meta.generation) memory.checked = check_spec(*live_update);
  judge(*live_update, memory.checked, memory.history, memory.judgements);
  ask_for_pods(key, *live_update, memory);
  for (auto& [sequence, log] : memory.run_logs)
    if (log.take_news()) memory.printed[sequence] = log.runs();
  const Observed observed = observe(*live_update, memory);
  drop_gone(memory, observed.search);
  carry_out(key, *live_update, memory, decide(observed));
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
  forget_deleted(key, memory);
}

// Now and then: what was written to ChangeSets that are gone.
void Controller::forget_deleted(const ObjectKey& key, Memory& memory) {
  const auto there = cache_.change_sets(key);
  if (memory.written_change_sets.size() + memory.deleting.size() <= 2 * there.size() + kFewChangeSets) return;
  std::set<std::string_view> names;
  for (const auto& it : there) names.insert(it->meta.name);
  std::erase_if(memory.written_change_sets, [&](const auto& it) { return !names.contains(it.first); });
  std::erase_if(memory.deleting, [&](const auto& it) { return !names.contains(it); });
}

// Where somebody else redeploys, only its age tells that a pod is newer than a fall-back. One within the same
// second is told by what it is not among: the pods that the API server lists now, after the ChangeSet.
void Controller::ask_for_pods(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory) {
  const auto judged = [&](const auto& entry) { return memory.judgements.contains(entry.first); };
  std::erase_if(memory.older_pods, [&](const auto& entry) { return !judged(entry); });
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
    queue_.add_after(key, kRedeployRetry, loop_.now());
    return schedule();
  }
  before.insert(uids->begin(), uids->end());
  memory.older_pods[sequence] = std::move(before);
  enqueue(key);
}

Controller::Memory& Controller::memory_of(const ObjectKey& key, const LiveUpdate& live_update) {
  auto& memory = memories_[key];
  if (memory.uid == live_update.meta.uid) return memory;
  memory = Memory();
  memory.uid = live_update.meta.uid;
  memory.lanes = lanes_from(live_update.status);
  memory.written = live_update.status;
  const Condition* snapshot = find_condition(live_update.status.conditions, condition::kSnapshotNeeded);
  if (snapshot && snapshot->status && snapshot->reason == reason::kHistoryLost)
    memory.lost_before = live_update.status.sequence;
  return memory;
}

Observed Controller::observe(const LiveUpdate& live_update, Memory& memory) const {
  const auto pods = cache_.pods(live_update.meta.ns);
  const auto workloads = cache_.workloads(live_update.meta.ns);
  Observed observed{live_update,  memory.checked, memory.written, memory.history,   memory.judgements,
                    memory.lanes, memory.printed, memory.times,   memory.older_pods};
  observed.search = find_targets(live_update, pods, workloads);
  observed.workload = owning_workload(live_update, pods, workloads);
  observed.template_redeployed = memory.redeploying;
  for (const Workload* it : workloads)
    if (observed.workload && it->kind == observed.workload->kind && it->meta.name == observed.workload->name)
      observed.template_redeployed = std::max(
          observed.template_redeployed, redeployed_sequence(live_update.meta, it->template_annotations));
  observed.redeploy_problem = memory.redeploy_problem;
  observed.now = loop_.now();
  observed.wall = loop_.wall_clock();
  return observed;
}

// A container that is gone takes its lane along; what is still under way for it is cut.
void Controller::drop_gone(Memory& memory, const TargetSearch& search) {
  auto gone = [&](const auto& entry) {
    return std::ranges::none_of(search.targets,
                                [&](const Target& it) { return it.container_id == entry.first; });
  };
  std::erase_if(memory.deliveries, gone);
  for (auto it = memory.expected.begin(); it != memory.expected.end();) {
    const bool runs = std::ranges::any_of(
        search.targets, [&](const Target& target) { return target.container_id == *it && target.running; });
    if (!runs) transport_.forget(*it, memory.uid);
    it = runs ? std::next(it) : memory.expected.erase(it);
  }
  std::erase_if(memory.lanes, gone);
  std::erase_if(memory.replaced_pods, [&](const std::string& uid) {
    return std::ranges::none_of(search.targets, [&](const Target& it) { return it.pod_uid == uid; });
  });
}

void Controller::carry_out(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory,
                           Decision decision) {
  for (const auto& [container_id, sequence] : decision.confirmed)
    confirm(memory.lanes[container_id], sequence, loop_.wall_clock());
  for (const DeliverTo& it : decision.deliveries) deliver(key, memory, it);
  for (const Target& it : decision.expected)
    if (memory.expected.insert(it.container_id).second)
      transport_.expect(ref_of(key, it),
                        {memory.uid, sync_roots(live_update.spec), live_update.spec.transport});
  for (const Target& it : decision.replaced_pods)
    if (memory.replaced_pods.insert(it.pod_uid).second)
      writes_.put("pod/" + key.ns + "/" + it.pod, delete_pod(key.ns, it.pod, it.pod_uid));
  if (decision.redeploy) redeploy(key, live_update, memory, *decision.redeploy);
  if (decision.look_again) {
    metrics_.queue_retried();
    queue_.add_after(key, std::chrono::ceil<Millis>(*decision.look_again - loop_.now()), loop_.now());
  }
  record(live_update, memory, decision);
}

void Controller::deliver(const ObjectKey& key, Memory& memory, const DeliverTo& it) {
  Lane& lane = memory.lanes[it.target.container_id];
  lane.busy = true;
  reached(memory.times, lane.applied, it.sequence, &BatchTimes::planned, Loop::exact_wall_clock());
  const ContainerRef to = ref_of(key, it.target);
  log_.info("apply", {{"liveUpdate", to_string(key)},
                      {"pod", to.pod},
                      {"container", to.container},
                      {"sequence", std::to_string(it.sequence)}});
  memory.deliveries[to.container_id] = transport_.deliver(
      to, it.delivery,
      [this, key, to, sequence = it.sequence, began = loop_.now()](DeliveryOutcome outcome) {
        delivered(key, to, sequence, began, std::move(outcome));
      },
      [this, key, to, sequence = it.sequence](int step, std::string_view bytes) {
        ran(key, to, sequence, step, bytes);
      });
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
  settle(lane, outcome, *live_update, sequence, loop_.now(), loop_.wall_clock(), took);
  memory.deliveries.erase(to.container_id);
  if (const auto log = memory.run_logs.find(sequence); log != memory.run_logs.end())
    log->second.finish(to.container_id);
  const auto* problem = std::get_if<NotDelivered>(&outcome);
  metrics_.delivered(std::chrono::duration<double>(took).count(), !problem);
  if (problem)
    log_.warn("not applied", {{"liveUpdate", to_string(key)},
                              {"pod", to.pod},
                              {"sequence", std::to_string(sequence)},
                              {"reason", problem->reason},
                              {"error", problem->message}});
  else
    log_.info("applied", {{"liveUpdate", to_string(key)},
                          {"pod", to.pod},
                          {"sequence", std::to_string(sequence)},
                          {"milliseconds", std::to_string(took.count())}});
  enqueue(key);
}

void Controller::redeploy(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory,
                          const RedeployAction& action) {
  if (memory.redeploying >= action.sequence) return;
  memory.redeploying = action.sequence;
  memory.redeploy_problem.clear();
  for (const std::string& pod : action.bare_pods)
    writes_.put("pod/" + key.ns + "/" + pod, delete_pod(key.ns, pod));
  if (!action.bare_pods.empty()) return;
  auto request = action.workload
                     ? restart_workload(live_update.meta, *action.workload, action.sequence)
                     : Result<Request>(fail(ErrorKind::NotFound, "no workload owns the pods of " +
                                                                     describe(live_update.spec.target)));
  if (!request) {
    memory.redeploy_problem = request.error().message;
    return enqueue(key);
  }
  memory.redeploy = api_.request(
      std::move(*request), [this, key](Result<Response> result) { redeployed(key, std::move(result)); });
}

void Controller::redeployed(ObjectKey key, Result<Response> result) {
  auto found = memories_.find(key);
  if (found == memories_.end()) return;
  Memory& memory = found->second;
  if (!result) {
    memory.redeploy_problem = result.error().message;
    log_.warn("could not redeploy", {{"liveUpdate", to_string(key)}, {"error", result.error().message}});
    memory.redeploy = loop_.after(kRedeployRetry, [this, key] {
      if (auto it = memories_.find(key); it != memories_.end()) it->second.redeploying = 0;
      enqueue(key);
    });
  }
  enqueue(key);
}

void Controller::record(const LiveUpdate& live_update, Memory& memory, Decision& decision) {
  const std::string name = live_update.meta.ns + "/" + live_update.meta.name;
  if (decision.status != memory.written) write_status(live_update, memory, std::move(decision.status));
  for (ChangeSetNote& it : decision.change_sets) {
    auto& written = memory.written_change_sets[it.meta.name];
    if (written == it.status || is_final(written)) continue;
    metrics_.change_set(it.status.phase);
    if (it.status.phase == "Applied" && written.phase != "Applied") count(memory, it);
    writes_.put(status_key(it.meta), apply_status(it.meta, it.status),
                it.status.phase == "Waiting" && it.status.runs.empty() ? kWaitingDelay : Millis(0));
    written = std::move(it.status);
  }
  remove(live_update, memory, decision.superseded);
  for (const EventNote& it : decision.events)
    writes_.put("event/" + name + "/" + it.reason,
                create_event(live_update.meta, it, options_.instance, loop_.wall_clock()));
}

// None goes before its last status has been written: whoever posted it would never hear what became of it.
void Controller::remove(const LiveUpdate& live_update, Memory& memory,
                        const std::vector<ObjectMeta>& superseded) {
  bool later = false;
  for (const ObjectMeta& it : superseded) {
    if (memory.deleting.contains(it.name)) continue;
    if (writes_.unfinished(status_key(it))) {
      later = true;
      continue;
    }
    memory.deleting.insert(it.name);
    writes_.put(delete_key(it), delete_change_set(it), kDeleteDelay);
  }
  if (later) queue_.add_after(key_of(live_update.meta), kDeleteDelay, loop_.now());
}

// The status follows within 50 ms of a change that comes by itself; when they come one after the other, four
// times a second.
void Controller::write_status(const LiveUpdate& live_update, Memory& memory, LiveUpdateStatus status) {
  const std::string name = "status/" + live_update.meta.ns + "/" + live_update.meta.name;
  Millis delay = std::chrono::hours(1);  // the time of the one that waits counts
  if (!writes_.waiting(name)) {
    memory.status_credit = std::max(memory.status_credit, loop_.now()) + kStatusPeriod;
    const auto ahead = std::chrono::ceil<Millis>(memory.status_credit - loop_.now());
    delay = std::max(kStatusDelay, ahead - kStatusesAtOnce * kStatusPeriod);
  }
  memory.written = std::move(status);
  writes_.put(name, apply_status(live_update.meta, memory.written), delay);
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

void Controller::forget(const ObjectKey& key) {
  const auto memory = memories_.extract(key);
  if (memory)
    for (const std::string& container_id : memory.mapped().expected)
      transport_.forget(container_id, memory.mapped().uid);
  arrivals_.erase(key);
}

}  // namespace live_update
