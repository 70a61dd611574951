#include "core/desired/targets.h"

#include <algorithm>
#include <charconv>

#include "core/api/workload_kinds.h"
#include "core/base/text.h"

namespace live_update {

namespace {

constexpr std::string_view kAnnotationPrefix = "redeploy.liveupdate.dev/";
constexpr const char* kAllow = "liveupdate.dev/allow";
constexpr const char* kDefaultContainer = "kubectl.kubernetes.io/default-container";

const ObjectMeta::OwnerReference* controller(const ObjectMeta& meta) {
  auto it = std::ranges::find_if(meta.owners, [](const auto& owner) { return owner.controller; });
  return it == meta.owners.end() ? nullptr : &*it;
}

// A Deployment's newest ReplicaSet is the one with the highest revision.
const Workload* newest_replica_set(const std::string& deployment,
                                   const std::vector<const Workload*>& workloads) {
  const Workload* newest = nullptr;
  for (const Workload* it : workloads) {
    const auto* owner = it->kind == "ReplicaSet" ? controller(it->meta) : nullptr;
    if (!owner || owner->kind != "Deployment" || owner->name != deployment) continue;
    if (!newest || to_number(it->revision) > to_number(newest->revision)) newest = it;
  }
  return newest;
}

bool counts(const Pod& pod) { return !pod.meta.deleted && pod.phase != "Succeeded" && pod.phase != "Failed"; }

bool owned_by(const ObjectMeta& meta, const WorkloadRef& workload) {
  const auto* owner = controller(meta);
  return owner && owner->kind == workload.kind && owner->name == workload.name;
}

// Whether a pod is of this workload: it is it, is owned by it, or by something known that it owns (a ReplicaSet, a
// Job).
bool belongs_to(const Pod& pod, const WorkloadRef& workload, const std::vector<const Workload*>& workloads) {
  if (workload.kind == "Pod") return pod.meta.name == workload.name;
  if (owned_by(pod.meta, workload)) return true;
  const auto* owner = controller(pod.meta);
  return owner && std::ranges::any_of(workloads, [&](const Workload* it) {
           return it->kind == owner->kind && it->meta.name == owner->name && owned_by(it->meta, workload);
         });
}

std::vector<const Pod*> matching_pods(const TargetSpec& target, const std::vector<const Pod*>& pods,
                                      const std::vector<const Workload*>& workloads) {
  std::vector<const Pod*> result;
  WorkloadRef owner = target.workload.value_or(WorkloadRef{});
  if (owner.kind == "Deployment") {
    const Workload* newest = newest_replica_set(owner.name, workloads);
    if (!newest) return {};
    owner = {"ReplicaSet", newest->meta.name};
  }
  for (const Pod* pod : pods) {
    if (!counts(*pod)) continue;
    const bool meant =
        target.selector ? matches(*target.selector, pod->meta.labels) : belongs_to(*pod, owner, workloads);
    if (meant) result.push_back(pod);
  }
  std::ranges::sort(result, {}, [](const Pod* pod) -> const std::string& { return pod->meta.name; });
  return result;
}

bool eligible(const PodContainer& container) { return !container.init || container.restart_always; }

// Rule 5.2.
std::vector<const PodContainer*> matching_containers(const TargetSpec& target, const Pod& pod) {
  std::vector<const PodContainer*> all, chosen;
  for (const PodContainer& it : pod.containers) {
    if (!eligible(it)) continue;
    if (!it.init) all.push_back(&it);
    if (!target.container.empty() ? it.name == target.container
                                  : !target.image.empty() && same_image(target.image, it.image))
      chosen.push_back(&it);
  }
  if (!target.container.empty() || !target.image.empty()) return chosen;
  const auto meant = pod.meta.annotations.find(kDefaultContainer);
  if (all.size() < 2 || meant == pod.meta.annotations.end()) return all;
  for (const PodContainer& it : pod.containers)
    if (eligible(it) && it.name == meant->second) return {&it};
  return all;
}

enum class Naming { Names, WithImages };
std::string names_of(const Pod& pod, Naming naming = Naming::Names) {
  std::string text;
  for (const PodContainer& it : pod.containers)
    if (eligible(it))
      text += (text.empty() ? "" : ", ") + it.name +
              (naming == Naming::WithImages ? " (" + visible(it.image) + ")" : "");
  return text;
}

// Its own reason is better than the pod's phase, which says "Running" of one whose only container has ended.
std::string why_not_running(const Pod& pod, const PodContainer& container) {
  if (!container.waiting_reason.empty()) return container.waiting_reason;
  return pod.phase == "Running" ? "the container has not started" : "pod is " + pod.phase;
}

Target to_target(const LiveUpdate& live_update, const Pod& pod, const PodContainer& container) {
  Target target{pod.meta.name, pod.meta.uid, container.name, container.container_id};
  target.running = container.running && !container.container_id.empty();
  if (!target.running) target.waiting_reason = visible(why_not_running(pod, container));
  target.restarts = container.restarts;
  target.pod_created = pod.meta.created;
  target.started = container.started;
  target.redeployed = redeployed_sequence(live_update.meta, pod.meta.annotations);
  target.empty_dirs = container.empty_dirs;
  target.shared = container.shared;
  target.image = container.image_id.empty() ? container.image : container.image_id;
  target.has_volumes = container.has_volumes;
  target.has_controller = controller(pod.meta) != nullptr;
  return target;
}

std::string_view strip_tag(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const auto slash = image.rfind('/'), colon = image.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash))
    image = image.substr(0, colon);
  return image;
}

