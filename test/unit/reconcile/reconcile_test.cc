// The operator's judgement, step by step: what is known -> exactly what is done (semantics.md 4 to 7).
#include "core/reconcile/reconcile.h"

#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

TEST_CASE("5.2 a save goes to all containers, in parallel, as one shared delivery") {
  World world;
  world.pod("a", "c1"), world.pod("b", "c2");
  world.post(delta(1).saved("src/x.py"));
  const Decision decision = world.look();
  CHECK(World::does(decision) == "c1@1: +/app/x.py build; c2@1: +/app/x.py build; ");
  CHECK(decision.deliveries[0].delivery == decision.deliveries[1].delivery);
}

TEST_CASE("7.1 synced means confirmed by every container") {
  World world;
  world.pod("a", "c1"), world.pod("b", "c2");
  world.post(delta(1).saved("src/x.py"));
  world.look();
  world.outcome("c1");
  Decision decision = world.look();
  CHECK(decision.status.synced == "1/2");
  CHECK(decision.status.state == "Applying");
  CHECK(phase_of(decision, "web-7f3a-000001") == "Waiting");
  world.outcome("c2");
  decision = world.look();
  CHECK(decision.status.synced == "2/2");
  CHECK(decision.status.state == "Synced");
  CHECK(world.condition("Synced").status);
  CHECK(phase_of(decision, "web-7f3a-000001") == "Applied");
  CHECK(world.settle_all() == "");
}

TEST_CASE("7.3 looking twice does nothing twice") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.look();
  CHECK(World::does(world.look()) == "");
}

TEST_CASE("5.3 saves made during a delivery go together in the next one") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.look();
  world.post(delta(2).saved("src/y.py"));
  world.post(delta(3).deleted("src/x.py"));
  CHECK(World::does(world.look()) == "");
  world.outcome("c1");
  CHECK(World::does(world.look()) == "c1@3: -/app/x.py +/app/y.py build; ");
}

TEST_CASE("5.3 a new container gets everything that its image does not contain, once") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.post(delta(2).saved("src/y.py"));
  world.settle_all();
  world.pod("b", "c2");
  CHECK(world.settle_all() == "c2@2: +/app/x.py +/app/y.py build; ");
  world.pod("a", "c3");  // the container crashed and was started again
  CHECK(world.settle_all() == "c3@2: +/app/x.py +/app/y.py build; ");
}

TEST_CASE("4.9 a restarted operator goes on from what the status says") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.settle_all();
  world.lanes = lanes_from(world.lu.status);
  world.history = History();
  world.judgements.clear();
  CHECK(world.settle_all() == "");
  world.post(delta(2).saved("src/y.py"));
  CHECK(world.settle_all() == "c1@2: +/app/y.py build; ");
}

TEST_CASE("4.7 a failed run is reported and tried again with the next batch; other containers go on") {
  World world;
  world.pod("a", "c1"), world.pod("b", "c2");
  Run triggered = World::run("install");
  triggered.triggers = {"src/package.json"};
  world.lu.spec.steps.push_back(triggered);
  world.post(delta(1).saved("src/package.json"));
  world.look();
  world.outcome("c1", Delivered{{RunFailure{3, 7, false, "no such module"}}});
  world.outcome("c2");
  Decision decision = world.look();
  CHECK(World::does(decision) == "");
  CHECK(world.state("c1") == "RunFailed");
  CHECK(world.state("c2") == "Synced");
  CHECK(phase_of(decision, "web-7f3a-000001") == "Failed");
  CHECK(world.condition("Stalled").reason == "RunFailed");
  CHECK(world.condition("Stalled").message ==
        "pod a, container app: run step 3 exited with 7: no such module");
  world.post(delta(2).saved("src/x.py"));
  CHECK(world.settle_all() == "c1@2: +/app/x.py build install; c2@2: +/app/x.py build; ");
  CHECK(world.lu.status.state == "Synced");
}

