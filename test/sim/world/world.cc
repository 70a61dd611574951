#include "test/sim/world/world.h"

#include <algorithm>

#include "core/api/codec.h"
#include "test/sim/driver/specs.h"
#include "test/sim/oracle/naive_rules.h"

namespace live_update::sim {
namespace {

enum Stream : std::uint64_t { kHappenings = 10, kHost, kCluster, kLinks = 100 };

std::string spec_text(const LiveUpdateSpec& spec) {
  LiveUpdate it;
  it.meta.ns = "shop";
  it.meta.name = "web";
  it.spec = spec;
  return encode_live_update(it);
}

}  // namespace

World::World(std::uint64_t seed, bool print)
    : random(seed, kHappenings),
      loop(seed),
      trace(loop, print),
      api(loop),
      host(loop, Random(seed, kHost)),
      cluster(loop, api, trace, Random(seed, kCluster), sim_programs().begin()->second.digest),
      oracle(loop, api, cluster, host, trace),
      seed_(seed) {}

// What may leave the machine is wide: how far specs reach is not what is looked at here.
void World::begin() {
  first_files(*this);
  spec = first_spec(random);
  oracle.note_host();
  Nodes image;
  ModelContainer filled;
  for (const auto& [path, node] : host.nodes())
    if (const auto remote = remote_path(spec, path); remote && node.type == FileType::File)
      filled.put(*remote, {FileType::File, node.mode, node.content, {}});
  ceiling_ = std::make_unique<Ceiling>(AcceptedSpec("", {"https://sim", "shop", "web", host.files().root()}));
  (void)ceiling_->accept(widest_spec());
  make_live_update();
  cluster.deploy(filled.tree, random.between(1, 3));
  start_operator();
  start_watcher();
}

void World::run_for(Micros time) {
  const Instant until = loop.now() + time;
  while (loop.step(until)) {
    for (std::size_t i = 0; i < at_steps_.size();) {
      if (at_steps_[i].first > loop.steps()) {
        ++i;
        continue;
      }
      Callback work = std::move(at_steps_[i].second);
      at_steps_.erase(at_steps_.begin() + static_cast<std::ptrdiff_t>(i));
      work();
    }
  }
}

void World::at_step(int steps, Callback work) {
  at_steps_.emplace_back(loop.steps() + static_cast<std::uint64_t>(steps), std::move(work));
}

void World::later(Micros delay, Callback work) { later_.push_back(loop.in(delay, std::move(work))); }

Link& World::new_link(const std::string& name) {
  links_.push_back(std::make_unique<Link>(loop, api, name, Random(seed_, kLinks + links_.size()), trace,
                                          [this](const Request& request) { oracle.sent(request); }));
  return *links_.back();
}

void World::start_operator() {
  const std::string name = "operator-" + std::to_string(++operators_made_);
  trace.add(name, "starts");
  Link& link = new_link(name);
  operators_.push_back({name, &link, std::make_unique<OperatorProcess>(loop, link, name, trace)});
}

void World::crash_operator(std::size_t which) {
  if (which >= operators_.size()) return;
  trace.add(operators_[which].name, "crashes");
  operators_.erase(operators_.begin() + static_cast<std::ptrdiff_t>(which));
}

void World::start_watcher() {
  if (watcher_) return;
  const std::string id = "s" + std::to_string(++watchers_made_);
  trace.add("watcher", "starts as " + id);
  watcher_link_ = &new_link("watcher-" + id);
  watcher_link_->weather.forbidden = forbidden_;
  watcher_ = std::make_unique<WatcherProcess>(loop, *watcher_link_, host, *ceiling_, id, trace);
}

void World::stop_watcher(bool clean) {
  if (!watcher_) return;
  trace.add("watcher", clean ? "ends" : "crashes");
  if (clean) watcher_->end();
  watcher_.reset();
}

void World::make_live_update() {
  trace.add("user", "applies " + describe(spec));
  (void)api.objects.create(*parse_resource_path(kLiveUpdates), spec_text(spec));
}

void World::change_spec(LiveUpdateSpec changed) {
  spec = std::move(changed);
  if (!has_live_update()) return;
  trace.add("user", "changes to " + describe(spec));
  (void)api.objects.merge_patch(*parse_resource_path(kLiveUpdates + "web"), spec_text(spec));
}

// What the garbage collector does.
void World::delete_live_update() {
  if (!has_live_update()) return;
  trace.add("user", "deletes the LiveUpdate");
  const auto gone = api.objects.remove(*parse_resource_path(kLiveUpdates + "web"));
  const std::string uid = gone ? decode_meta(**gone).uid : "";
  later(Micros(random.below(2'000'000)), [this, uid] {
    for (const std::string& name : change_sets()) {
      const auto at = *parse_resource_path(kChangeSets + name);
      const auto meta = decode_meta(**api.objects.get(at));
      if (!meta.owners.empty() && meta.owners.front().uid == uid) (void)api.objects.remove(at);
    }
  });
}

void World::for_each_link(const std::function<void(Link&)>& work) {
  for (const Running& it : operators_) work(*it.link);
  if (watcher_link_) work(*watcher_link_);
}

void World::forbid(const std::string& path) {
  trace.add("admission", path.empty() ? "takes everything" : "refuses " + path);
  const std::string before = std::exchange(forbidden_, path);
  for_each_link([&](Link& link) { link.weather.forbidden = path; });
  if (before.empty() || !path.empty() || !watcher_) return;
  stop_watcher(true);
  start_watcher();
}

std::vector<std::string> World::change_sets() const {
  std::vector<std::string> names;
  for (const auto& object : api.objects.list(*parse_resource_path(kChangeSets), {}))
    names.push_back(decode_meta(*object).name);
  return names;
}

void World::calm_down() {
  trace.add("driver", "faults stop");
  later_.clear();
  at_steps_.clear();
  forbid("");
  for_each_link([](Link& link) { link.weather = {}; });
  cluster.set_failing_runs(0);
  cluster.set_full("", false);
  while (operators_.size() > 1) crash_operator(0);
  if (operators_.empty()) start_operator();
  if (!has_live_update()) make_live_update();
  start_watcher();
}

}  // namespace live_update::sim
