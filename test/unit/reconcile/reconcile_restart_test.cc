// Restarts, and pods that are deleted for them: never without an end (semantics.md 4.8).
#include "core/reconcile/reconcile.h"

#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

TEST_CASE("4.8 a container that was restarted as asked is brought up to date, and not restarted for that") {
  World w;
  w.lu.spec.steps = {Sync{"src", "/app"}, Restart{RestartContainer{}, {}}};
  w.pod("web-a", "c1");
  w.post(delta(1).saved("src/a"));
  CHECK(w.settle_all() == "c1@1: +/app/a restart; ");
  w.later_pod("web-a", "c2").containers[0].restarts = 1;
  CHECK(w.settle_all() == "c2@1: +/app/a; ");
  w.post(delta(2).saved("src/b"));
  CHECK(w.settle_all() == "c2@2: +/app/b restart; ");
}

TEST_CASE("4.8 neither is one whose pod took the place of a deleted one, nor a further replica") {
  World w;
  w.lu.spec.steps = {Sync{"src", "/app"}, Restart{RestartContainer{}, {}}};
  w.pod("web-a", "c1");
  w.post(delta(1).saved("src/a"));
  CHECK(w.settle_all() == "c1@1: +/app/a restart; ");
  w.pods.clear();
  w.later_pod("web-b", "c2");
  w.look();
  w.post(delta(2).saved("src/b"));  // before it first counts as synced
  w.outcome("c2");
  CHECK(w.settle_all() == "c2@2: +/app/b; ");
  w.later_pod("web-c", "c3");
  w.lanes["c3"].problem = Lane::Problem{{"Retrying", "cut", true}, 1, 1};
  w.post(delta(3).saved("src/c"));
  CHECK(w.settle_all() == "c2@3: +/app/c restart; c3@3: +/app/a +/app/b +/app/c; ");
  w.later_pod("web-d", "c4");
  w.lanes = lanes_from(w.lu.status);  // another operator
  CHECK(w.settle_all() == "c4@3: +/app/a +/app/b +/app/c; ");
}

TEST_CASE(
    "4.8 what a signal has ended is not signalled again for what it gets anew; one that only reloads is") {
  World w;
  w.lu.spec.steps = {Sync{"src", "/app"}, Restart{RestartSignal{"TERM"}, {}}};
  w.pod("web-a", "c1");
  w.post(delta(1).saved("src/a"));
  CHECK(w.settle_all() == "c1@1: +/app/a restart; ");
  w.now += 2 * kSecond;
  w.pods["web-a"].containers[0].running = false;
  w.look();
  w.now += 300 * kSecond;  // CrashLoopBackOff
  w.pods["web-a"].containers[0].container_id = "c2";
  w.pods["web-a"].containers[0].running = true;
  w.pods["web-a"].containers[0].started = w.wall;
  CHECK(w.settle_all() == "c2@1: +/app/a; ");
  w.post(delta(2).saved("src/b"));
  CHECK(w.settle_all() == "c2@2: +/app/b restart; ");
  w.now += 3600 * kSecond;  // much later it crashes by itself
  w.pods["web-a"].containers[0].container_id = "c3";
  w.pods["web-a"].containers[0].started = w.wall;
  CHECK(w.settle_all() == "c3@2: +/app/a +/app/b restart; ");
}

TEST_CASE("4.8 what was synced with nothing to get, or was there before the LiveUpdate, is not new") {
  World w;
  w.lu.spec.steps = {Sync{"src", "/app"}, Restart{RestartContainer{}, {}}};
  w.later_pod("web-a", "c1");
  w.look();
  CHECK(w.state("c1") == "Synced");
  w.lanes = lanes_from(w.lu.status);
  w.pod("web-b", "c2");
  w.post(delta(1).saved("src/a"));
  CHECK(w.settle_all() == "c1@1: +/app/a restart; c2@1: +/app/a restart; ");
}

