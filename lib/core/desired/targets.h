// Which containers a LiveUpdate means: from its target to pods to containers (rules 5.1, 5.2). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// One container that is meant, running or not.
struct Target {
  std::string pod, pod_uid, container, container_id;  // container_id: empty until the container was created
  bool running = false;
  std::string waiting_reason;  // CrashLoopBackOff, ContainerCreating, ... or what the pod waits for
  int restarts = 0;
  std::optional<Time> pod_created, started;  // started: the container
  std::int64_t redeployed =
      0;  // the sequence of the fall-back that this pod was made for; 0: none (see redeploy_annotation)
  std::vector<std::string> empty_dirs;  // where its pod has scratch space
  std::vector<std::string> shared;      // where volumes are mounted that others can write to (PodContainer)
  std::string image;                    // what runs: its ID
  bool has_volumes = false;             // files there outlive the container
  bool has_controller = false;          // something recreates the pod when it is deleted
  bool operator==(const Target&) const = default;
};

struct TargetSearch {
  std::vector<Target> targets;  // by pod, then container
  int pods = 0;                 // that the selector or workload matches and that count
  // Set where nothing is meant, or it is not clear what: the condition's reason and message.
  std::string reason, message;  // NoTarget, ContainerNotChosen, NoSuchContainer, NotAllowed
};

// `workloads`: what stands between pods and the workloads that own them (ReplicaSets, of which a Deployment's
// newest one counts, and Jobs), and the workloads themselves, of the LiveUpdate's namespace, as pods are.
TargetSearch find_targets(const LiveUpdate& live_update, const std::vector<const Pod*>& pods,
                          const std::vector<const Workload*>& workloads);

// Nothing is applied in a namespace whose pods hold the cluster up, nor in the operator's own: what may run
// commands there is the cluster's master. Empty: it is none of these.
TargetSearch closed_namespace(const std::string& ns, const std::string& own);

// The workload to redeploy: the target's, or what owns the pods of the selector (rule 6.2); nothing for bare
// pods.
std::optional<WorkloadRef> owning_workload(const LiveUpdate& live_update, const std::vector<const Pod*>& pods,
                                           const std::vector<const Workload*>& workloads);

bool matches(const LabelSelector& selector, const std::map<std::string, std::string>& labels);

// Whether `image` is of the repository `wanted`; tag and digest count only if `wanted` has them (rule 5.2).
// Docker Hub's short names are equal to their long ones ("web" and "docker.io/library/web").
bool same_image(std::string_view wanted, std::string_view image);

// The pod template's annotation that a redeploy sets: its key names the LiveUpdate, its value is
// `<uid>:<sequence>`, so pods tell which fall-back they were made for, and a LiveUpdate of the same name made
// later does not mistake them.
std::string redeploy_annotation(const std::string& live_update);
std::string redeploy_value(const ObjectMeta& live_update, std::int64_t sequence);
std::int64_t redeployed_sequence(const ObjectMeta& live_update,
                                 const std::map<std::string, std::string>& annotations);

// "Deployment/web", "app=web", for people and kubectl get.
std::string describe(const TargetSpec& target);

}  // namespace live_update
