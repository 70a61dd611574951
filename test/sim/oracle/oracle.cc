#include "test/sim/oracle/oracle.h"

#include <algorithm>

#include "core/api/codec.h"
#include "core/api/conditions.h"
#include "run/content.h"
#include "test/sim/oracle/naive_rules.h"

namespace live_update::sim {
namespace {

const std::string kLiveUpdates = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/";

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

bool is_a(FileType type, const HostNodes& disk, const std::string& path) {
  const auto found = disk.find(path);
  return found != disk.end() && found->second.type == type;
}

bool leads_through_link(const LiveUpdateSpec& spec, const HostNodes& disk) {
  return std::ranges::any_of(spec.steps, [&](const Step& step) {
    const auto* sync = std::get_if<Sync>(&step);
    return sync && is_a(FileType::Symlink, disk, sync->from);
  });
}

// Whether exactly one sync leads to this path or above it, from a folder that is there, and would bring the path itself.
bool is_mirrored(const LiveUpdateSpec& spec, const HostNodes& disk, const std::string& remote) {
  int syncs = 0;
  bool filled = false;
  for (const Step& step : spec.steps) {
    const auto* sync = std::get_if<Sync>(&step);
    if (!sync || !at_or_below_naive(remote, sync->to)) continue;
    ++syncs;
    const std::string path = sync->from + remote.substr(sync->to.size());
    filled = remote != sync->to && is_a(FileType::Directory, disk, sync->from) &&
             remote_path(spec, path) == remote;
  }
  return syncs == 1 && filled;
}

// A link never stands at a sync root's own place, whoever told of one (rule 4.3).
bool is_link_at_root(const LiveUpdateSpec& spec, const std::string& path,
                     const std::vector<SaidValue>& values) {
  const auto is_from = [&](const Step& step) {
    const auto* sync = std::get_if<Sync>(&step);
    return sync && sync->from == path;
  };
  const auto is_link = [](const SaidValue& it) { return it && it->type == FileType::Symlink; };
  return std::ranges::any_of(spec.steps, is_from) && std::ranges::any_of(values, is_link);
}

std::string shown(const Nodes& tree, const std::string& path) {
  const auto there = tree.find(path);
  if (there == tree.end()) return "nothing";
  if (there->second.type == FileType::Directory) return "a folder";
  if (there->second.type == FileType::Symlink) return "a link to " + there->second.target;
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

void Oracle::note_host(const LiveUpdateSpec& widest) {
  for (const auto& [path, node] : seen_by_syncs(host_.nodes(), widest))
    if (node.type != FileType::Directory) host_paths_.insert(path);
  if (first_paths_.empty()) first_paths_ = host_paths_;
}

std::map<std::string, std::pair<int, std::size_t>> Oracle::work() const {
  std::map<std::string, std::pair<int, std::size_t>> work;
  for (const ModelContainer* it : cluster_.running()) work[it->id] = {it->batches, it->runs.size()};
  return work;
}

void Oracle::seen(const FakeObjects::Change& change) {
  if (looks_away_) return;
  if (change.collection.ends_with("/liveupdates")) {
    const auto live_update = decode_live_update(*change.object);
    if (!live_update || change.type == "DELETED") return;
    take_spec(*live_update);
    for (const std::string& root : sync_roots(live_update->spec)) roots_.insert(root);
  }
  if (!change.collection.ends_with("/changesets")) return;
  const auto change_set = decode_change_set(*change.object);
  if (!change_set || change_set->meta.owners.empty()) return;
  Said& said = said_[change_set->meta.owners.front().uid];
  if (change.type == "ADDED") said.add(*change_set);
  // One for which there was no room may be taken later, in its place (rule 7.5).
  if (!change_set->status.phase.empty())
    said.refuse(change_set->meta.name, change_set->status.phase == "Refused");
}

void Oracle::take_spec(const LiveUpdate& live_update) {
  Judged& judged = judged_[live_update.meta.name];
  const auto before = judged.uid == live_update.meta.uid ? judged.runs : std::map<std::string, Instant>();
  judged = {live_update.meta.uid, live_update.meta.generation, live_update.spec, {}};
  for (const Step& step : live_update.spec.steps)
    if (const auto* run = std::get_if<Run>(&step)) {
      const std::string command = command_line(run->command);
      const auto known = before.find(command);
      judged.runs[command] = known == before.end() ? Instant(loop_.elapsed()) : known->second;
    }
}

void Oracle::sent(const Request& request) {
  ++writes_;
  const auto judged = std::ranges::find_if(
      judged_, [&](const auto& it) { return request.path == kLiveUpdates + it.first + "/status"; });
  if (judged == judged_.end()) return;
  const auto json = parse_json(request.body);
  const auto live_update = json ? decode_live_update(*json) : std::unexpected(json.error());
  if (!live_update) return breach("a status cannot be read: " + live_update.error().message);
  check(judged->second, *live_update);
}

// A status of an older generation or object is one that will be followed by another.
void Oracle::check(const Judged& judged, const LiveUpdate& live_update) {
  const LiveUpdateStatus& status = live_update.status;
  if (status.uid != judged.uid && !status.uid.empty()) return;
  trace_.add("ORACLE", "status " + status.synced + " of generation " +
                           std::to_string(status.observed_generation) + ", sequence " +
                           std::to_string(status.sequence) + ", " + status.state);
  if (status.observed_generation != judged.generation || says(status, condition::kSnapshotNeeded)) return;
  for (const ContainerStatus& told : status.containers) {
    if (told.state != "Synced") continue;
    if (const ModelContainer* there = cluster_.container(told.container_id))
      check_container(judged, told, *there, status);
  }
}

void Oracle::check_container(const Judged& judged, const ContainerStatus& told, const ModelContainer& there,
                             const LiveUpdateStatus& status) {
  for (const std::string& root : there.roots)
    if (!roots_.contains(root)) breach(there.id + ": " + root + " was touched, which is no sync's");
  if (const std::string gone = destroyed(there); !gone.empty()) breach(gone);
  if (const std::string due = not_run(judged, there, loop_.now() - kStatusIsLate); !due.empty())
    breach("false Synced at sequence " + std::to_string(status.sequence) + ": " + due);
  const auto unclear = this->unclear(judged.spec);
  for (const std::string& path : said_[judged.uid].paths()) {
    const auto remote = remote_path(judged.spec, path);
    if (!remote || unclear.contains(*remote)) continue;
    const auto acceptable = this->acceptable(judged, *remote, status.sequence);
    if (!acceptable || is_link_at_root(judged.spec, path, *acceptable)) continue;
    if (std::ranges::any_of(*acceptable, [&](const auto& it) { return is(there.tree, *remote, it); }))
      continue;
    breach("false Synced: " + told.container_id + " counts as Synced at sequence " +
           std::to_string(status.sequence) + ", but " + *remote + " (" + path + ") is " +
           shown(there.tree, *remote));
    return;
  }
}

std::set<std::string> Oracle::unclear(const LiveUpdateSpec& spec) const {
  std::set<std::string> files, unclear;
  if (!overlapping(spec)) return unclear;
  for (const std::string& path : host_paths_)
    if (const auto remote = remote_path(spec, path)) files.insert(*remote);
  for (const std::string& file : files)
    for (auto slash = file.rfind('/'); slash != std::string::npos && slash > 0;
         slash = file.rfind('/', slash - 1))
      if (const std::string up = file.substr(0, slash); files.contains(up)) unclear.insert({file, up});
  return unclear;
}

// What a container may have at a place; nothing: nobody has said. The first of several host paths that is there wins.
std::optional<std::vector<SaidValue>> Oracle::acceptable(const Judged& judged, const std::string& remote,
                                                         std::int64_t sequence) const {
  const auto sources = sources_of(judged.spec, remote);
  const Said& said = said_.at(judged.uid);
  if (sources.size() == 1) return said.acceptable(sources.front(), sequence);
  std::vector<SaidValue> values;
  for (const std::string& path : sources) {
    const auto of_path = said.acceptable(path, sequence);
    if (!of_path && (host_paths_.contains(path) || said.names(path))) return {};
    if (!of_path) continue;  // it never was
    bool may_be_gone = false;
    for (const SaidValue& it : *of_path) {
      if (it && it->type == FileType::Directory) return {};
      it ? values.push_back(it) : void(may_be_gone = true);
    }
    if (!may_be_gone) return values;
  }
  values.emplace_back();
  return values;
}

std::string Oracle::unfinished() const {
  if (!cluster_.settled()) return "pods are not settled";
  for (const auto& [name, judged] : judged_) {
    for (const ModelContainer* it : cluster_.running()) {
      if (auto what = destroyed(*it); !what.empty()) return what;
      if (auto what = differs(judged.spec, *it); !what.empty()) return what;
      if (auto what = left_over(judged.spec, *it); !what.empty()) return what;
      if (auto what = not_mirrored(judged, *it); !what.empty()) return what;
      if (auto what = not_run(judged, *it, loop_.now()); !what.empty()) return what;
    }
    if (auto what = untold(name); !what.empty() && !waits_for_link(name)) return name + ": " + what;
  }
  return {};
}

std::string Oracle::destroyed(const ModelContainer& there) const {
  for (const std::string& path : there.kept)
    if (!there.tree.contains(path)) return there.id + ": " + path + " was deleted, which is ignored";
  return {};
}

// A `from` that is a link hides what is ignored behind it: then nothing goes.
std::string Oracle::not_mirrored(const Judged& judged, const ModelContainer& there) const {
  const LiveUpdateSpec& spec = judged.spec;
  const HostNodes& disk = host_.nodes();
  if (spec.source.deletes != DeletePolicy::Mirror || leads_through_link(spec, disk)) return {};
  const auto unclear = this->unclear(spec);
  std::set<std::string> wanted;
  for (const auto& [path, node] : disk)
    if (const auto remote = remote_path(spec, path)) wanted.insert(*remote);
  for (const auto& [path, node] : there.tree) {
    if (node.type == FileType::Directory || wanted.contains(path) || there.kept.contains(path)) continue;
    if (!is_mirrored(spec, disk, path) || unclear.contains(path) || is_of_others(judged, path)) continue;
    return there.id + ": " + path + " is there, which the machine does not have";
  }
  return {};
}

bool Oracle::is_of_others(const Judged& judged, const std::string& path) const {
  return std::ranges::any_of(judged_, [&](const auto& other) {
    if (other.second.uid == judged.uid) return false;
    const auto roots = sim::sync_roots(other.second.spec);
    return std::ranges::any_of(roots, [&](const auto& root) { return at_or_below_naive(path, root); });
  });
}

std::string Oracle::differs(const LiveUpdateSpec& spec, const ModelContainer& there) const {
  const auto unclear = this->unclear(spec);
  const HostNodes disk = seen_by_syncs(host_.nodes(), spec);
  for (const auto& [path, node] : disk) {
    if (node.type == FileType::Directory) continue;
    const auto remote = remote_path(spec, path);
    if (!remote || unclear.contains(*remote)) continue;
    const auto sources = sources_of(spec, *remote);
    if (*std::ranges::find_if(sources, [&](const auto& it) { return disk.contains(it); }) != path) continue;
    const bool link = node.type == FileType::Symlink;
    if (is(there.tree, *remote,
           link ? SaidNode{node.type, 0, {}, node.content}
                : SaidNode{node.type, node.mode, sha256(node.content), {}}))
      continue;
    return there.id + ": " + *remote + " is " + shown(there.tree, *remote) + ", but " + path + " is \"" +
           node.content + "\"";
  }
  return {};
}

bool Oracle::ever_said(const std::string& path) const {
  return std::ranges::any_of(said_, [&](const auto& of_uid) { return of_uid.second.names(path); });
}

std::string Oracle::left_over(const LiveUpdateSpec& spec, const ModelContainer& there) const {
  std::set<std::string> nowhere;
  const auto unclear = this->unclear(spec);
  const HostNodes disk = seen_by_syncs(host_.nodes(), spec, &nowhere);
  const auto is_there = [&](const std::string& path) { return disk.contains(path); };
  const auto is_doubtful = [&](const std::string& path) {
    return std::ranges::any_of(nowhere, [&](const auto& it) { return at_or_below_naive(path, it); });
  };
  for (const std::string& path : host_paths_) {
    const auto remote = remote_path(spec, path);
    if (!remote || unclear.contains(*remote) || is(there.tree, *remote, {})) continue;
    const auto sources = sources_of(spec, *remote);
    if (std::ranges::any_of(sources, is_there) || std::ranges::any_of(sources, is_doubtful)) continue;
    // What no ChangeSet ever named came from the image, or from another path by older rules: that stays (rule 5.7).
    if (!ever_said(path) && (notes_lost_ || !first_paths_.contains(path))) continue;
    return there.id + ": " + *remote + " is " + shown(there.tree, *remote) + ", but " + path + " was deleted";
  }
  return {};
}

// A run that failed is tried again with the next batch (rule 4.7).
std::string Oracle::not_run(const Judged& judged, const ModelContainer& there, Instant until) const {
  for (const auto& [command, since] : judged.runs) {
    const auto last = std::ranges::find_if(there.runs.rbegin(), there.runs.rend(), [&](const auto& it) {
      return it.command == command && it.live_update == judged.uid;
    });
    if (last == there.runs.rend() || last->exit_code == 0) continue;
    if (const Instant at(Micros(last->at_us)); at > until || at < since) continue;
    return there.id + ": " + command + " failed and was not run again";
  }
  return {};
}

std::optional<LiveUpdate> Oracle::live_update(const std::string& name) const {
  const std::string text = api_.text(kLiveUpdates + name);
  if (text.empty()) return {};
  const auto json = parse_json(text);
  auto live_update = json ? decode_live_update(*json) : std::unexpected(json.error());
  return live_update ? std::optional(std::move(*live_update)) : std::nullopt;
}

std::vector<std::string> Oracle::states() const {
  std::vector<std::string> states;
  for (const auto& [name, judged] : judged_)
    if (const auto it = live_update(name))
      for (const ContainerStatus& container : it->status.containers) states.push_back(container.state);
  return states;
}

bool Oracle::waits_for_link() const {
  return std::ranges::any_of(judged_, [&](const auto& it) { return waits_for_link(it.first); });
}

bool Oracle::waits_for_link(const std::string& name) const {
  std::set<std::string> nowhere;
  (void)seen_by_syncs(host_.nodes(), judged_.at(name).spec, &nowhere);
  const auto live_update = this->live_update(name);
  const Condition* synced =
      live_update ? find_condition(live_update->status.conditions, condition::kSynced) : nullptr;
  return !nowhere.empty() && synced && synced->reason == "ContentNeeded";
}

std::string Oracle::untold(const std::string& name) const {
  const auto live_update = this->live_update(name);
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
