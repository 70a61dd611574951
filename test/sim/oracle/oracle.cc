#include "test/sim/oracle/oracle.h"

#include <algorithm>

#include "core/api/codec.h"
#include "core/api/conditions.h"
#include "run/content.h"
#include "test/sim/oracle/naive_rules.h"

namespace live_update::sim {
namespace {

const std::string kLiveUpdate = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/web";

// A run may fail after a status was made and before it is sent.
constexpr Micros kStatusIsLate{3'000'000};

bool says(const LiveUpdateStatus& status, std::string_view condition) {
  const Condition* found = find_condition(status.conditions, condition);
  return found && found->status;
}

// Where only a folder is left, something else may be in it (rule 4.5).
bool is(const Nodes& tree, const std::string& path, const SaidValue& value) {
  const auto there = tree.find(path);
  if (there == tree.end()) return !value;
  const Node& node = there->second;
  if (!value) return node.type == FileType::Directory;
  if (node.type != value->type) return false;
  if (node.type == FileType::Symlink) return node.target == value->target;
  return node.type == FileType::Directory ||
         ((node.mode & 0777u) == value->mode && sha256(node.content) == value->digest);
}

std::string shown(const Nodes& tree, const std::string& path) {
  const auto there = tree.find(path);
  if (there == tree.end()) return "nothing";
  if (there->second.type == FileType::Directory) return "a folder";
  return "\"" + there->second.content + "\"";
}

}  // namespace

Oracle::Oracle(const SimLoop& loop, FakeApiServer& api, const ModelCluster& cluster, const ModelHost& host,
               Trace& trace)
    : loop_(loop), api_(api), cluster_(cluster), host_(host), trace_(trace) {
  api_.objects.on_change = [this,
                            tell = std::move(api_.objects.on_change)](const FakeObjects::Change& change) {
    seen(change);
    tell(change);
  };
}

void Oracle::breach(const std::string& what) {
  trace_.add("ORACLE", what);
  breaches_.push_back(what);
}

void Oracle::note_host() {
  for (const std::string& path : host_.files_below("")) host_paths_.insert(path);
}

void Oracle::seen(const FakeObjects::Change& change) {
  if (change.collection.ends_with("/liveupdates")) {
    const auto live_update = decode_live_update(*change.object);
    if (!live_update || change.type == "DELETED") return;
    uid_ = live_update->meta.uid;
    generation_ = live_update->meta.generation;
    spec_ = live_update->spec;
    for (const std::string& root : sync_roots(spec_)) roots_.insert(root);
  }
  if (!change.collection.ends_with("/changesets")) return;
  const auto change_set = decode_change_set(*change.object);
  if (!change_set || change_set->meta.owners.empty()) return;
  Said& said = said_[change_set->meta.owners.front().uid];
  if (change.type == "ADDED") said.add(*change_set);
  if (change_set->status.phase == "Refused") said.refuse(change_set->meta.name);
}

void Oracle::sent(const Request& request) {
  if (request.path != kLiveUpdate + "/status") return;
  const auto json = parse_json(request.body);
  const auto live_update = json ? decode_live_update(*json) : std::unexpected(json.error());
  if (!live_update) return breach("a status cannot be read: " + live_update.error().message);
  check(*live_update);
}

// A status of an older generation or object is one that will be followed by another.
void Oracle::check(const LiveUpdate& live_update) {
  const LiveUpdateStatus& status = live_update.status;
  if (!live_update.meta.uid.empty() && live_update.meta.uid != uid_) return;
  trace_.add("ORACLE", "status " + status.synced + " of generation " +
                           std::to_string(status.observed_generation) + ", sequence " +
                           std::to_string(status.sequence) + ", " + status.state);
  if (status.observed_generation != generation_ || says(status, condition::kSnapshotNeeded)) return;
  for (const ContainerStatus& told : status.containers) {
    if (told.state != "Synced") continue;
    if (const ModelContainer* there = cluster_.container(told.container_id))
      check_container(told, *there, status);
  }
}

void Oracle::check_container(const ContainerStatus& told, const ModelContainer& there,
                             const LiveUpdateStatus& status) {
  for (const std::string& root : there.roots)
    if (!roots_.contains(root)) breach(there.id + ": " + root + " was touched, which is no sync's");
  if (const std::string due = not_run(there, loop_.now() - kStatusIsLate); !due.empty())
    breach("false Synced at sequence " + std::to_string(status.sequence) + ": " + due);
  const Said& said = said_[uid_];
  for (const std::string& path : said.paths()) {
    const auto remote = remote_path(spec_, path);
    const auto acceptable = remote ? said.acceptable(path, status.sequence) : std::nullopt;
    if (!acceptable) continue;
    if (std::ranges::any_of(*acceptable, [&](const auto& it) { return is(there.tree, *remote, it); }))
      continue;
    breach("false Synced: " + told.container_id + " counts as Synced at sequence " +
           std::to_string(status.sequence) + ", but " + *remote + " (" + path + ") is " +
           shown(there.tree, *remote));
    return;
  }
}

std::string Oracle::unfinished() const {
  if (!cluster_.settled()) return "pods are not settled";
  for (const ModelContainer* it : cluster_.running()) {
    if (auto what = differs(*it); !what.empty()) return what;
    if (auto what = left_over(*it); !what.empty()) return what;
    if (auto what = not_run(*it, loop_.now()); !what.empty()) return what;
  }
  return untold();
}

std::string Oracle::differs(const ModelContainer& there) const {
  for (const auto& [path, node] : host_.nodes()) {
    if (node.type != FileType::File) continue;
    const auto remote = remote_path(spec_, path);
    if (!remote || is(there.tree, *remote, SaidNode{node.type, node.mode, sha256(node.content), {}}))
      continue;
    return there.id + ": " + *remote + " is " + shown(there.tree, *remote) + ", but " + path + " is \"" +
           node.content + "\"";
  }
  return {};
}

std::string Oracle::left_over(const ModelContainer& there) const {
  for (const std::string& path : host_paths_) {
    const auto remote = remote_path(spec_, path);
    if (!remote || host_.nodes().contains(path) || is(there.tree, *remote, {})) continue;
    return there.id + ": " + *remote + " is " + shown(there.tree, *remote) + ", but " + path + " was deleted";
  }
  return {};
}

// A run that failed is tried again with the next batch (rule 4.7).
std::string Oracle::not_run(const ModelContainer& there, Instant until) const {
  for (const Step& step : spec_.steps) {
    const auto* run = std::get_if<Run>(&step);
    if (!run) continue;
    std::string command;
    for (const std::string& word : run->command) command += (command.empty() ? "" : " ") + word;
    const auto last = std::ranges::find(there.runs.rbegin(), there.runs.rend(), command,
                                        &ModelContainer::RunRecord::command);
    if (last == there.runs.rend() || last->exit_code == 0 || Instant(Micros(last->at_us)) > until) continue;
    return there.id + ": " + command + " failed and was not run again";
  }
  return {};
}

std::optional<LiveUpdate> Oracle::live_update() const {
  const std::string text = api_.text(kLiveUpdate);
  if (text.empty()) return {};
  const auto json = parse_json(text);
  auto live_update = json ? decode_live_update(*json) : std::unexpected(json.error());
  return live_update ? std::optional(std::move(*live_update)) : std::nullopt;
}

std::vector<std::string> Oracle::states() const {
  std::vector<std::string> states;
  if (const auto it = live_update())
    for (const ContainerStatus& container : it->status.containers) states.push_back(container.state);
  return states;
}

std::string Oracle::untold() const {
  const auto live_update = this->live_update();
  if (!live_update) return "there is no LiveUpdate";
  const LiveUpdateStatus& status = live_update->status;
  const std::string all = std::to_string(cluster_.replicas()) + "/" + std::to_string(cluster_.replicas());
  if (status.observed_generation != live_update->meta.generation)
    return "the status is of an older generation";
  if (status.synced != all)
    return "the status says " + status.synced + " instead of " + all + ", " + status.state;
  if (!says(status, condition::kSynced)) return "the condition Synced is not true";
  return {};
}

}  // namespace live_update::sim