// The repository with its registry: what has no registry is Docker Hub's.
std::string long_name(std::string_view repository) {
  const auto slash = repository.find('/');
  const std::string_view first = repository.substr(0, slash);
  const bool registry = slash != std::string_view::npos &&
                        (first.find_first_of(".:") != std::string_view::npos || first == "localhost");
  if (registry) {
    if (repository.starts_with("index.docker.io/")) repository.remove_prefix(6);
    return std::string(repository);
  }
  return (slash == std::string_view::npos ? "docker.io/library/" : "docker.io/") + std::string(repository);
}

}  // namespace

TargetSearch find_targets(const LiveUpdate& live_update, const std::vector<const Pod*>& pods,
                          const std::vector<const Workload*>& workloads) {
  const TargetSpec& target = live_update.spec.target;
  TargetSearch search;
  const auto matching = matching_pods(target, pods, workloads);
  search.pods = static_cast<int>(matching.size());
  if (matching.empty()) {
    search.reason = "NoTarget";
    const std::string doubt = target.workload ? doubt_of_kind(target.workload->kind) : "";
    search.message = "no running pod matches " + describe(target) + (doubt.empty() ? "" : ": " + doubt) +
                     "; changes are kept until there is one";
    return search;
  }
  std::string refusing;  // a pod whose owner wants it left alone (design: sharing)
  for (const Pod* pod : matching) {
    const auto allow = pod->meta.annotations.find(kAllow);
    if (allow != pod->meta.annotations.end() && allow->second == "false") {
      refusing = pod->meta.name;
      continue;
    }
    const auto containers = matching_containers(target, *pod);
    if (containers.size() > 1 && target.container.empty() && target.image.empty()) {
      search.targets.clear();
      search.reason = "ContainerNotChosen";
      search.message = "pod " + pod->meta.name + " has several containers (" + names_of(*pod) +
                       "): set spec.target.container to one of them, or the pods' annotation " +
                       kDefaultContainer;
      return search;
    }
    for (const PodContainer* container : containers)
      search.targets.push_back(to_target(live_update, *pod, *container));
  }
  if (search.targets.empty() && !refusing.empty()) {
    search.reason = "NotAllowed";
    search.message = "pod " + refusing +
                     " has the annotation liveupdate.dev/allow: \"false\", so nothing is applied to it; " +
                     "remove the annotation, or select other pods in spec.target";
  } else if (search.targets.empty()) {
    const std::string wanted =
        visible(target.container.empty() ? "image " + target.image : "container " + target.container);
    search.reason = "NoSuchContainer";
    const Naming naming = target.container.empty() ? Naming::WithImages : Naming::Names;
    search.message = "no container of pod " + matching.front()->meta.name +
                     (naming == Naming::WithImages ? " has " : " is ") + wanted + "; it has " +
                     names_of(*matching.front(), naming);
  }
  return search;
}