TEST_CASE("4.9 what can be cured is tried again with backoff, the rest when something changes") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.look();
  world.outcome("c1", NotDelivered{"Unavailable", "connection cut", true});
  Decision decision = world.look();
  CHECK(World::does(decision) == "");
  CHECK(world.state("c1") == "Retrying");
  REQUIRE(decision.look_again);
  world.now = *decision.look_again;
  CHECK(World::does(world.look()) == "c1@1: +/app/x.py build; ");
  world.outcome("c1", NotDelivered{"NotWritable", "/app is not writable for uid 1000", false});
  world.now += 3600 * kSecond;
  decision = world.look();
  CHECK(World::does(decision) == "");
  CHECK_FALSE(decision.look_again);
  CHECK(decision.status.state == "Failed");
  CHECK(world.condition("Stalled").reason == "NotWritable");
  world.post(delta(2).saved("src/y.py"));
  CHECK(world.settle_all() == "c1@2: +/app/x.py +/app/y.py build; ");
}

TEST_CASE("4.9 backoff doubles up to 30 s") {
  Lane lane;
  std::int64_t previous = 0;
  for (int i = 0; i < 12; ++i) {
    begin(lane, {}, std::make_shared<Delivery>(), Instant{});
    settle(lane, NotDelivered{"Unavailable", "", true}, Instant{}, Time{}, {});
    const auto wait =
        std::chrono::duration_cast<std::chrono::milliseconds>(lane.not_before - Instant{}).count();
    CHECK((i == 0 ? wait == 250 : wait == std::min<std::int64_t>(previous * 2, 30'000)));
    previous = wait;
  }
}

TEST_CASE("5.4 a container that is not running yet keeps its changes due") {
  World world;
  Pod& pod = world.pod("a", "");
  pod.containers[0].running = false;
  pod.containers[0].waiting_reason = "CrashLoopBackOff (exit code 137, OOMKilled)";
  world.post(delta(1).saved("src/x.py"));
  CHECK(world.settle_all() == "");
  CHECK(world.lu.status.containers[0].state == "Waiting");
  CHECK(world.lu.status.containers[0].message == "CrashLoopBackOff (exit code 137, OOMKilled)");
  world.pod("a", "c1");
  CHECK(world.settle_all() == "c1@1: +/app/x.py build; ");
}

TEST_CASE("5.5 no pod: the selector is shown, the changes stay due") {
  World world;
  world.post(delta(1).saved("src/x.py"));
  const Decision decision = world.look();
  CHECK(decision.status.state == "NoTarget");
  CHECK(world.condition("Ready").message ==
        "no running pod matches Deployment/web; changes are kept until there is one");
  CHECK(phase_of(decision, "web-7f3a-000001") == "Waiting");
  CHECK(decision.superseded.empty());
}

TEST_CASE("5.6 suspended: changes are recorded and applied on resume") {
  World world;
  world.pod("a", "c1");
  world.lu.spec.suspend = true;
  world.post(delta(1).saved("src/x.py"));
  CHECK(world.settle_all() == "");
  CHECK(world.lu.status.state == "Suspended");
  world.lu.spec.suspend = false;
  CHECK(world.settle_all() == "c1@1: +/app/x.py build; ");
}

TEST_CASE("5.1 pods of an older ReplicaSet and pods being deleted are left out") {
  World world;
  world.replica_set("web-2", "2");
  world.pod("old", "c1", "web-1");
  world.pod("new", "c2", "web-2");
  world.pod("going", "c3", "web-2").meta.deleted = Time{};
  world.post(delta(1).saved("src/x.py"));
  CHECK(world.settle_all() == "c2@1: +/app/x.py build; ");
}

TEST_CASE("a ChangeSet in which nothing counts needs no exec") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("elsewhere/x"));
  const Decision decision = world.look();
  CHECK(World::does(decision) == "");
  CHECK(phase_of(decision, "web-7f3a-000001") == "Nothing");
  CHECK(world.settle_all() == "");
  CHECK(world.lu.status.state == "Synced");
}

TEST_CASE("a gap in the sequence asks the watcher for everything") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.settle_all();
  world.post(delta(3).saved("src/z.py"));
  CHECK(world.settle_all() == "");
  CHECK(world.condition("SnapshotNeeded").status);
  CHECK(world.condition("SnapshotNeeded").reason == "SequenceGap");
  world.post(snapshot(4).saved("src/x.py").saved("src/z.py"));
  CHECK(world.settle_all() == "c1@4: +/app/x.py +/app/z.py build; ");
  CHECK_FALSE(world.condition("SnapshotNeeded").status);
}

TEST_CASE("initialSync: nothing counts as synced before the first Snapshot") {
  World world;
  world.lu.spec.steps.insert(world.lu.spec.steps.begin(), InitialSync{});
  world.pod("a", "c1");
  world.look();
  CHECK(world.lu.status.synced == "0/1");
  CHECK(world.condition("SnapshotNeeded").status);
  world.post(snapshot(1).saved("src/x.py"));
  CHECK(world.settle_all() == "c1@1: +/app/x.py build; ");
  CHECK(world.lu.status.synced == "1/1");
}

