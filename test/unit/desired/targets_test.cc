#include "core/desired/targets.h"

#include <doctest/doctest.h>

#include "core/api/workload_kinds.h"

using namespace live_update;

namespace {

ObjectMeta::OwnerReference owner(std::string kind, std::string name) {
  ObjectMeta::OwnerReference it;
  it.kind = std::move(kind);
  it.name = std::move(name);
  it.controller = true;
  return it;
}

class Pods {
 public:
  Pod& add(const std::string& name, std::vector<std::string> containers = {"app"}) {
    Pod& pod = *pods_.emplace_back(std::make_unique<Pod>());
    pod.meta.name = name;
    pod.phase = "Running";
    for (const std::string& it : containers) {
      PodContainer& container = pod.containers.emplace_back();
      container.name = it;
      container.container_id = name + "/" + it;
      container.running = true;
    }
    return pod;
  }
  Pod& owned(const std::string& name, const std::string& kind, const std::string& by) {
    Pod& pod = add(name);
    pod.meta.owners = {owner(kind, by)};
    return pod;
  }
  Workload& workload(const std::string& kind, const std::string& name) {
    Workload& it = *workloads_.emplace_back(std::make_unique<Workload>());
    it.kind = kind;
    it.meta.name = name;
    return it;
  }

  TargetSearch search(const std::string& kind, const std::string& name = "web") {
    lu_.spec.target.workload = WorkloadRef{kind, name};
    return find_targets(lu_, pods(), workloads());
  }
  // The containers that are found, or the reason why none is.
  std::string found(const std::string& kind, const std::string& name = "web") {
    const TargetSearch found = search(kind, name);
    std::string text = found.reason;
    for (const Target& it : found.targets) text += (text.empty() ? "" : " ") + it.container_id;
    return text;
  }
  std::string redeploys(const std::string& kind, const std::string& name = "web") {
    lu_.spec.target.workload = WorkloadRef{kind, name};
    const auto it = owning_workload(lu_, pods(), workloads());
    return it ? it->kind + "/" + it->name : "the pods";
  }

 private:
  std::vector<const Pod*> pods() const {
    std::vector<const Pod*> out;
    for (const auto& it : pods_) out.push_back(it.get());
    return out;
  }
  std::vector<const Workload*> workloads() const {
    std::vector<const Workload*> out;
    for (const auto& it : workloads_) out.push_back(it.get());
    return out;
  }
  LiveUpdate lu_;
  std::vector<std::unique_ptr<Pod>> pods_;
  std::vector<std::unique_ptr<Workload>> workloads_;
};

constexpr const char* kDefault = "kubectl.kubernetes.io/default-container";

}  // namespace

TEST_CASE("5.1 a Pod is itself, whoever owns it") {
  Pods pods;
  pods.add("web");
  pods.owned("web-1", "ReplicaSet", "web-7f");
  pods.workload("ReplicaSet", "web-7f").meta.owners = {owner("Deployment", "web")};
  CHECK(pods.found("Pod") == "web/app");
  CHECK(pods.redeploys("Pod") == "the pods");
  CHECK(pods.found("Pod", "web-1") == "web-1/app");
  CHECK(pods.redeploys("Pod", "web-1") == "Deployment/web");
  CHECK(pods.found("Pod", "web-2") == "NoTarget");
}

TEST_CASE("5.1 a CronJob has the pods of its Jobs") {
  Pods pods;
  pods.workload("Job", "web-1").meta.owners = {owner("CronJob", "web")};
  pods.workload("Job", "web-2").meta.owners = {owner("CronJob", "web")};
  pods.workload("Job", "other-1").meta.owners = {owner("CronJob", "other")};
  pods.workload("Job", "alone");
  pods.owned("a", "Job", "web-1").phase = "Succeeded";
  pods.owned("b", "Job", "web-2");
  pods.owned("c", "Job", "other-1");
  pods.owned("d", "Job", "alone");
  CHECK(pods.found("CronJob") == "b/app");
  CHECK(pods.found("Job", "web-2") == "b/app");
  CHECK(pods.found("Job", "alone") == "d/app");
  CHECK(pods.redeploys("CronJob") == "CronJob/web");
}

TEST_CASE("5.1 anything that owns pods, itself or through ReplicaSets") {
  Pods pods;
  pods.owned("a", "Database", "web");
  pods.workload("ReplicaSet", "web-1").meta.owners = {owner("Rollout", "web")};
  pods.owned("b", "ReplicaSet", "web-1");
  CHECK(pods.found("Database") == "a/app");
  CHECK(pods.found("Rollout") == "b/app");
  CHECK(pods.found("ReplicaSet", "web-1") == "b/app");
}