namespace {

// A Deployment whose process 1 never ends when asked to: each delivery with a restart asks for the deletion
// of its pod, and a new one comes at once. How many are deleted in `seconds`.
int pods_deleted_in(World& w, int seconds, bool operator_restarts = false) {
  static int made = 0;  // no pod is made twice
  int deleted = 0;
  const std::chrono::milliseconds step{seconds > 60 ? 5'000 : 200};
  for (int tick = 0; tick < seconds * 1000 / step.count(); ++tick) {
    const Decision decision = w.look();
    for (const auto& [id, sequence] : std::map(w.under_way))
      w.outcome(id, Delivered{.replace_pod = true});  // restart or not: the worst transport
    for (const PodToDelete& it : decision.replaced_pods) {
      ++deleted;
      w.pods.erase(it.name);
      const std::string name = "new-" + std::to_string(++made);
      w.later_pod(name, "c-" + name);
    }
    if (operator_restarts && tick % 10 == 5) w.lanes = lanes_from(w.lu.status);
    w.now += step;
    w.wall += step;
  }
  return deleted;
}

}  // namespace

TEST_CASE("4.8 whatever asks for it, one save deletes few pods, and says so") {
  World w;
  w.lu.spec.steps = {Sync{"src", "/app"}, Restart{RestartContainer{}, {}}};
  w.pod("web-a", "c1");
  w.post(delta(1).saved("src/a"));
  CHECK(pods_deleted_in(w, 9) == 1);
  CHECK(w.lu.status.containers[0].state == "Waiting");
  CHECK(
      w.lu.status.containers[0].message ==
      "the pod is deleted, because its process 1 does not end when asked to, but not yet: 1 pod was deleted "
      "for sequence 1 already");
  CHECK(w.condition("Synced").message.ends_with("1 pod was deleted for sequence 1 already"));
  CHECK(pods_deleted_in(w, 600) == PodDeletions::kRounds - 1);
  CHECK(w.lu.status.state == "Failed");
  CHECK(
      w.condition("Stalled").message.ends_with("but not this one: 4 pods were deleted for sequence 1 "
                                               "already, and the next save may delete others. Let "
                                               "process 1 end on TERM"));
  w.post(delta(2).saved("src/b"));
  CHECK(pods_deleted_in(w, 5) == 1);
}

TEST_CASE("4.8 a pod that is to be deleted is so by the next operator, too") {
  World w;
  w.lu.spec.steps = {Sync{"src", "/app"}, Restart{RestartContainer{}, {}}};
  w.pod("web-a", "c1");
  w.post(delta(1).saved("src/a"));
  w.look();
  w.outcome("c1", Delivered{.replace_pod = true});
  CHECK(w.look().replaced_pods == std::vector{PodToDelete{"web-a", "uid-web-a", 1}});
  w.lanes = lanes_from(w.lu.status);
  w.deletions = PodDeletions();
  CHECK(w.look().replaced_pods == std::vector{PodToDelete{"web-a", "uid-web-a", 1}});
  w.post(delta(2).saved("src/b"));
  w.look();
  w.outcome("c1");
  CHECK(w.lanes["c1"].replace_pod);
}

TEST_CASE("4.8 a pod that is to be deleted is so by the next operator whatever its message was about") {
  World w;
  w.lu.spec.steps = {FallBackOn{{"Dockerfile"}}, Sync{"src", "/app"}, Restart{RestartContainer{}, {}}};
  w.lu.spec.fall_back.redeploy = Redeploy::None;
  w.pod("web-a", "c1");
  w.post(delta(1).saved("src/a"));
  w.look();
  w.outcome("c1", Delivered{.replace_pod = true});
  w.post(delta(2).saved("Dockerfile"));
  w.look();
  CHECK(w.state("c1") == "FallBack");
  w.lanes = lanes_from(w.lu.status);
  CHECK(w.lanes["c1"].replace_pod);
}

TEST_CASE("4.8 a deletion that the API server refuses is asked for again, and told") {
  World w;
  w.lu.spec.steps = {Sync{"src", "/app"}, Restart{RestartContainer{}, {}}};
  w.pod("web-a", "c1");
  w.post(delta(1).saved("src/a"));
  w.look();
  w.outcome("c1", Delivered{.replace_pod = true});
  REQUIRE(w.look().replaced_pods.size() == 1);
  w.deletions.refused("uid-web-a", "pods \"web-a\" is forbidden", w.now);
  const Decision decision = w.look();
  CHECK(decision.replaced_pods.empty());
  CHECK(w.lu.status.state == "Retrying");
  CHECK(w.lu.status.containers[0].message ==
        "the pod is deleted, because its process 1 does not end when asked to; the API server refuses that, "
        "and "
        "is asked again: pods \"web-a\" is forbidden");
  REQUIRE(decision.look_again);
  w.now = *decision.look_again;
  CHECK(w.look().replaced_pods.size() == 1);
}
