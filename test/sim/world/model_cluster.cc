#include "test/sim/world/model_cluster.h"

#include <rapidjson/pointer.h>

#include <algorithm>

#include "core/base/json.h"

namespace live_update::sim {
namespace {

const std::string kPods = "/api/v1/namespaces/shop/pods/", kApps = "/apis/apps/v1/namespaces/shop/";

const std::string kMounted = R"(,"volumeMounts":[{"name":"files","mountPath":"/"}]}],)"
                             R"("volumes":[{"name":"files","persistentVolumeClaim":{"claimName":"files"}}])";

std::string owner(const std::string& kind, const std::string& name) {
  return R"("ownerReferences":[{"apiVersion":"apps/v1","kind":")" + kind + R"(","name":")" + name +
         R"(","uid":")" + name + R"(-uid","controller":true}])";
}

}  // namespace

ModelCluster::ModelCluster(SimLoop& loop, FakeApiServer& api, Trace& trace, Random random,
                           agent::Digest program)
    : loop_(loop), api_(api), trace_(trace), random_(random), program_(program) {
  api_.on_exec = [this](FakeExec& exec) { serve(exec); };
  api_.objects.on_change = [this,
                            tell = std::move(api_.objects.on_change)](const FakeObjects::Change& change) {
    tell(change);
    seen(change);
  };
}

void ModelCluster::deploy(Nodes image, int replicas) {
  image_ = std::move(image);
  replicas_ = replicas;
  api_.objects.set(kApps + "deployments/web",
                   R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"uid":"web-uid"},)"
                   R"("spec":{"template":{"metadata":{}}}})");
  make_replica_set();
  reconcile();
}

void ModelCluster::make_replica_set() {
  const std::string name = "web-" + std::to_string(revision_);
  api_.objects.set(kApps + "replicasets/" + name,
                   R"({"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"uid":")" + name +
                       R"(-uid","annotations":{"deployment.kubernetes.io/revision":")" +
                       std::to_string(revision_) + R"("},)" + owner("Deployment", "web") + "}}");
}

void ModelCluster::seen(const FakeObjects::Change& change) {
  if (change.collection == "/apis/apps/v1/deployments" && change.type == "MODIFIED")
    deployment_changed(*change.object);
  if (change.collection == "/api/v1/pods" && change.type == "DELETED") pod_gone(change.key.name);
}

// A new pod template is a rollout.
void ModelCluster::deployment_changed(const rapidjson::Value& object) {
  const auto* annotations = rapidjson::Pointer("/spec/template/metadata/annotations").Get(object);
  const std::string text = annotations ? to_text(*annotations) : "{}";
  if (std::exchange(template_annotations_, text) == text) return;
  ++revision_;
  trace_.add("cluster", "rollout " + std::to_string(revision_));
  loop_.post([this] {
    make_replica_set();
    reconcile();
  });
}

void ModelCluster::pod_gone(const std::string& name) {
  const auto found = pods_.find(name);
  if (found == pods_.end()) return;
  trace_.add("cluster", "pod " + name + " is gone");
  kill_container(found->second);
  if (auto claim = std::exchange(found->second.claim, std::nullopt);
      claim && found->second.claims_made == claims_made_)
    claims_.push_back(std::move(*claim));
  found->second.leaving = true;
  loop_.post([this, name] { pods_.erase(name); });
  reconcile_soon();
}

void ModelCluster::reconcile_soon() {
  reconcile_ = loop_.in(Micros(random_.between(1'000, 400'000)), [this] { reconcile(); });
}

void ModelCluster::reconcile() {
  reconcile_.reset();
  std::vector<Pod*> current, old;
  for (auto& [name, pod] : pods_)
    if (!pod.leaving) (pod.revision == revision_ ? current : old).push_back(&pod);
  for (int n = static_cast<int>(current.size()); n < replicas_; ++n) make_pod();
  const bool all_run = std::ranges::all_of(current, [](const Pod* it) { return it->container != nullptr; });
  const bool complete = static_cast<int>(current.size()) >= replicas_ && all_run;
  for (std::size_t n = static_cast<std::size_t>(replicas_); n < current.size(); ++n)
    delete_pod(current[n]->name);
  if (complete)
    for (const Pod* it : old) delete_pod(it->name);
  else if (!old.empty())
    reconcile_soon();
}

