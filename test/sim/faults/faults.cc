#include "test/sim/faults/faults.h"

#include "test/sim/driver/specs.h"
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

// Watches have to begin from a new list (410).
void compaction(World& world) {
  world.api.objects.compact();
  world.for_each_link([](Link& link) { link.cut(); });
}

void admission_refuses(World& world) {
  const auto files = world.host.files_below("");
  if (files.empty()) return;
  world.forbid(world.random.pick(files));
  world.later(up_to(world, 8'000), [&world] { world.forbid(""); });
}

// -------------------------------------------------------------------------------------------- the objects

void change_set_deleted(World& world) {
  const auto names = world.change_sets();
  if (names.empty()) return;
  const std::string& name = world.random.pick(names);
  world.trace.add("somebody", "deletes ChangeSet " + name);
  (void)world.api.objects.remove(*parse_resource_path(kChangeSets + name));
}

void status_wiped(World& world) {
  world.trace.add("somebody", "wipes the status");
  (void)world.api.objects.merge_patch(*parse_resource_path(kLiveUpdates + "web/status"),
                                      R"({"status":null})");
}

void syncs_changed(World& world) { world.change_spec(changed_syncs(world.spec, world.random)); }

void runs_changed(World& world) { world.change_spec(changed_runs(world.spec, world.random)); }

void live_update_remade(World& world) {
  world.delete_live_update();
  world.later(up_to(world, 3'000), [&world] {
    if (!world.has_live_update()) world.make_live_update();
  });
}

// --------------------------------------------------------------------------------------------- the cluster

void pod_deleted(World& world) {
  const auto pods = world.cluster.pods();
  if (!pods.empty()) world.cluster.delete_pod(world.random.pick(pods));
}

void scaled(World& world) { world.cluster.scale(world.random.between(1, 4)); }

void container_restarted(World& world) {
  const auto pods = world.cluster.pods();
  if (!pods.empty()) world.cluster.restart_container(world.random.pick(pods));
}

void runs_fail(World& world) {
  world.cluster.set_failing_runs(500);
  world.later(up_to(world, 5'000), [&world] { world.cluster.set_failing_runs(0); });
}

void disk_full(World& world) {
  const auto pods = world.cluster.pods();
  if (pods.empty()) return;
  world.cluster.set_full(world.random.pick(pods), true);
  world.later(up_to(world, 3'000), [&world] { world.cluster.set_full("", false); });
}

// ------------------------------------------------------------------------------------------------ the host

void events_lost(World& world) { world.host.overflow(); }

void clock_jumps(World& world) {
  const Micros by = up_to(world, 3'600'000);
  world.trace.add("clock", "is set by " + std::to_string(by.count()) + " us");
  world.loop.jump(world.random.below(2) ? by : -by);
}

void stop_path_saved(World& world) { save_stop_path(world); }

// A new machine, or another checkout: the next watcher knows nothing of what was sent.
void notes_lost(World& world) {
  world.stop_watcher(false);
  world.host.lose_notes();
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
    {"compaction", 4, compaction},
    {"changeset-deleted", 3, change_set_deleted, true},
    {"status-wiped", 3, status_wiped, true},
    {"syncs-changed", 6, syncs_changed, true},
    {"runs-changed", 3, runs_changed},
    {"liveupdate-remade", 2, live_update_remade, true},
    {"pod-deleted", 6, pod_deleted},
    {"scaled", 4, scaled},
    {"container-restarted", 6, container_restarted},
    {"runs-fail", 4, runs_fail},
    {"admission", 3, admission_refuses},
    {"clock-jump", 2, clock_jumps},
    {"stop-path", 4, stop_path_saved},
    {"disk-full", 3, disk_full},
    {"events-lost", 4, events_lost},
    {"notes-lost", 2, notes_lost, true},
};

}  // namespace

std::span<const Fault> faults() { return kFaults; }

}  // namespace live_update::sim