TEST_CASE("5.1 a kind that nobody knows: the nearest is named") {
  auto nearest = [](std::string_view kind) {
    const std::string text = doubt_of_kind(kind);
    return text.empty() ? "" : text.substr(text.rfind(' ') + 1);
  };
  CHECK(doubt_of_kind("deployment") ==
        "no kind that is known is spelled deployment, the nearest is Deployment");
  for (const char* kind :
       {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod", "Rollout"})
    CHECK_MESSAGE(doubt_of_kind(kind) == "", kind);
  CHECK(nearest("Deploymnt") == "Deployment");
  CHECK(nearest("deployments") == "Deployment");
  CHECK(nearest("deploy") == "Deployment");
  CHECK(nearest("Statefulset") == "StatefulSet");
  CHECK(nearest("sts") == "StatefulSet");
  CHECK(nearest("ds") == "DaemonSet");
  CHECK(nearest("cronjobs") == "CronJob");
  CHECK(nearest("pods") == "Pod");
  CHECK(nearest("jobs") == "Job");
  CHECK(doubt_of_kind("a\nb").starts_with("no kind that is known is spelled a\\x0ab, the nearest is "));

  Pods pods;
  pods.owned("a", "ReplicaSet", "web-1");
  CHECK(pods.search("Deploymnt").message ==
        "no running pod matches Deploymnt/web: no kind that is known is spelled Deploymnt, the nearest is "
        "Deployment; changes are kept until there is one");
  CHECK(pods.search("Deployment").message ==
        "no running pod matches Deployment/web; changes are kept until there is one");
}

TEST_CASE("5.2 of several containers the pod's default-container decides") {
  Pods pods;
  Pod& pod = pods.add("web", {"istio-proxy", "app"});
  CHECK(pods.search("Pod").message ==
        "pod web has several containers (istio-proxy, app): set spec.target.container to one of them, or the "
        "pods' annotation kubectl.kubernetes.io/default-container");
  pod.meta.annotations[kDefault] = "app";
  CHECK(pods.found("Pod") == "web/app");
  pod.meta.annotations[kDefault] = "gone";
  CHECK(pods.found("Pod") == "ContainerNotChosen");
  pod.meta.annotations[kDefault] = "istio-proxy";
  pod.containers[0].init = pod.containers[0].restart_always =
      true;  // a native sidecar does not count by itself
  CHECK(pods.found("Pod") == "web/app");
}

TEST_CASE("5.2 default-container does not overrule the target, and may name a sidecar") {
  Pods pods;
  Pod& pod = pods.add("web", {"app", "helper", "watcher"});
  pod.meta.annotations[kDefault] = "helper";
  pod.containers[1].init = pod.containers[1].restart_always = true;
  CHECK(pods.found("Pod") == "web/helper");
  pod.containers[1].restart_always = false;  // one that has ended
  CHECK(pods.found("Pod") == "ContainerNotChosen");
  LiveUpdate lu;
  lu.spec.target.workload = WorkloadRef{"Pod", "web"};
  lu.spec.target.container = "watcher";
  CHECK(find_targets(lu, {&pod}, {}).targets.at(0).container == "watcher");
}

TEST_CASE("5.2 no container of that image: what images there are; of that name: what names") {
  Pods pods;
  Pod& pod = pods.add("web", {"app", "proxy"});
  pod.containers[0].image = "shop/web:1.4";
  pod.containers[1].image = "envoy";
  LiveUpdate lu;
  lu.spec.target.workload = WorkloadRef{"Pod", "web"};
  lu.spec.target.image = "shop/wbe";
  CHECK(find_targets(lu, {&pod}, {}).message ==
        "no container of pod web has image shop/wbe; it has app (shop/web:1.4), proxy (envoy)");
  lu.spec.target.image.clear();
  lu.spec.target.container = "wbe";
  CHECK(find_targets(lu, {&pod}, {}).message ==
        "no container of pod web is container wbe; it has app, proxy");
}

TEST_CASE("5.4 why a container does not run: its own reason before the pod's phase") {
  Pods pods;
  Pod& pod = pods.add("web");
  PodContainer& container = pod.containers[0];
  const auto why = [&] { return pods.search("Pod").targets.at(0).waiting_reason; };
  CHECK(why() == "");
  container.running = false;
  CHECK(why() == "the container has not started");
  container.waiting_reason = "CrashLoopBackOff (exit code 1, Error)";
  CHECK(why() == "CrashLoopBackOff (exit code 1, Error)");
  container.waiting_reason.clear();
  pod.phase = "Pending";
  CHECK(why() == "pod is Pending");
}