void ModelCluster::make_pod() {
  const std::string name = "web-" + std::to_string(revision_) + "-" + std::to_string(++names_);
  Pod& pod = pods_[name];
  pod.name = name;
  pod.uid = name + "-uid";
  pod.revision = revision_;
  pod.claims_made = claims_made_;
  if (!claims_.empty() && random_.below(2)) {
    pod.claim = std::move(claims_.front());
    claims_.erase(claims_.begin());
    trace_.add("cluster", name + " finds a claim");
  }
  pod.annotations = template_annotations_;
  write(pod);
  pod.timer =
      loop_.in(Micros(random_.between(1'000, 1'500'000)), [this, name] { start_container(pods_.at(name)); });
}

void ModelCluster::start_container(Pod& pod) {
  kill_container(pod);
  pod.container = std::make_unique<ModelContainer>();
  pod.container->pod = pod.name;
  pod.container->id = "containerd://" + std::to_string(++ids_);
  pod.container->tree = image_;
  if (pod.claim && pod.claims_made == claims_made_)
    pod.container->tree = std::move(pod.claim->tree), pod.container->kept = std::move(pod.claim->kept);
  pod.claim.reset();
  pod.claims_made = claims_made_;
  pod.container->failing_runs = failing_runs_;
  pod.container->hanging_runs = hanging_runs_;
  pod.ended.clear();
  trace_.add("cluster", "container " + pod.container->id + " of " + pod.name + " runs");
  write(pod);
}

void ModelCluster::kill_container(Pod& pod) {
  if (!pod.container) return;
  if (pod.container->agent) pod.container->agent->die();
  trace_.add("cluster", "container " + pod.container->id + " ends");
  if (claims_given_) pod.claim = Claim{pod.container->tree, pod.container->kept};
  // Whoever works on it at this moment goes first.
  loop_.post([gone = std::shared_ptr<ModelContainer>(std::move(pod.container))] { gone->agent.reset(); });
}

void ModelCluster::write(const Pod& pod) {
  const std::string state =
      pod.container ? R"("containerID":")" + pod.container->id + R"(","state":{"running":{"startedAt":")" +
                          format_time(loop_.wall_clock()) + R"("}})"
      : pod.ended.empty() ? std::string(R"("state":{"waiting":{"reason":"ContainerCreating"}})")
                          : R"("containerID":")" + pod.ended +
                                R"(","state":{"terminated":{"exitCode":137,"reason":"Error"}})";
  const std::string leaving =
      pod.leaving ? R"("deletionTimestamp":")" + format_time(loop_.wall_clock()) + R"(",)" : "";
  api_.objects.set(kPods + pod.name,
                   R"({"apiVersion":"v1","kind":"Pod","metadata":{"uid":")" + pod.uid + R"(",)" + leaving +
                       R"("creationTimestamp":")" + format_time(loop_.wall_clock()) + R"(","annotations":)" +
                       pod.annotations + "," + owner("ReplicaSet", "web-" + std::to_string(pod.revision)) +
                       R"(},"spec":{"containers":[{"name":"app","image":"web:1")" +
                       (claims_given_ ? kMounted : "}]") + R"(},"status":{"phase":")" +
                       (pod.container ? "Running" : "Pending") + R"(","containerStatuses":[{"name":"app",)" +
                       state + "}]}}");
}

void ModelCluster::scale(int replicas) {
  trace_.add("cluster", "scale to " + std::to_string(replicas));
  replicas_ = replicas;
  reconcile_soon();
}

void ModelCluster::delete_pod(const std::string& name) {
  Pod& pod = pods_.at(name);
  if (std::exchange(pod.leaving, true)) return;
  write(pod);
  pod.timer = loop_.in(Micros(random_.between(1'000, 800'000)),
                       [this, name] { (void)api_.objects.remove(*parse_resource_path(kPods + name)); });
  reconcile_soon();
}

void ModelCluster::restart_container(const std::string& name) {
  Pod& pod = pods_.at(name);
  if (pod.leaving || !pod.container) return;
  const std::string id = pod.container->id;
  kill_container(pod);
  const int told =
      random_.below(3);  // that it has ended, that none is there, or nothing before the next one runs
  if (told == 0) pod.ended = id;
  if (told < 2) write(pod);
  pod.timer =
      loop_.in(Micros(random_.between(1'000, 1'500'000)), [this, name] { start_container(pods_.at(name)); });
}

std::vector<std::string> ModelCluster::pods() const {
  std::vector<std::string> names;
  for (const auto& [name, pod] : pods_)
    if (pod.container && !pod.leaving) names.push_back(name);
  return names;
}

void ModelCluster::leave(const std::string& name, const std::string& path, bool kept) {
  const auto& container = pods_.at(name).container;
  if (!container) return;
  trace_.add(container->id, "leaves " + path);
  container->put(path, {FileType::File, 0644, "left", {}});
  if (kept) container->kept.insert(path);
}

void ModelCluster::set_failing_runs(int permille) {
  failing_runs_ = permille;
  for (auto& [name, pod] : pods_)
    if (pod.container) pod.container->failing_runs = permille;
}

void ModelCluster::set_hanging_runs(int permille) {
  hanging_runs_ = permille;
  for (auto& [name, pod] : pods_)
    if (pod.container) pod.container->hanging_runs = permille;
}

void ModelCluster::refuse_exec(bool refuse) {
  refuses_exec_ = refuse;
  if (!refuse) return;
  for (auto& [name, pod] : pods_)
    if (pod.container && pod.container->agent) pod.container->agent->die();
}

void ModelCluster::set_full(const std::string& name, bool full) {
  for (auto& [pod_name, pod] : pods_)
    if (pod.container && (name.empty() || pod_name == name)) pod.container->full = full;
}

const ModelContainer* ModelCluster::container(const std::string& id) const {
  for (const auto& [name, pod] : pods_)
    if (pod.container && pod.container->id == id) return pod.container.get();
  return nullptr;
}

std::vector<const ModelContainer*> ModelCluster::running() const {
  std::vector<const ModelContainer*> all;
  for (const auto& [name, pod] : pods_)
    if (pod.container && !pod.leaving) all.push_back(pod.container.get());
  return all;
}

bool ModelCluster::settled() const {
  return static_cast<int>(pods_.size()) == replicas_ && std::ranges::all_of(pods_, [this](const auto& it) {
           return it.second.container && !it.second.leaving && it.second.revision == revision_;
         });
}

void ModelCluster::serve(FakeExec& exec) {
  const auto pod = pods_.find(exec.request().pod);
  if (pod == pods_.end())
    return exec.cut({ErrorKind::NotFound, "pods \"" + exec.request().pod + "\" not found"});
  if (refuses_exec_) return exec.cut({ErrorKind::Unavailable, "error dialing backend"});
  if (!pod->second.container) return exec.cut({ErrorKind::Unavailable, "container not running"});
  std::make_shared<ModelAgent>(ModelAgent::World{loop_, trace_, random_, program_}, *pod->second.container,
                               exec, [this, name = pod->first] { restart_container(name); })
      ->begin();
}

}  // namespace live_update::sim