TargetSearch closed_namespace(const std::string& ns, const std::string& own) {
  TargetSearch search;
  const bool system = ns == "kube-system" || ns == "kube-public" || ns == "kube-node-lease";
  if (!system && (own.empty() || ns != own)) return search;
  search.reason = "NotAllowed";
  search.message =
      "namespace " + ns + (system ? " is the cluster's own" : " is the operator's own") +
      ", so nothing is applied in it; put the workload and its LiveUpdate into another namespace";
  return search;
}

std::optional<WorkloadRef> owning_workload(const LiveUpdate& live_update, const std::vector<const Pod*>& pods,
                                           const std::vector<const Workload*>& workloads) {
  const TargetSpec& target = live_update.spec.target;
  if (target.workload && target.workload->kind != "Pod") return target.workload;
  for (const Pod* pod : matching_pods(target, pods, workloads)) {
    const auto* owner = controller(pod->meta);
    if (!owner) continue;
    auto between = std::ranges::find_if(workloads, [&](const Workload* it) {
      return it->kind == owner->kind && it->meta.name == owner->name;
    });
    const auto* above = between == workloads.end() ? nullptr : controller((*between)->meta);
    return above ? WorkloadRef{above->kind, above->name} : WorkloadRef{owner->kind, owner->name};
  }
  return std::nullopt;
}

bool matches(const LabelSelector& selector, const std::map<std::string, std::string>& labels) {
  if (selector.match_labels.empty() && selector.match_expressions.empty()) return false;
  for (const auto& [key, value] : selector.match_labels)
    if (auto it = labels.find(key); it == labels.end() || it->second != value) return false;
  for (const auto& expression : selector.match_expressions) {
    auto it = labels.find(expression.key);
    const bool listed =
        it != labels.end() && std::ranges::find(expression.values, it->second) != expression.values.end();
    if (expression.op == "In" && !listed) return false;
    if (expression.op == "NotIn" && listed) return false;
    if (expression.op == "Exists" && it == labels.end()) return false;
    if (expression.op == "DoesNotExist" && it != labels.end()) return false;
  }
  return true;
}

bool same_image(std::string_view wanted, std::string_view image) {
  const std::string_view repository = strip_tag(wanted);
  if (long_name(repository) != long_name(strip_tag(image))) return false;
  const std::string_view tag = wanted.substr(repository.size());
  return tag.empty() || image.substr(strip_tag(image).size()) == tag;
}

std::string redeploy_annotation(const std::string& live_update) {
  return std::string(kAnnotationPrefix) + live_update;
}

std::string redeploy_value(const ObjectMeta& live_update, std::int64_t sequence) {
  return live_update.uid + ":" + std::to_string(sequence);
}

std::int64_t redeployed_sequence(const ObjectMeta& live_update,
                                 const std::map<std::string, std::string>& annotations) {
  auto it = annotations.find(redeploy_annotation(live_update.name));
  if (it == annotations.end() || !it->second.starts_with(live_update.uid + ":")) return 0;
  return to_number(std::string_view(it->second).substr(live_update.uid.size() + 1));
}

std::string describe(const TargetSpec& target) {
  if (target.workload) return visible(target.workload->kind + "/" + target.workload->name);
  if (!target.selector) return "";
  std::string text;
  auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  for (const auto& [key, value] : target.selector->match_labels) add(key + "=" + value);
  for (const auto& it : target.selector->match_expressions) {
    std::string values;
    for (const std::string& value : it.values) values += (values.empty() ? "" : ",") + value;
    add(it.key + " " + it.op + (values.empty() ? "" : " (" + values + ")"));
  }
  return visible(text);
}

}  // namespace live_update
