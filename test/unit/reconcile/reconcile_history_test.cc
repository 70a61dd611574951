// What an operator that takes over knows of ChangeSets that somebody deleted (semantics.md 5.3, 7.5).
#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

World two_saves() {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/a"));
  world.post(delta(2).saved("src/b"));
  world.settle_all();
  CHECK(world.lu.status.history == "1-2");
  return world;
}

void take_over(World& world) {
  world.lanes = lanes_from(world.lu.status);
  world.history = History();
  world.history.expect(world.lu.status.history);
  world.judgements.clear();
}

}  // namespace

TEST_CASE(
    "7.5 a needed ChangeSet that went while no operator ran is known to be lost until a Snapshot comes") {
  World world = two_saves();
  world.change_sets.erase(world.change_sets.begin());
  take_over(world);
  world.later_pod("b", "c2");
  world.look();
  CHECK(world.condition("SnapshotNeeded").status);
  CHECK(world.condition("SnapshotNeeded").reason == "HistoryLost");
  CHECK(world.state("c1") == "Synced");
  CHECK(world.state("c2") == "Waiting");
  world.post(delta(3).saved("src/c"));
  world.settle_all();
  CHECK(world.condition("SnapshotNeeded").status);
  CHECK(world.state("c2") == "Waiting");
  world.post(snapshot(4).saved("src/a").saved("src/b").saved("src/c"));
  world.settle_all();
  CHECK_FALSE(world.condition("SnapshotNeeded").status);
  CHECK(world.state("c2") == "Synced");
}

TEST_CASE("7.5 an operator that takes over misses nothing where all is there") {
  World world = two_saves();
  take_over(world);
  world.look();
  CHECK_FALSE(world.condition("SnapshotNeeded").status);
  CHECK(world.lu.status.history == "1-2");
}

TEST_CASE("7.5 what is not needed any more is deleted when the status does not call it needed any more") {
  World world = two_saves();
  const LiveUpdateStatus before = world.lu.status;
  world.post(delta(3).saved("src/a", "more"));
  world.settle_all();
  CHECK(world.lu.status.history == "2-3");
  world.lu.status.history = before.history;  // not written yet
  CHECK(world.look().superseded.empty());
  REQUIRE(world.look().superseded.size() == 1);
  CHECK(world.look().superseded[0].name == "web-7f3a-000001");
}
