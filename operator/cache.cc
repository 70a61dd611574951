#include "operator/cache.h"

#include <algorithm>

#include "core/api/codec.h"
#include "core/desired/history.h"
#include "core/desired/kept.h"

namespace live_update {

struct Cache::Scope {
  Store<LiveUpdate> live_updates;
  Store<ChangeSet> change_sets;
  Store<Pod> pods;
  Store<Workload> deployments, replica_sets, stateful_sets, daemon_sets, jobs;

  std::unique_ptr<Reflector<LiveUpdate>> live_update_reflector;
  std::unique_ptr<Reflector<ChangeSet>> change_set_reflector;
  std::unique_ptr<Reflector<Pod>> pod_reflector;
  std::vector<std::unique_ptr<Reflector<Workload>>> workload_reflectors;
  // Only CronJobs need the Jobs: the roles of an older chart do not show them, and the rest goes on without.
  std::unique_ptr<Reflector<Workload>> job_reflector;
  bool jobs_refused = false;

  bool synced() const {
    return (job_reflector->synced() || jobs_refused) && live_update_reflector->synced() &&
           change_set_reflector->synced() && pod_reflector->synced() &&
           std::ranges::all_of(workload_reflectors, [](const auto& it) { return it->synced(); });
  }
  std::vector<const Store<Workload>*> workload_stores() const {
    return {&deployments, &replica_sets, &stateful_sets, &daemon_sets, &jobs};
  }
};

namespace {

constexpr std::size_t kMostHomeless = 8 << 20;  // bytes in one namespace
constexpr int kFirstChangeSets = 8;             // each has up to 1.5 MB
constexpr Millis kHomelessTime{30'000};         // by then they are deleted

Resource resource(const std::string& api, const std::string& ns, const std::string& plural) {
  return {ns.empty() ? api + "/" + plural : api + "/namespaces/" + ns + "/" + plural};
}

template <typename T>
void append(std::vector<const T*>& to, const Store<T>& store, const std::string& ns) {
  for (auto it = store.all().lower_bound({ns, ""}); it != store.all().end() && it->first.ns == ns; ++it)
    to.push_back(it->second.get());
}

// Annotations may have the whole spec once more, as kubectl writes it.
Result<LiveUpdate> read_live_update(const rapidjson::Value& json) {
  auto it = decode_live_update(json);
  if (it) it->meta = kept(std::move(it->meta));
  return it;
}

}  // namespace

Cache::Cache(Loop& loop, ApiServer& api, Options options) : loop_(loop), options_(std::move(options)) {
  const std::string ours = "/apis/" + std::string(kApiVersion);
  auto namespaces = options_.namespaces;
  if (namespaces.empty()) namespaces.push_back("");
  for (const std::string& ns : namespaces) {
    auto scope = std::make_unique<Scope>();
    auto came_in = [this] { list_came_in(); };
    auto problem = [this](const Error& error) { options_.on_problem(error); };
    scope->live_update_reflector = std::make_unique<Reflector<LiveUpdate>>(
        loop, api, resource(ours, ns, "liveupdates"), scope->live_updates, read_live_update,
        Reflector<LiveUpdate>::Callbacks{[this](const auto& change) { live_update_changed(change); },
                                         [this, came_in, it = scope.get()] {
                                           it->change_set_reflector->start();
                                           came_in();
                                         },
                                         problem});
    Resource change_sets = resource(ours, ns, "changesets");
    change_sets.first_page = kFirstChangeSets;
    scope->change_set_reflector = std::make_unique<Reflector<ChangeSet>>(
        loop, api, change_sets, scope->change_sets,
        [this, it = scope.get()](const rapidjson::Value& json) { return admit(read(json, it->change_sets)); },
        Reflector<ChangeSet>::Callbacks{[this](const auto& change) { change_set_changed(change); }, came_in,
                                        problem});
    scope->pod_reflector = std::make_unique<Reflector<Pod>>(
        loop, api, resource("/api/v1", ns, "pods"), scope->pods, decode_pod,
        Reflector<Pod>::Callbacks{[this](const auto& change) { namespace_changed(change.key.ns); }, came_in,
                                  problem});
    watch_workloads(loop, api, ns, *scope);
    scopes_[ns] = std::move(scope);
  }
}

void Cache::watch_workloads(Loop& loop, ApiServer& api, const std::string& ns, Scope& scope) {
  auto watch = [&](Store<Workload>& store, const std::string& path,
                   std::function<void(const Error&)> problem) {
    return std::make_unique<Reflector<Workload>>(
        loop, api, resource("/apis/" + path.substr(0, path.rfind('/')), ns, path.substr(path.rfind('/') + 1)),
        store, decode_workload,
        Reflector<Workload>::Callbacks{[this](const auto& change) { namespace_changed(change.key.ns); },
                                       [this] { list_came_in(); }, std::move(problem)});
  };
  auto problem = [this](const Error& error) { options_.on_problem(error); };
  auto& all = scope.workload_reflectors;
  all.push_back(watch(scope.deployments, "apps/v1/deployments", problem));
  all.push_back(watch(scope.replica_sets, "apps/v1/replicasets", problem));
  all.push_back(watch(scope.stateful_sets, "apps/v1/statefulsets", problem));
  all.push_back(watch(scope.daemon_sets, "apps/v1/daemonsets", problem));
  scope.job_reflector = watch(scope.jobs, "batch/v1/jobs", [this, &scope](const Error& error) {
    scope.jobs_refused |= error.kind == ErrorKind::Forbidden;
    options_.on_problem(error);
    list_came_in();
  });
}

Cache::~Cache() = default;

void Cache::start() {
  for (auto& [ns, scope] : scopes_) {
    scope->live_update_reflector->start();  // and then its ChangeSets: so it is known which have one
    scope->pod_reflector->start();
    for (auto& it : scope->workload_reflectors) it->start();
    scope->job_reflector->start();
  }
}

bool Cache::synced() const {
  return std::ranges::all_of(scopes_, [](const auto& it) { return it.second->synced(); });
}

void Cache::changed(const ObjectKey& live_update) {
  if (synced_) options_.on_change(live_update);
}

void Cache::list_came_in() {
  if (synced_ || !synced()) return;
  synced_ = true;
  options_.on_synced();
  for (const auto& [ns, scope] : scopes_)
    for (const auto& [key, object] : scope->live_updates.all()) options_.on_change(key);
  for (const auto& [key, change_sets] : change_sets_)
    if (!live_update(key)) options_.on_change(key);
}

// Mostly it is only the status that is new, and what was read of the rest before is held anyway.
ChangeSet Cache::read(const rapidjson::Value& json, const Store<ChangeSet>& known) const {
  ObjectMeta meta = decode_meta(json);
  const Shared<ChangeSet> before = known.get(key_of(meta));
  if (!before || !before->flaw.empty() || before->meta.uid != meta.uid ||
      before->meta.generation != meta.generation)
    return kept(decode_flawed_change_set(json));
  ChangeSet it = *before;
  it.meta = kept(std::move(meta));
  it.status = decode_change_set_status(json);
  return it;
}

// One may come before its LiveUpdate does. But nobody's memory is filled with those that have none.
ChangeSet Cache::admit(ChangeSet it) {
  // The chart's policy has seen to it that spec.user is who posted it.
  if (it.spec.checkpoint && it.flaw.empty() && (options_.account.empty() || it.spec.user != options_.account))
    return without_content(std::move(it), "only the operator writes a Checkpoint: leave spec.checkpoint out");
  if (it.bytes == 0 || live_update({it.meta.ns, it.spec.live_update})) return it;
  Homeless& homeless = homeless_[it.meta.ns];
  if (loop_.now() - homeless.since > kHomelessTime) homeless = {loop_.now(), 0};
  if (homeless.bytes += it.bytes; homeless.bytes <= kMostHomeless) return it;
  return without_content(std::move(it), std::string(kNoLiveUpdate) + it.spec.live_update);
}

void Cache::drop_content(const ObjectKey& change_set, const std::string& why) {
  const auto scope = scopes_.find(scopes_.contains(change_set.ns) ? change_set.ns : "");
  if (scope == scopes_.end()) return;
  const Shared<ChangeSet> known = scope->second->change_sets.get(change_set);
  if (!known || !known->flaw.empty()) return;
  StoreWriter<ChangeSet> writer(scope->second->change_sets, [this](const ObjectChange<ChangeSet>& change) {
    change_sets_[{change.key.ns, change.after->spec.live_update}][change.key.name] = change.after;
  });
  writer.apply(without_content(*known, why));
}

void Cache::change_set_changed(const ObjectChange<ChangeSet>& change) {
  const ChangeSet& it = change.after ? *change.after : *change.before;
  const ObjectKey live_update{change.key.ns, it.spec.live_update};
  if (change.after)
    change_sets_[live_update][change.key.name] = change.after;
  else if (change_sets_[live_update].erase(change.key.name); change_sets_[live_update].empty())
    change_sets_.erase(live_update);
  changed(live_update);
}

// Where it leads matters to those that share a container with it (rule 4.3).
void Cache::live_update_changed(const ObjectChange<LiveUpdate>& change) {
  const auto &before = change.before, &after = change.after;
  changed(change.key);
  if (!before || !after || before->meta.uid != after->meta.uid ||
      before->meta.generation != after->meta.generation)
    wake(change.key.ns);
}

void Cache::namespace_changed(const std::string& ns) {
  ++versions_[ns];
  wake(ns);
}

void Cache::wake(const std::string& ns) {
  for (const auto& it : live_updates(ns)) changed(key_of(it->meta));
}

const Cache::Scope* Cache::scope_of(const std::string& ns) const {
  auto it = scopes_.find(ns);
  if (it == scopes_.end()) it = scopes_.find("");
  return it == scopes_.end() ? nullptr : it->second.get();
}

Shared<LiveUpdate> Cache::live_update(const ObjectKey& key) const {
  const Scope* scope = scope_of(key.ns);
  return scope ? scope->live_updates.get(key) : nullptr;
}

std::vector<Shared<ChangeSet>> Cache::change_sets(const ObjectKey& live_update) const {
  std::vector<Shared<ChangeSet>> result;
  if (auto it = change_sets_.find(live_update); it != change_sets_.end())
    for (const auto& [name, change_set] : it->second) result.push_back(change_set);
  return result;
}

std::vector<const Pod*> Cache::pods(const std::string& ns) const {
  std::vector<const Pod*> result;
  if (const Scope* scope = scope_of(ns)) append(result, scope->pods, ns);
  return result;
}

std::vector<Shared<LiveUpdate>> Cache::live_updates(const std::string& ns) const {
  std::vector<Shared<LiveUpdate>> result;
  const Scope* scope = scope_of(ns);
  if (!scope) return result;
  const auto& all = scope->live_updates.all();
  for (auto it = all.lower_bound({ns, ""}); it != all.end() && it->first.ns == ns; ++it)
    result.push_back(it->second);
  return result;
}

std::uint64_t Cache::version(const std::string& ns) const {
  const auto known = versions_.find(ns);
  return known == versions_.end() ? 0 : known->second;
}

std::vector<const Workload*> Cache::workloads(const std::string& ns) const {
  std::vector<const Workload*> result;
  if (const Scope* scope = scope_of(ns))
    for (const auto* store : scope->workload_stores()) append(result, *store, ns);
  return result;
}

}  // namespace live_update
