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

}  // namespace

TEST_CASE(
    "7.5 a needed ChangeSet that went while no operator ran is known to be lost until a Snapshot comes") {
  World world = two_saves();
  world.change_sets.erase(world.change_sets.begin());
  world.restart_operator();
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
  world.restart_operator();
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

// Two operators may be at work for a while: what one is posting must not be deleted by the other.
TEST_CASE("7.5 half of a Checkpoint goes when nobody can be posting it any more") {
  World world = two_saves();
  auto half = std::make_shared<ChangeSet>(*std::shared_ptr<const ChangeSet>(delta(1).part(1, 2)));
  half->spec.session = "checkpoint-7";
  half->spec.checkpoint = CheckpointOf{};
  half->meta.name = "web-checkpoint-7-000001";
  half->meta.created = world.wall;
  world.post(half);
  const Decision decision = world.look();
  CHECK(decision.superseded.empty());
  REQUIRE(decision.look_again);
  CHECK(*decision.look_again - world.now == std::chrono::seconds(60));
  world.wall += std::chrono::seconds(60);
  const auto superseded = world.look().superseded;
  REQUIRE(superseded.size() == 1);
  CHECK(superseded[0].name == half->meta.name);
}
