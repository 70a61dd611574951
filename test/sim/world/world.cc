#include "test/sim/world/world.h"

#include <algorithm>

#include "core/api/codec.h"
#include "test/sim/driver/specs.h"
#include "test/sim/faults/faults.h"
#include "test/sim/oracle/naive_rules.h"

namespace live_update::sim {
namespace {

enum Stream : std::uint64_t {
  kHappenings = 10,
  kHost,
  kCluster,
  kLimits,
  kMirror,
  kLinked,
  kClaims,
  kLinks = 100
};

// Each of them small enough to be met by some seeds; a file may be as large as any that is saved here.
Limits small_limits(Random random) {
  const auto one_of = [&](int least, int most) {
    return static_cast<std::size_t>(random.between(least, most));
  };
  Limits it;
  it.checkpoints.most = one_of(5, 20);
  it.checkpoints.apart = one_of(1, 3);
  it.checkpoints.content = random.below(3) == 0 ? 300 : 100'000;
  it.checkpoints.part = one_of(700, 6000);
  it.checkpoints.changes = one_of(3, 30);
  it.inline_content = one_of(300, 3000);
  it.packed_changes = one_of(1, 12);
  it.kept_content = one_of(0, 3000);
  it.farthest_ahead = random.between(20, 200);
  it.waiting = one_of(3'000, 200'000);
  it.needed = random.below(4) == 0 ? one_of(5, 60) : it.needed;
  it.containers = one_of(1, 4);
  it.others = one_of(2, 3);
  it.other_ids = one_of(4, 6);
  it.wanted = one_of(1, 8);
  it.deliveries = one_of(1, 3);
  return it;
}

std::string spec_text(const LiveUpdateSpec& spec, const std::string& name = "web") {
  LiveUpdate it;
  it.meta.ns = "shop";
  it.meta.name = name;
  it.spec = spec;
  return encode_live_update(it);
}

}  // namespace

World::World(std::uint64_t seed, bool print, const std::set<std::string>& without)
    : random(seed, kHappenings),
      breadth{!without.contains(std::string(kWithLinks)) && Random(seed, kLinked).below(3) > 0,
              !without.contains(std::string(kWithOverlaps))},
      loop(seed),
      trace(loop, print),
      api(loop),
      host(loop, Random(seed, kHost)),
      cluster(loop, api, trace, Random(seed, kCluster), sim_programs().begin()->second.digest),
      oracle(loop, api, cluster, host, trace),
      limits(small_limits(Random(seed, kLimits))),
      mirrors_(!without.contains(std::string(kWithMirrors))),
      neighbours_(!without.contains(std::string(kWithNeighbours))),
      claims_(!without.contains(std::string(kWithClaims))),
      seed_(seed) {}

// What may leave the machine is wide: how far specs reach is not what is looked at here.
void World::begin() {
  first_files(*this);
  spec = first_spec(random, breadth);
  if (mirrors_ && Random(seed_, kMirror).below(3) == 0) {
    mirror(spec);
    host.write(".dockerignore", "**/" + std::string(kKeptByFile) + "\n");
  }
  oracle.note_host(widest_spec());
  ModelContainer filled;
  const HostNodes disk = seen_by_syncs(host.nodes(), spec);
  for (const auto& [path, node] : disk) {
    const auto remote = remote_path(spec, path);
    if (node.type == FileType::File)
      if (const auto also = remote_path(neighbour_spec(), path))
        filled.put(*also, {FileType::File, node.mode, node.content, {}});
    if (!remote || node.type != FileType::File) continue;
    const auto sources = sources_of(spec, *remote);
    if (*std::ranges::find_if(sources, [&](const auto& it) { return disk.contains(it); }) == path)
      filled.put(*remote, {FileType::File, node.mode, node.content, {}});
  }
  allow("web");
  make_live_update();
  if (random.below(3) == 0 && neighbours_) {
    allow("also");
    apply("also", neighbour_spec());
  }
  if (claims_ && Random(seed_, kClaims).below(3) == 0) cluster.give_claims();
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
  operators_.push_back({name, &link, std::make_unique<OperatorProcess>(loop, link, name, trace, limits)});
}

void World::crash_operator(std::size_t which) {
  if (which >= operators_.size()) return;
  trace.add(operators_[which].name, "crashes");
  operators_.erase(operators_.begin() + static_cast<std::ptrdiff_t>(which));
}

void World::allow(const std::string& name) {
  Watching& it = watchers_[name];
  it.ceiling =
      std::make_unique<Ceiling>(AcceptedSpec("", {"https://sim", "shop", name, host.files().root()}));
  (void)it.ceiling->accept(widest_spec());
}

void World::start_watcher() {
  if (std::exchange(watching_, true)) return;
  for (auto& [name, it] : watchers_) {
    const std::string id = "s" + std::to_string(++watchers_made_);
    trace.add("watcher", "of " + name + " starts as " + id);
    it.link = &new_link("watcher-" + id);
    it.link->weather.forbidden = forbidden_;
    it.process = std::make_unique<WatcherProcess>(loop, *it.link, host, *it.ceiling, name, id, limits, trace);
  }
}

void World::stop_watcher(bool clean) {
  if (!std::exchange(watching_, false)) return;
  trace.add("watcher", clean ? "ends" : "crashes");
  for (auto& [name, it] : watchers_) {
    if (clean) it.process->end();
    it.process.reset();
  }
}

void World::apply(const std::string& name, const LiveUpdateSpec& applied) {
  trace.add("user", "applies " + name + ": " + describe(applied));
  (void)api.objects.create(*parse_resource_path(kLiveUpdates), spec_text(applied, name));
}

void World::make_live_update() { apply("web", spec); }

void World::change_spec(LiveUpdateSpec changed) {
  spec = std::move(changed);
  cluster.drop_claims();  // what older rules have put elsewhere stays until a container is new (rule 5.7)
  if (!has_live_update()) return;
  trace.add("user", "changes to " + describe(spec));
  (void)api.objects.merge_patch(*parse_resource_path(kLiveUpdates + "web"), spec_text(spec));
}

// What the garbage collector does.
void World::delete_live_update() {
  if (!has_live_update()) return;
  trace.add("user", "deletes the LiveUpdate");
  cluster.drop_claims();
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

void World::ask_for_comparison() {
  if (!has_live_update()) return;
  trace.add("user", "asks for a comparison");
  (void)api.objects.merge_patch(*parse_resource_path(kLiveUpdates + "web"),
                                R"({"metadata":{"annotations":{"liveupdate.dev/sync-requested-at":")" +
                                    std::to_string(++asked_) + R"("}}})");
}

