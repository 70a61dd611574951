// What is believed of files that no ChangeSet has named (semantics.md 5.7, 5.8).
#include "core/reconcile/baseline.h"

#include <doctest/doctest.h>

#include "core/rules/rules_mark.h"
#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

World in_sync() {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/a"));
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
  CHECK(world.lu.status.baseline == "Assumed");
  return world;
}

void lead_elsewhere(World& world) {
  world.lu.spec.steps = {Sync{"src", "/srv"}};
  ++world.lu.meta.generation;
}

}  // namespace

TEST_CASE("5.7 where syncs lead elsewhere nothing is synced before a Snapshot of this reach was compared") {
  for (const bool restarted : {false, true}) {
    World world = in_sync();
    lead_elsewhere(world);
    CHECK(world.settle_all() == "c1@1: +/srv/a; ");
    if (restarted) world.restart_operator();
    world.settle_all();
    CHECK(world.state("c1") == "Waiting");
    CHECK_FALSE(world.condition("Synced").status);
    CHECK(world.condition("SnapshotNeeded").status);
    CHECK(world.condition("SnapshotNeeded").reason == "RulesChanged");
    world.post(snapshot(2).saved("src/a").saved("src/never-named").reach("another"));
    world.settle_all();
    CHECK(world.condition("SnapshotNeeded").status);
    world.post(snapshot(3).saved("src/a").saved("src/never-named").reach(reach_mark(world.lu.spec)));
    CHECK(world.settle_all() == "c1@3: +/srv/a +/srv/never-named; ");
    CHECK(world.state("c1") == "Synced");
    CHECK_FALSE(world.condition("SnapshotNeeded").status);
    CHECK(world.lu.status.baseline == "Compared");
  }
}

TEST_CASE("5.8 a new container by changed rules waits for a Snapshot, too") {
  World world = in_sync();
  world.pods.clear();
  world.settle_all();
  lead_elsewhere(world);
  world.later_pod("b", "c2");
  world.settle_all();
  CHECK(world.state("c2") == "Waiting");
  CHECK(world.condition("SnapshotNeeded").reason == "RulesChanged");
}

TEST_CASE("5.7 what was named by a Snapshot needs no other while the same paths count") {
  World world;
  world.pod("a", "c1");
  world.lu.spec.source.context = {"."};
  world.post(snapshot(1).saved("src/a").reach(reach_mark(world.lu.spec)));
  world.settle_all();
  lead_elsewhere(world);
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
  world.lu.spec.source.ignore = {"*.o"};
  ++world.lu.meta.generation;
  world.settle_all();
  CHECK(world.state("c1") == "Waiting");
}

TEST_CASE("5.7 rules that are again what they were, and others that place nothing, need none") {
  World world = in_sync();
  const auto steps = world.lu.spec.steps;
  lead_elsewhere(world);
  world.settle_all();
  world.lu.spec.steps = steps;
  ++world.lu.meta.generation;
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
  world.lu.spec.steps.push_back(World::run("lint"));
  world.lu.spec.steps.front() = FallBackOn{{"other"}};
  ++world.lu.meta.generation;
  world.settle_all();
  CHECK_FALSE(world.condition("SnapshotNeeded").status);
}

TEST_CASE("5.8 before anything was posted the rules may change as they like") {
  World world;
  world.pod("a", "c1");
  world.settle_all();
  lead_elsewhere(world);
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
}

TEST_CASE("8.5 an older watcher's Snapshot, which tells no reach, counts if it was made after the change") {
  World world = in_sync();
  lead_elsewhere(world);
  world.settle_all();
  world.post(snapshot(2).saved("src/a").created(1999));  // the condition is of 2000
  world.settle_all();
  CHECK(world.state("c1") == "Waiting");
  world.post(snapshot(3).saved("src/a").created(2000));
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
}
