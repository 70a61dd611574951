// What falls back is redeployed: once, told, and not too often (semantics.md 6).
#include "core/reconcile/reconcile.h"

#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

TEST_CASE("3.2 6.2 an unmatched change restarts the workload once and tells why") {
  World world;
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  world.post(delta(1).saved("README.md").saved("src/x.py"));
  Decision decision = world.look();
  CHECK(World::does(decision) == "restart Deployment/web for 1; ");
  CHECK(decision.status.state == "FallBack");
  REQUIRE(decision.status.fall_back);
  CHECK(decision.status.fall_back->reason == "Unmatched");
  CHECK(decision.status.fall_back->paths == std::vector<std::string>{"README.md"});
  CHECK(phase_of(decision, "web-7f3a-000001") == "FallBack");
  world.deployment.template_annotations["redeploy.liveupdate.dev/web"] = "uid-1:1";
  CHECK(World::does(world.look()) == "");
}

TEST_CASE(
    "6.5 after a redeploy the new pods get the present files, a stop path's own too where a sync covers it") {
  World world;
  world.lu.spec.steps.insert(world.lu.spec.steps.begin(), FallBackOn{{"src/Dockerfile"}});
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.settle_all();
  world.post(delta(2).saved("src/Dockerfile"));
  CHECK(world.settle_all() == "restart Deployment/web for 2; ");
  world.deployment.template_annotations["redeploy.liveupdate.dev/web"] = "uid-1:2";
  world.replica_set("web-2", "2");
  world.pod("b", "c2", "web-2").meta.annotations["redeploy.liveupdate.dev/web"] = "uid-1:2";
  CHECK(world.settle_all() == "c2@2: +/app/Dockerfile +/app/x.py build; ");
  CHECK(world.lu.status.state == "Synced");
  CHECK_FALSE(world.condition("FallBack").status);
}

// What a Snapshot changed is told by what came before it: that is superseded by the Snapshot itself.
TEST_CASE("3.7, 6.2 a Snapshot that was applied does not fall back for the next operator") {
  World world;
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  world.post(snapshot(1).saved("Dockerfile").saved("src/x.py"));
  world.settle_all();
  world.post(delta(2).deleted("Dockerfile"));
  CHECK(world.settle_all() == "restart Deployment/web for 2; ");
  world.deployment.template_annotations["redeploy.liveupdate.dev/web"] = "uid-1:2";
  world.pods.clear();
  world.replica_set("web-2", "2");
  world.pod("b", "c2", "web-2").meta.annotations["redeploy.liveupdate.dev/web"] = "uid-1:2";
  const std::shared_ptr<const ChangeSet> whole = snapshot(3).saved("src/x.py").deleted("Dockerfile");
  world.post(whole);
  world.settle_all();
  REQUIRE(world.state("c2") == "Synced");
  auto applied = std::make_shared<ChangeSet>(*whole);
  applied->status.phase = "Applied";
  world.change_sets = {world.change_sets.front(), applied};
  world.restart_operator();
  CHECK(world.settle_all() == "");
  CHECK(world.state("c2") == "Synced");
}

// By now it may seem to have done so: it is judged by what there is today, and the pods may be of the same second.
TEST_CASE("6.2 what was applied does not fall back for the next operator") {
  for (const bool was_applied : {false, true}) {
    World world;
    world.lu.spec.source.context = {"."};
    world.pod("a", "c1");
    const std::shared_ptr<const ChangeSet> said = delta(1).saved("Dockerfile");
    auto it = std::make_shared<ChangeSet>(*said);
    if (was_applied) it->status.phase = "Applied";
    world.post(it);
    CHECK(world.settle_all().contains("restart Deployment/web") == !was_applied);
  }
}

TEST_CASE("6.4 while a fall-back is pending, live updates of other files go on") {
  World world;
  world.lu.spec.fall_back.redeploy = Redeploy::None;
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  world.post(delta(1).saved("Dockerfile"));
  CHECK(world.settle_all() == "");
  world.post(delta(2).saved("src/x.py"));
  CHECK(world.settle_all() == "c1@2: +/app/x.py build; ");
  CHECK(world.state("c1") == "FallBack");
  CHECK(world.lu.status.fall_back->phase == "WaitingForDeploy");
}

TEST_CASE("6.2 a pod of the same second as the fall-back is newer if it was not there afterwards") {
  World world;
  world.lu.spec.fall_back.redeploy = Redeploy::None;
  world.lu.spec.source.context = {"."};
  world.post(delta(1).saved("Dockerfile"));
  const Time second = *world.change_sets.front()->meta.created;
  world.pod("a", "c1").meta.created = second;
  world.pod("b", "c2").meta.created = second;
  world.look();
  CHECK(world.state("c1") == "FallBack");
  CHECK(world.state("c2") == "FallBack");
  world.older_pods[1] = {"uid-a"};
  world.look();
  CHECK(world.state("c1") == "FallBack");
  CHECK(world.state("c2") == "Synced");
  world.pods["b"].meta.created = second - kSecond;
  world.look();
  CHECK(world.state("c2") == "FallBack");
}

