// What the operator's judgement asks of a transport: sessions, comparing, restarts that need another pod.
#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

TEST_CASE("running containers are expected to get deliveries, unless the transport is Tar") {
  World world;
  world.pod("a", "c1");
  world.pod("b", "c2").containers[0].running = false;
  Decision decision = world.look();
  REQUIRE(decision.expected.size() == 1);
  CHECK(decision.expected[0].container_id == "c1");
  world.lu.spec.transport = Transport::Tar;
  CHECK(world.look().expected.empty());
}

TEST_CASE("5.3 a new container and a Snapshot are compared by digest, a save is not") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  CHECK(world.look().deliveries[0].delivery->compare);
  world.outcome("c1");
  world.post(delta(2).saved("src/x.py", "more"));
  CHECK_FALSE(world.look().deliveries[0].delivery->compare);
  world.outcome("c1");
  world.post(snapshot(3).saved("src/x.py", "all"));
  CHECK(world.look().deliveries[0].delivery->compare);
}

TEST_CASE("4.9 what is delivered again after a lost session is compared first") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.settle_all();
  world.post(delta(2).saved("src/x.py", "more"));
  CHECK_FALSE(world.look().deliveries[0].delivery->compare);
  world.outcome("c1", NotDelivered{"Unreachable", "cut", true});
  world.now += kSecond;
  CHECK(world.look().deliveries[0].delivery->compare);
}

TEST_CASE("4.8 a container that cannot be restarted from inside: its pod goes, if something makes another") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.look();
  world.outcome("c1", Delivered{.transport = "Agent", .replace_pod = true});
  const Decision decision = world.look();
  CHECK(decision.replaced_pods == std::vector{PodToDelete{"a", "uid-a", 1}});
  CHECK(world.state("c1") == "Applying");
  world.pods["a"].meta.owners.clear();
  world.lu.spec.target.workload.reset();
  world.lu.spec.target.selector = LabelSelector{{{"app", "web"}}};
  world.pods["a"].meta.labels = {{"app", "web"}};
  CHECK(world.look().replaced_pods.empty());
  CHECK(world.state("c1") == "Failed");
}

TEST_CASE("status says which transport each container got") {
  World world;
  world.pod("a", "c1"), world.pod("b", "c2");
  world.post(delta(1).saved("src/x.py"));
  world.look();
  world.outcome("c1", Delivered{.transport = "Agent"});
  world.outcome("c2", Delivered{.warnings = {"no agent can run there"}, .transport = "Tar"});
  world.look();
  REQUIRE(world.lu.status.containers.size() == 2);
  CHECK(world.lu.status.containers[0].transport == "Agent");
  CHECK(world.lu.status.containers[1].transport == "Tar");
  CHECK(world.lu.status.containers[1].message == "no agent can run there");
}

TEST_CASE("4.7 a restart that a failed run kept back is done after the next batch, whatever that changed") {
  World world;
  world.pod("a", "c1");
  world.lu.spec.steps.push_back(Restart{RestartSignal{"HUP"}, {"src/main"}});
  world.post(delta(1).saved("src/main"));
  CHECK(World::does(world.look()) == "c1@1: +/app/main build restart; ");
  world.outcome("c1", Delivered{.failures = {{2, 1, false, "no"}}, .skipped = {3}});
  world.post(delta(2).saved("src/other"));
  CHECK(World::does(world.look()) == "c1@2: +/app/other build restart; ");
  world.outcome("c1");
  world.post(delta(3).saved("src/other", "more"));
  CHECK(World::does(world.look()) == "c1@3: +/app/other build; ");
}

TEST_CASE("4.7 what fails later does not change what was applied before") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x"));
  world.settle_all();
  CHECK(phase_of(world.look(), "web-7f3a-000001") == "Applied");
  ChangeSet first = *world.change_sets[0];
  first.status.phase = "Applied";
  world.change_sets[0] = std::make_shared<ChangeSet>(first);
  world.post(delta(2).saved("src/y"));
  world.look();
  world.outcome("c1", Delivered{.failures = {{2, 1, false, "no"}}});
  const Decision decision = world.look();
  CHECK(phase_of(decision, "web-7f3a-000001") == "unchanged");
  CHECK(phase_of(decision, "web-7f3a-000002") == "Failed");
}
