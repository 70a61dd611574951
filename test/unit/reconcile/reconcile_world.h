// One LiveUpdate with pods and ChangeSets, for tests of the operator's judgement: what is known -> exactly
// what is done.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/reconcile/reconcile.h"
#include "test/fakes/change_sets.h"

namespace live_update {

inline constexpr std::chrono::seconds kSecond{1};

// One LiveUpdate `web` with sync src -> /app, fallBackOn Dockerfile and one run, its pods and its ChangeSets.
class World {
 public:
  World() {
    lu.meta = {"shop", "web", "uid-1"};
    lu.meta.generation = 1;
    lu.meta.created = Time(std::chrono::seconds(900));
    lu.spec.target.workload = WorkloadRef{"Deployment", "web"};
    lu.spec.steps = {FallBackOn{{"Dockerfile"}}, Sync{"src", "/app"}, run("build")};
    deployment.kind = "Deployment";
    deployment.meta.name = "web";
    replica_set("web-1", "1");
  }

  static Run run(const std::string& word, OnFailure on_failure = OnFailure::Stop) {
    Run run;
    run.command = {word};
    run.on_failure = on_failure;
    return run;
  }

  void replica_set(const std::string& name, const std::string& revision) {
    Workload it{"apps/v1", "ReplicaSet"};
    it.meta.name = name;
    it.meta.owners = {{"apps/v1", "Deployment", "web", "d", true}};
    it.revision = revision;
    replica_sets.push_back(it);
  }

  Pod& pod(const std::string& name, const std::string& id, const std::string& owner = "web-1") {
    Pod& it = pods[name];
    it.meta = {"shop", name, "uid-" + name};
    it.meta.created = Time(std::chrono::seconds(500));
    it.meta.owners = {{"apps/v1", "ReplicaSet", owner, "r", true}};
    it.phase = "Running";
    PodContainer container{"app", "web:1", id};
    container.running = true;
    container.started = it.meta.created;
    it.containers = {container};
    return it;
  }

  void post(std::shared_ptr<const ChangeSet> change_set) { change_sets.push_back(change_set); }

  // A pod that was made after the LiveUpdate and its ChangeSets, in the place of another or beside it.
  Pod& later_pod(const std::string& name, const std::string& id) {
    Pod& it = pod(name, id);
    it.meta.created = it.containers[0].started = wall;
    return it;
  }

  Decision look() {
    history.update(change_sets, lu.status.sequence, wall);
    CheckedSpec checked = check_spec(lu);
    take_other_roots(checked, judgements, other_roots);
    checked.foreign_roots = other_roots;
    WorkBudget budget;
    judge(lu, checked, history, judgements, budget);
    std::vector<const Pod*> pod_list;
    for (const auto& [name, it] : pods) pod_list.push_back(&it);
    std::vector<const Workload*> workloads{&deployment};
    for (const Workload& it : replica_sets) workloads.push_back(&it);
    Observed observed{lu,      checked, lu.status,  history,   judgements, lanes,
                      printed, times,   older_pods, deletions, redeploys};
    observed.search = find_targets(lu, pod_list, workloads);
    observed.workload = owning_workload(lu, pod_list, workloads);
    observed.template_redeployed = redeployed_sequence(lu.meta, deployment.template_annotations);
    follow(lanes, checked.steps, checked.mark);
    follow(lanes, observed.search, now);
    observed.now = now;
    observed.wall = wall;
    Decision decision = decide(observed);
    lu.status = decision.status;
    for (const auto& [id, sequence] : decision.confirmed) confirm(lanes[id], sequence, checked.mark, wall);
    for (const std::string& id : decision.in_sync) lanes[id].was_synced = true;
    for (const PodToDelete& it : decision.replaced_pods) asked(it);
    if (decision.redeploy) {
      redeploys.take(now);
      for (const PodToDelete& it : decision.redeploy->bare_pods) asked(it);
    }
    for (const DeliverTo& it : decision.deliveries) {
      begin(lanes[it.target.container_id], it.target, it.delivery, now);
      under_way[it.target.container_id] = it.sequence;
    }
    return decision;
  }

  // Another operator takes over: it knows what the API server has.
  void restart_operator() {
    lanes = lanes_from(lu.status);
    history = History();
    history.expect(lu.status.history);
    judgements.clear();
    under_way.clear();
  }

  void asked(const PodToDelete& it) { deletions.asked(it.uid, it.sequence, pods.size(), now); }

  void outcome(const std::string& id, const DeliveryOutcome& outcome = Delivered{}) {
    settle(lanes[id], outcome, now, wall, std::chrono::milliseconds(2));
    under_way.erase(id);
  }
  // Carries out whatever is decided, with success, until nothing is left to do.
  std::string settle_all() {
    std::string text;
    for (int i = 0; i < 10; ++i) {
      const Decision decision = look();
      text += does(decision);
      if (under_way.empty()) break;
      for (const auto& [id, sequence] : std::map(under_way)) outcome(id);
    }
    return text;
  }

  // "c1@2: +/app/a -/app/b build; " per delivery, then "restart Deployment/web for 3; ".
  static std::string does(const Decision& decision) {
    std::string text;
    for (const DeliverTo& it : decision.deliveries) {
      text += it.target.container_id + "@" + std::to_string(it.sequence) + ":";
      for (const auto& run : it.delivery->before_sync) text += " " + run.command.front();
      for (const auto& del : it.delivery->deletes) text += " -" + del.to;
      for (const auto& write : it.delivery->writes) text += " +" + write.to;
      for (const auto& run : it.delivery->after_sync) text += " " + run.command.front();
      if (it.delivery->restart) text += " restart";
      text += "; ";
    }
    if (decision.redeploy) {
      const auto& it = *decision.redeploy;
      text += it.workload ? "restart " + it.workload->kind + "/" + it.workload->name : "delete";
      for (const PodToDelete& pod : it.bare_pods) text += " " + pod.name;
      text += " for " + std::to_string(it.sequence) + "; ";
    }
    return text;
  }

  const Condition& condition(const std::string& type) {
    for (const Condition& it : lu.status.conditions)
      if (it.type == type) return it;
    static const Condition none;
    return none;
  }
  std::string state(const std::string& id) {
    for (const ContainerStatus& it : lu.status.containers)
      if (it.container_id == id) return it.state;
    return "none";
  }

  LiveUpdate lu;
  std::vector<std::string> other_roots;  // of other LiveUpdates
  Workload deployment;
  std::vector<Workload> replica_sets;
  std::map<std::string, Pod> pods;
  std::vector<std::shared_ptr<const ChangeSet>> change_sets;
  History history;
  Judgements judgements;
  Lanes lanes;
  PrintedMap printed;
  BatchTimesMap times;
  OlderPods older_pods;
  PodDeletions deletions;
  RateLimit redeploys{2, std::chrono::seconds(30)};
  std::map<std::string, std::int64_t> under_way;
  Instant now{};
  Time wall{std::chrono::seconds(2000)};
};

inline std::string phase_of(const Decision& decision, const std::string& name) {
  for (const ChangeSetNote& it : decision.change_sets)
    if (it.meta.name == name) return it.status.phase;
  return "unchanged";
}

}  // namespace live_update
