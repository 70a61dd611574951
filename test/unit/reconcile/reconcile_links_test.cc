// Rule 4.3 in what is delivered: no symlink where a sync leads to, and nothing through one.
#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

TEST_CASE(
    "4.3 no symlink of a ChangeSet comes to be where a sync leads to, and what follows does not go through "
    "one") {
  World world;
  world.lu.spec.steps = {Sync{"a", "/app"}, Sync{"b", "/app/b"}};
  world.pod("a", "c1");
  world.post(delta(1).linked("b", "/").linked("a/b", "/").saved("a/fine"));
  CHECK(world.settle_all() == "c1@1: +/app/fine; ");
  const Decision decision = world.look();
  REQUIRE(decision.change_sets.size() == 1);
  CHECK(decision.change_sets.front().status.message ==
        "not all of it is sent: spec.steps[0].sync.to sends the symlink a/b to /app/b: a sync leads to that "
        "place, or "
        "through it, and would go where the link leads: sync what the link points to (and 1 more)");
  world.post(delta(2).saved("b/bin/sh"));
  const Decision next = world.look();
  REQUIRE(next.deliveries.size() == 1);
  REQUIRE(next.deliveries[0].delivery->writes.size() == 1);
  CHECK(next.deliveries[0].delivery->writes[0].to == "/app/b/bin/sh");
  CHECK(next.deliveries[0].delivery->writes[0].root == "/app");
}

TEST_CASE("4.3 nor where a sync of another LiveUpdate of the container leads to") {
  World world;
  world.lu.spec.steps = {Sync{"a", "/app/a"}};
  world.other_roots = {"/app", "/app/a/b"};
  world.pod("a", "c1");
  world.post(delta(1).linked("a/b", "/").saved("a/fine"));
  const Decision decision = world.look();
  REQUIRE(decision.deliveries.size() == 1);
  REQUIRE(decision.deliveries[0].delivery->writes.size() == 1);
  CHECK(decision.deliveries[0].delivery->writes[0].root == "/app");
}

TEST_CASE("4.3, 5.7 what was left out for another LiveUpdate comes when the other one is gone") {
  World world;
  world.lu.spec.steps = {Sync{"a", "/app/a"}};
  world.other_roots = {"/app", "/app/a/b"};
  world.pod("a", "c1");
  world.post(delta(1).linked("a/b", "fine").saved("a/fine"));
  CHECK(world.settle_all() == "c1@1: +/app/a/fine; ");
  world.other_roots.clear();
  CHECK(world.settle_all() == "c1@1: +/app/a/b +/app/a/fine; ");
  CHECK(world.state("c1") == "Synced");
}

TEST_CASE(
    "4.3, 5.7 a LiveUpdate that leads beside these syncs, or to the same folder, makes nothing doubtful") {
  World world;
  world.lu.spec.steps = {Sync{"a", "/app/a"}, Sync{"f", "/app/f/"}};
  world.pod("a", "c1");
  world.post(delta(1).saved("a/x").saved("f"));
  CHECK(world.settle_all() == "c1@1: +/app/a/x +/app/f/f; ");
  world.other_roots = {"/app/a", "/app/b", "/app/aa"};
  CHECK(world.settle_all() == "");
  CHECK(world.state("c1") == "Synced");
  world.other_roots = {"/app/f/f"};
  CHECK(world.settle_all() == "c1@1: +/app/a/x +/app/f/f; ");
}