void World::for_each_link(const std::function<void(Link&)>& work) {
  for (const Running& it : operators_) work(*it.link);
  for (const auto& [name, it] : watchers_)
    if (it.link) work(*it.link);
}

void World::forbid(const std::string& path) {
  trace.add("admission", path.empty() ? "takes everything" : "refuses " + path);
  const std::string before = std::exchange(forbidden_, path);
  for_each_link([&](Link& link) { link.weather.forbidden = path; });
  if (before.empty() || !path.empty() || !watching_) return;
  stop_watcher(true);
  start_watcher();
}

std::vector<std::string> World::change_sets() const {
  std::vector<std::pair<std::int64_t, std::string>> all;
  for (const auto& object : api.objects.list(*parse_resource_path(kChangeSets), {}))
    if (const auto it = decode_change_set(*object)) all.emplace_back(it->spec.sequence, it->meta.name);
  std::ranges::sort(all);
  std::vector<std::string> names;
  std::ranges::transform(all, std::back_inserter(names), [](auto& it) { return std::move(it.second); });
  return names;
}

void World::calm_down() {
  trace.add("driver", "faults stop");
  later_.clear();
  at_steps_.clear();
  forbid("");
  for_each_link([](Link& link) { link.weather = {}; });
  cluster.set_failing_runs(0);
  cluster.set_hanging_runs(0);
  cluster.set_full("", false);
  cluster.refuse_exec(false);
  while (operators_.size() > 1) crash_operator(0);
  if (operators_.empty()) start_operator();
  if (!has_live_update()) make_live_update();
  start_watcher();
}

}  // namespace live_update::sim