namespace {

// One that nothing owns.
Pod& bare_pod(World& world, const std::string& name, const std::string& id) {
  world.lu.spec.target.workload.reset();
  world.lu.spec.target.selector = LabelSelector{{{"app", "web"}}};
  world.lu.spec.source.context = {"."};
  Pod& pod = world.pod(name, id);
  pod.meta.owners.clear();
  pod.meta.labels = {{"app", "web"}};
  return pod;
}

}  // namespace

TEST_CASE("6.2 bare pods are deleted, each the very one") {
  World world;
  bare_pod(world, "a", "c1");
  world.post(delta(1).saved("Dockerfile"));
  const Decision decision = world.look();
  CHECK(World::does(decision) == "delete a for 1; ");
  CHECK(decision.redeploy->bare_pods == std::vector{PodToDelete{"a", "uid-a", 1}});
  CHECK(World::does(world.look()) == "");
}

TEST_CASE("6.2 a bare pod that cannot be deleted is tried again, and that is said") {
  World world;
  bare_pod(world, "a", "c1");
  world.post(delta(1).saved("Dockerfile"));
  world.look();
  world.deletions.refused("uid-a", "forbidden", world.now);
  world.look();
  CHECK(world.lu.status.fall_back->phase == "Failed");
  CHECK(world.lu.status.fall_back->message == "pod a is not deleted now: forbidden");
  world.now += kSecond;
  CHECK(World::does(world.look()) == "delete a for 1; ");
}

TEST_CASE("6.2 a run that fails in each bare pod that somebody makes anew does not delete them for ever") {
  World world;
  bare_pod(world, "a0", "c0");
  world.lu.spec.steps.back() = World::run("build", OnFailure::FallBack);
  world.post(delta(1).saved("src/x.py"));
  int deleted = 0;
  for (int i = 0; i < 120; ++i) {
    const Decision decision = world.look();
    for (const auto& [id, sequence] : std::map(world.under_way))
      world.outcome(id, Delivered{{RunFailure{2, 1, false, ""}}});
    if (decision.redeploy) {
      world.pods.clear();
      const std::string number = std::to_string(++deleted);
      bare_pod(world, "a" + number, "c" + number).meta.created = world.wall;
    }
    world.now += 5 * kSecond, world.wall += 5 * kSecond;
  }
  CHECK(deleted == PodDeletions::kRounds);
}

TEST_CASE("6.2 two redeploys at once, then one in 30 s for the newest fall-back, and the wait is said") {
  World world;
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  const auto fall_back = [&](int sequence) {
    world.post(delta(sequence).saved("Dockerfile"));
    const Decision decision = world.look();
    if (decision.redeploy)
      world.deployment.template_annotations["redeploy.liveupdate.dev/web"] =
          "uid-1:" + std::to_string(sequence);
    return World::does(decision);
  };
  CHECK(fall_back(1) == "restart Deployment/web for 1; ");
  CHECK(fall_back(2) == "restart Deployment/web for 2; ");
  CHECK(fall_back(3) == "");
  CHECK(world.lu.status.fall_back->phase == "Delayed");
  const std::string why =
      "it was redeployed 2 times a moment ago: from then on once in 30 s, for the newest fall-back";
  CHECK(world.lu.status.fall_back->message == why);
  CHECK(world.condition("FallBack").message == "fallBackOn matches Dockerfile; " + why);
  CHECK(fall_back(4) == "");
  const Decision waiting = world.look();
  REQUIRE(waiting.look_again);
  CHECK(*waiting.look_again - world.now == 30 * kSecond);
  world.now = *waiting.look_again;
  CHECK(World::does(world.look()) == "restart Deployment/web for 4; ");
}

TEST_CASE("6.6 each fall-back of a burst has an Event, which names the user") {
  World world;
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  for (int sequence : {1, 2, 3}) {
    ChangeSet it = *std::shared_ptr<const ChangeSet>(delta(sequence).saved("Dockerfile"));
    it.spec.user = "ada\x1b[2J";
    world.post(std::make_shared<ChangeSet>(it));
  }
  std::set<std::string> told;
  for (const ChangeSetNote& it : world.look().change_sets) {
    REQUIRE(it.event);
    told.insert(it.event->message);
  }
  CHECK(told.size() == 3);
  CHECK(
      *told.begin() ==
      "StopPath: fallBackOn matches Dockerfile; ChangeSet web-7f3a-000001 of ada\\x1b[2J; Deployment/web is "
      "restarted");
}

TEST_CASE("4.7 onFailure: FallBack redeploys once") {
  World world;
  world.lu.spec.steps.back() = World::run("build", OnFailure::FallBack);
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.look();
  world.outcome("c1", Delivered{{RunFailure{2, 1, false, ""}}});
  CHECK(World::does(world.look()) == "restart Deployment/web for 1; ");
  CHECK(world.lu.status.fall_back->reason == "RunFailed");
}