TEST_CASE("source.deletes: Never keeps everything") {
  World world;
  world.lu.spec.source.deletes = DeletePolicy::Never;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py").deleted("src/y.py"));
  CHECK(world.settle_all() == "c1@1: +/app/x.py build; ");
}

TEST_CASE("superseded ChangeSets are deleted once every target has them") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.post(delta(2).saved("src/x.py", "new"));
  world.look();
  world.outcome("c1");
  const Decision decision = world.look();
  REQUIRE(decision.superseded.size() == 1);
  CHECK(decision.superseded.front().name == "web-7f3a-000001");
}

TEST_CASE(
    "7. what somebody deleted while it was needed is asked for, and nobody counts as synced without it") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.post(delta(2).saved("src/y.py"));
  world.settle_all();
  world.change_sets.erase(world.change_sets.begin());
  world.settle_all();
  CHECK(world.condition("SnapshotNeeded").reason == "HistoryLost");
  CHECK(world.state("c1") == "Synced");
  world.pod("b", "c2");
  CHECK(world.settle_all() == "");
  CHECK(world.state("c2") == "Waiting");
  world.post(snapshot(3).saved("src/x.py").saved("src/y.py"));
  CHECK(world.settle_all() == "c1@3: +/app/x.py +/app/y.py build; c2@3: +/app/x.py +/app/y.py build; ");
  CHECK_FALSE(world.condition("SnapshotNeeded").status);
}

TEST_CASE("7. a restarted operator that finds no ChangeSet where there were some asks for everything") {
  World world;
  world.pod("a", "c1");
  world.lu.status.sequence = 5;
  CHECK(world.settle_all() == "");
  CHECK(world.condition("SnapshotNeeded").reason == "HistoryLost");
  CHECK(world.lu.status.state == "Waiting");
}

TEST_CASE("a pod can refuse, by its annotation") {
  World world;
  world.pod("a", "c1").meta.annotations["liveupdate.dev/allow"] = "false";
  world.post(delta(1).saved("src/x.py"));
  CHECK(world.settle_all() == "");
  CHECK(world.condition("Stalled").reason == "NotAllowed");
  world.pod("b", "c2");
  CHECK(world.settle_all() == "c2@1: +/app/x.py build; ");
}

TEST_CASE("1.4 nothing is written to or deleted from what belongs to the kernel") {
  World world;
  world.lu.spec.steps = {Sync{".", "/"}};
  world.pod("a", "c1");
  world.post(delta(1).saved("proc/sys/x").deleted("dev/null").saved("app/y"));
  CHECK(world.settle_all() == "c1@1: +/app/y; ");
  const Decision decision = world.look();
  REQUIRE(decision.change_sets.size() == 1);
  CHECK(decision.change_sets.front().status.phase == "Applied");
  CHECK(
      decision.change_sets.front().status.message ==
      "not all of it is sent: spec.steps[0].sync.to sends dev/null to /dev/null: must not be /proc, /sys or "
      "/dev or below, which belong to the kernel: choose another folder (and 1 more)");
}

TEST_CASE("a young gap is a post on its way, not a loss") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py"));
  world.settle_all();
  world.post(delta(3).saved("src/z.py").created(1999));
  CHECK(world.look().look_again);
  CHECK_FALSE(world.condition("SnapshotNeeded").status);
  world.wall += 5 * kSecond;
  world.look();
  CHECK(world.condition("SnapshotNeeded").reason == "SequenceGap");
}

TEST_CASE("what a Snapshot leaves out is deleted, and known until that is confirmed") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x.py").saved("src/y.py"));
  world.settle_all();
  world.post(snapshot(2).saved("src/x.py"));
  Decision decision = world.look();
  CHECK(World::does(decision) == "c1@2: -/app/y.py +/app/x.py build; ");
  CHECK(decision.superseded.empty());
  world.outcome("c1");
  decision = world.look();
  CHECK(decision.superseded.empty());  // an image may have it, so that it is gone stays known
  world.post(snapshot(3).saved("src/x.py").deleted("src/y.py"));
  world.settle_all();
  CHECK(world.look().superseded.size() == 2);
}
