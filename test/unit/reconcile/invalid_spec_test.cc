// A spec that breaks a rule: nothing is done by it, and its status says so.
#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

TEST_CASE("1.8 an object that breaks a rule is not acted upon") {
  World world;
  world.pod("a", "c1");
  world.lu.spec.steps = {Sync{"src", "app"}};
  world.post(delta(1).saved("src/x.py"));
  CHECK(world.settle_all() == "");
  CHECK(world.lu.status.state == "Invalid");
  CHECK(world.condition("Stalled").reason == "InvalidSpec");
}

TEST_CASE("1.8 6.1 an object stored before that asks for a build or SetImage says so, and does not pretend") {
  for (const bool build : {true, false}) {
    World world;
    world.pod("a", "c1");
    if (build)
      world.lu.spec.fall_back.build = FallBackBuild{{"make"}, 60};
    else
      world.lu.spec.fall_back.redeploy = Redeploy::SetImage;
    world.post(delta(1).saved("Dockerfile"));
    CHECK(world.settle_all() == "");
    CHECK(world.lu.status.state == "Invalid");
    CHECK(world.condition("Stalled").reason == "InvalidSpec");
    CHECK(world.condition("Stalled").message.contains(
        build ? "spec.fallBack.build: fallBack.build is not supported yet: "
              : "spec.fallBack.redeploy: SetImage is not supported yet: "));
    CHECK_FALSE(world.lu.status.fall_back);
    CHECK_FALSE(world.condition("FallBack").status);
    world.lu.spec.fall_back = {};
    ++world.lu.meta.generation;
    CHECK(world.settle_all() == "restart Deployment/web for 1; ");
  }
}
