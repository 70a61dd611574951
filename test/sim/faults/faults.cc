#include "test/sim/faults/faults.h"

#include <algorithm>

#include "test/sim/driver/specs.h"
#include "test/sim/oracle/naive_rules.h"
#include "test/sim/world/world.h"

namespace live_update::sim {
namespace {

Micros up_to(World& world, int milliseconds) {
  return Micros(std::int64_t{world.random.below(milliseconds * 1000 + 1)});
}

// ------------------------------------------------------------------------------------------- the programs

// Between any two steps, most often in the middle of what a save causes.
void operator_crashes(World& world) {
  world.at_step(world.random.below(300), [&world] {
    world.crash_operator(0);
    world.later(up_to(world, 4'000), [&world] {
      if (world.operators() == 0) world.start_operator();
    });
  });
}

void watcher_crashes(World& world) {
  world.at_step(world.random.below(300), [&world] {
    world.stop_watcher(false);
    world.later(up_to(world, 4'000), [&world] { world.start_watcher(); });
  });
}

void watcher_ends(World& world) {
  world.stop_watcher(true);
  world.later(up_to(world, 6'000), [&world] { world.start_watcher(); });
}

// A rollout of the operator that takes its time: for a minute at most there are two.
void second_operator(World& world) {
  if (world.operators() != 1) return;
  world.start_operator();
  world.later(up_to(world, 60'000), [&world] {
    if (world.operators() > 1) world.crash_operator(static_cast<std::size_t>(world.random.below(2)));
  });
}

// -------------------------------------------------------------------------------------------- the network

void connections_cut(World& world) {
  const int whose = world.random.below(3);
  int number = 0;
  world.for_each_link([&](Link& link) {
    if (number++ == whose || whose == 2) link.cut();
  });
}

void with_weather(World& world, const std::function<void(Weather&)>& change) {
  world.for_each_link([&](Link& link) { change(link.weather); });
}

void answers_lost(World& world) {
  with_weather(world, [](Weather& it) { it.lost = 300; });
  world.later(up_to(world, 4'000), [&world] { with_weather(world, [](Weather& it) { it.lost = 0; }); });
}

void requests_refused(World& world) {
  with_weather(world, [](Weather& it) { it.refused = 400; });
  world.later(up_to(world, 4'000), [&world] { with_weather(world, [](Weather& it) { it.refused = 0; }); });
}

void network_slow(World& world) {
  const Micros lag = up_to(world, 800);
  with_weather(world, [&](Weather& it) { it.lag = lag; });
  world.later(up_to(world, 6'000),
              [&world] { with_weather(world, [](Weather& it) { it.lag = Weather().lag; }); });
}

void api_server_away(World& world) {
  with_weather(world, [](Weather& it) { it.down = true; });
  connections_cut(world);
  world.later(up_to(world, 5'000), [&world] { with_weather(world, [](Weather& it) { it.down = false; }); });
}

// What watches have to say comes late, requests are answered at once.
void watches_stall(World& world) {
  const Instant until = world.loop.now() + up_to(world, 8'000);
  world.for_each_link([&](Link& link) {
    if (world.random.below(2)) link.weather.stalled_until = until;
  });
}

// Of some kinds of objects what happens is heard of later than of others.
void watches_apart(World& world) {
  world.for_each_link([&](Link& link) { link.stall_apart(Micros(4'000'000)); });
}

void events_doubled(World& world) {
  with_weather(world, [](Weather& it) { it.doubled = 400; });
  world.later(up_to(world, 6'000), [&world] { with_weather(world, [](Weather& it) { it.doubled = 0; }); });
}

void pod_deleted(World& world) {
  const auto pods = world.cluster.pods();
  if (!pods.empty()) world.cluster.delete_pod(world.random.pick(pods));
}

// Watches have to begin from a new list (410), which tells nothing of what went while they heard nothing.
void compaction(World& world) {
  const Micros deaf = up_to(world, 1'500);
  world.for_each_link([&](Link& link) { link.weather.stalled_until = world.loop.now() + deaf; });
  if (world.random.below(2)) pod_deleted(world);
  world.later(deaf, [&world] {
    world.api.objects.compact();
    world.for_each_link([](Link& link) { link.cut(); });
  });
}

void admission_refuses(World& world) {
  const auto files = world.host.files_below("");
  if (files.empty()) return;
  world.forbid(world.random.pick(files));
  world.later(up_to(world, 8'000), [&world] { world.forbid(""); });
}

// -------------------------------------------------------------------------------------------- the objects

// One of the newest `most`.
void delete_change_set(World& world, std::size_t most) {
  auto names = world.change_sets();
  if (names.empty() || world.limits.needed < Limits().needed) return;  // the next operator would not miss it
  if (world.breadth.links) return;  // what is behind a link that leads to nothing by then is known to nobody
  if (names.size() > most) names.erase(names.begin(), names.end() - static_cast<std::ptrdiff_t>(most));
  const std::string& name = world.random.pick(names);
  world.trace.add("somebody", "deletes ChangeSet " + name);
  (void)world.api.objects.remove(*parse_resource_path(kChangeSets + name));
}

void change_set_deleted(World& world) { delete_change_set(world, world.change_sets().size()); }

// While no operator runs, and perhaps no watcher: of what was posted last the operator has seen nothing.
void change_set_deleted_unseen(World& world) {
  world.crash_operator(0);
  world.later(up_to(world, 2'000), [&world] {
    if (world.random.below(2)) world.stop_watcher(false);
    delete_change_set(world, world.random.below(2) ? 3 : 1000);
    world.later(up_to(world, 1'000), [&world] {
      if (world.operators() == 0) world.start_operator();
    });
    world.later(up_to(world, 4'000), [&world] { world.start_watcher(); });
  });
}

void status_wiped(World& world) {
  world.trace.add("somebody", "wipes the status");
  (void)world.api.objects.merge_patch(*parse_resource_path(kLiveUpdates + "web/status"),
                                      R"({"status":null})");
}

// Before anything was posted the image is taken to hold what the disk has, whatever the rules become (rule 5.8).
void syncs_changed(World& world) {
  if (!world.change_sets().empty()) world.change_spec(changed_syncs(world.spec, world.random, world.breadth));
}

void runs_changed(World& world) { world.change_spec(changed_runs(world.spec, world.random)); }

void live_update_remade(World& world) {
  world.delete_live_update();
  world.later(up_to(world, 3'000), [&world] {
    if (!world.has_live_update()) world.make_live_update();
  });
}

// --------------------------------------------------------------------------------------------- the cluster

void scaled(World& world) { world.cluster.scale(world.random.between(1, 4)); }

void container_restarted(World& world) {
  const auto pods = world.cluster.pods();
  if (!pods.empty()) world.cluster.restart_container(world.random.pick(pods));
}

void runs_fail(World& world) {
  world.cluster.set_failing_runs(500);
  world.later(up_to(world, 5'000), [&world] { world.cluster.set_failing_runs(0); });
}

constexpr Micros kGlance{20'000};

// As soon as a status says that a run is due again; `glances`: for how long that is waited for.
void when_due(World& world, int glances, void (*work)(World& world)) {
  const auto states = world.oracle.states();
  if (std::ranges::find(states, "RunFailed") != states.end()) {
    world.cluster.set_failing_runs(0);
    return work(world);
  }
  if (glances == 0) return world.cluster.set_failing_runs(0);
  world.later(kGlance, [&world, glances, work] { when_due(world, glances - 1, work); });
}

void fail_then(World& world, void (*work)(World& world)) {
  world.cluster.set_failing_runs(700);
  save_something(world);
  when_due(world, 100, work);
}

// The next operator has to know what is due, by the status.
void crash_when_due(World& world) {
  fail_then(world, [](World& it) {
    it.crash_operator(0);
    it.later(up_to(it, 2'000), [&it] {
      if (it.operators() == 0) it.start_operator();
    });
  });
}

// What is due is another step by then.
void steps_when_due(World& world) { fail_then(world, runs_changed); }

// Until their time is over.
void runs_hang(World& world) {
  world.cluster.set_hanging_runs(300);
  world.later(up_to(world, 5'000), [&world] { world.cluster.set_hanging_runs(0); });
}

// By the kubelet.
void exec_refused(World& world) {
  world.cluster.refuse_exec(true);
  world.later(up_to(world, 1'500), [&world] { world.cluster.refuse_exec(false); });
}

void disk_full(World& world) {
  const auto pods = world.cluster.pods();
  if (pods.empty()) return;
  world.cluster.set_full(world.random.pick(pods), true);
  world.later(up_to(world, 3'000), [&world] { world.cluster.set_full("", false); });
}

// What a program writes below what a sync fills: what is ignored has to stay there.
void files_left(World& world) {
  const auto pods = world.cluster.pods();
  const auto roots = sim::sync_roots(world.spec);
  if (pods.empty() || roots.empty()) return;
  const std::string pod = world.random.pick(pods), root = world.random.pick(roots);
  const std::string name = std::to_string(world.random.below(1000));
  world.cluster.leave(pod, root + "/made/out" + name, false);
  if (world.random.below(2)) world.cluster.leave(pod, root + "/x/made" + name, false);
  if (world.spec.source.deletes != DeletePolicy::Mirror) return;
  world.cluster.leave(pod, root + "/made/" + std::string(kKeptBySpec) + "/a" + name, true);
  world.cluster.leave(pod, root + "/" + std::string(kKeptByFile) + "/b" + name, true);
}

void comparison_asked(World& world) { world.ask_for_comparison(); }

// ------------------------------------------------------------------------------------------------ the host

void events_lost(World& world) { world.host.overflow(); }

void clock_jumps(World& world) {
  const Micros by = up_to(world, 3'600'000);
  world.trace.add("clock", "is set by " + std::to_string(by.count()) + " us");
  world.loop.jump(world.random.below(2) ? by : -by);
}

void stop_path_saved(World& world) { save_stop_path(world); }

// A new machine, or another checkout: the next watcher knows nothing of what was sent. As long as nothing was, it
// would be a first start, by which the image is taken to hold what the disk has (rule 5.8).
void notes_lost(World& world) {
  if (world.change_sets().empty()) return;
  world.stop_watcher(false);
  world.host.lose_notes();
  world.oracle.notes_lost();
  world.later(up_to(world, 2'000), [&world] { world.start_watcher(); });
}

constexpr Fault kFaults[] = {
    {"operator-crash", 12, operator_crashes},
    {"watcher-crash", 10, watcher_crashes},
    {"watcher-end", 4, watcher_ends},
    {"second-operator", 4, second_operator, true},
    {"cut", 8, connections_cut},
    {"lost-answers", 8, answers_lost},
    {"refused-requests", 6, requests_refused},
    {"slow-network", 6, network_slow},
    {"api-away", 4, api_server_away},
    {"stalled-watches", 8, watches_stall},
    {"watches-apart", 4, watches_apart},
    {"doubled-events", 5, events_doubled},
    {"compaction", 4, compaction},
    {"changeset-deleted", 3, change_set_deleted},
    {"changeset-unseen", 3, change_set_deleted_unseen},
    {"status-wiped", 3, status_wiped},
    {"syncs-changed", 6, syncs_changed},
    {"runs-changed", 3, runs_changed},
    {"liveupdate-remade", 2, live_update_remade},
    {"pod-deleted", 6, pod_deleted},
    {"scaled", 4, scaled},
    {"container-restarted", 6, container_restarted},
    {"runs-fail", 4, runs_fail},
    {"due-crash", 4, crash_when_due},
    {"due-steps", 4, steps_when_due},
    {"runs-hang", 3, runs_hang},
    {"files-left", 6, files_left},
    {"comparison", 3, comparison_asked},
    {"admission", 3, admission_refuses},
    {"clock-jump", 2, clock_jumps},
    {"stop-path", 4, stop_path_saved},
    {"disk-full", 3, disk_full},
    {"exec-refused", 3, exec_refused, true},
    {"events-lost", 4, events_lost},
    {"notes-lost", 2, notes_lost, true},
    {kWithLinks, 0, nullptr},
    {kWithOverlaps, 0, nullptr},
    {kWithMirrors, 0, nullptr},
    {kWithNeighbours, 0, nullptr},
    {kWithClaims, 0, nullptr},
    {kWithAims, 0, nullptr, true},
};

}  // namespace

std::span<const Fault> faults() { return kFaults; }

}  // namespace live_update::sim
