// What a ChangeSet's status says while containers answer one after the other.
#include <doctest/doctest.h>

#include "core/rules/rules_mark.h"
#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;
using std::chrono::milliseconds;

namespace {

// `web` in containers c1, c2, ... of pods web-1, web-2, ...
struct Replicas : World {
  explicit Replicas(int count) {
    for (int i = 0; i < count; ++i) pod("web-" + std::to_string(i + 1), "c" + std::to_string(i + 1));
  }
  void save(std::int64_t sequence) {
    post(delta(sequence).saved("src/x" + std::to_string(sequence)));
    said(sequence);
  }
  void fails(const std::string& id, const std::string& why = "boom") {
    outcome(id, Delivered{.failures = {{2, 1, false, why}}});
  }
  // What the ChangeSet's status says from now on, as "Failed 1/3: why"; the API server has it at once.
  std::string said(std::int64_t sequence) {
    decision = look();
    for (const ChangeSetNote& note : decision.change_sets)
      for (auto& it : change_sets)
        if (it->meta.name == note.meta.name) {
          ChangeSet written = *it;
          written.status = note.status;
          it = std::make_shared<ChangeSet>(written);
        }
    const ChangeSetStatus& status = change_sets[static_cast<std::size_t>(sequence - 1)]->status;
    return status.phase + " " + std::to_string(status.containers) + "/" + std::to_string(status.targets) +
           (status.message.empty() ? "" : ": " + status.message);
  }
  void refuses(const std::string& id, const std::string& pod, const std::string& why = "no space left") {
    outcome(id, NotDelivered{"NoSpace", "shop/" + pod + ", container app: " + why, false});
  }
  void pass(milliseconds time) { now += time; }
  Decision decision;
};

const std::string kFull = "shop/web-1, container app: no space left";
const std::string kBoom = "pod web-1, container app: run step 2 exited with 1: boom";

}  // namespace

TEST_CASE("4.7 a run that fails in all replicas is told once, when all have answered") {
  Replicas web(3);
  web.save(1);
  web.fails("c1");
  CHECK(web.said(1) == "Waiting 1/3: sequence 1 is being applied");
  web.pass(milliseconds(300));
  web.fails("c3");
  CHECK(web.said(1) == "Waiting 2/3: sequence 1 is being applied");
  web.fails("c2");
  CHECK(web.said(1) == "Failed 3/3: " + kBoom);
}

TEST_CASE("4.7 a run that fails in the only replica is told at once") {
  Replicas web(1);
  web.save(1);
  web.fails("c1");
  CHECK(web.said(1) == "Failed 1/1: " + kBoom);
  CHECK_FALSE(web.decision.look_again);
}

TEST_CASE("5.2 a failure waits a second for slower replicas, not longer") {
  Replicas web(3);
  web.save(1);
  web.fails("c2");
  const Instant failed = web.now;
  CHECK(web.said(1) == "Waiting 1/3: sequence 1 is being applied");
  CHECK(web.decision.look_again == failed + kSecond);
  web.pass(milliseconds(999));
  web.outcome("c1");
  CHECK(web.said(1) == "Waiting 2/3: sequence 1 is being applied");
  web.pass(milliseconds(1));
  const std::string why = "pod web-2, container app: run step 2 exited with 1: boom";
  CHECK(web.said(1) == "Failed 2/3: " + why);
  CHECK_FALSE(web.decision.look_again);
  web.fails("c3");
  CHECK(web.said(1) == "Failed 3/3: " + why);
}

TEST_CASE("5.4 a replica that is not running is not waited for") {
  Replicas web(2);
  web.pods["web-2"].containers[0].running = false;
  web.save(1);
  web.fails("c1");
  CHECK(web.said(1) == "Failed 1/2: " + kBoom);
}

TEST_CASE("4.9 a lost connection is waited for like a slow replica; a refusal goes before a failed run") {
  Replicas web(3);
  web.save(1);
  web.fails("c1");
  web.outcome("c2", NotDelivered{"Unavailable", "connection cut", true});
  web.outcome("c3", NotDelivered{"NoSpace", "/app: no space left", false});
  CHECK(web.said(1) == "Waiting 1/3: pod web-2, container app: connection cut");
  REQUIRE(web.decision.look_again);
  web.now = *web.decision.look_again;
  web.said(1);
  web.outcome("c2");
  CHECK(web.said(1) == "Failed 2/3: pod web-3, container app: /app: no space left");
}

TEST_CASE("4.7 a failed batch stays failed while its runs are tried again with the next one") {
  Replicas web(2);
  web.save(1);
  web.fails("c1");
  web.fails("c2");
  CHECK(web.said(1) == "Failed 2/2: " + kBoom);
  web.save(2);
  CHECK(web.said(1) == "Failed 2/2: " + kBoom);
  CHECK(web.said(2) == "Waiting 0/2: sequence 2 is being applied");
  web.fails("c1", "another reason");
  CHECK(web.said(1) == "Failed 2/2: " + kBoom);
  CHECK(web.said(2) == "Waiting 1/2: sequence 2 is being applied");
  web.fails("c2", "another reason");
  CHECK(web.said(1) == "Failed 2/2: " + kBoom);
  CHECK(web.said(2) == "Failed 2/2: pod web-1, container app: run step 2 exited with 1: another reason");
  web.save(3);
  web.outcome("c1");
  web.outcome("c2");
  CHECK(web.said(3) == "Applied 2/2");
  CHECK(web.said(1) == "Applied 2/2");
}

TEST_CASE("4.9 after a restart of the operator what failed before it is told at once") {
  Replicas web(2);
  web.save(1);
  web.fails("c1");
  CHECK(web.said(1) == "Waiting 1/2: sequence 1 is being applied");
  web.pass(3600 * milliseconds(1000));
  web.lanes = lanes_from(web.lu.status);
  web.under_way.clear();
  CHECK(web.said(1) == "Failed 1/2: " + kBoom);
}

TEST_CASE("4.9 a save after a refused one is not told the refusal of the one before") {
  Replicas web(1);
  web.save(1);
  web.refuses("c1", "web-1");
  CHECK(web.said(1) == "Failed 0/1: " + kFull);
  web.save(2);
  CHECK(web.said(2) == "Waiting 0/1: sequence 2 is being applied");
  CHECK(web.said(1) == "Failed 0/1: " + kFull);
  web.outcome("c1");
  CHECK(web.said(2) == "Applied 1/1");
  CHECK(web.said(1) == "Applied 1/1");
}

TEST_CASE("4.9 a save after a refused one is tried, and told when it is refused, too") {
  Replicas web(1);
  web.save(1);
  web.refuses("c1", "web-1");
  web.save(2);
  REQUIRE(web.under_way.contains("c1"));
  web.save(3);
  web.refuses("c1", "web-1");
  CHECK(web.said(2) == "Failed 0/1: " + kFull);
  CHECK(web.said(3) == "Waiting 0/1: sequence 3 is being applied");
  REQUIRE(web.under_way.at("c1") == 3);
  web.refuses("c1", "web-1");
  CHECK(web.said(3) == "Failed 0/1: " + kFull);
  CHECK_FALSE(web.under_way.contains("c1"));
}

TEST_CASE("4.9 a save that waits for the end of a suspension is not told the refusal of the one before") {
  Replicas web(1);
  web.save(1);
  web.refuses("c1", "web-1");
  web.said(1);
  web.lu.spec.suspend = true;
  web.save(2);
  CHECK(web.said(2) == "Waiting 0/1: sequence 2 is being applied");
  CHECK(web.said(1) == "Failed 0/1: " + kFull);
}

TEST_CASE("4.8 a save is not told of a process 1 that did not end for the one before") {
  Replicas web(1);
  web.pods["web-1"].meta.owners.clear();
  web.lu.spec.target.workload.reset();
  web.lu.spec.target.selector = LabelSelector{{{"app", "web"}}, {}};
  web.pods["web-1"].meta.labels = {{"app", "web"}};
  web.save(1);
  web.outcome("c1", Delivered{.replace_pod = true});
  CHECK(web.said(1) == "Applied 1/1");
  web.save(2);
  CHECK(web.said(2) == "Waiting 0/1: sequence 2 is being applied");
}

TEST_CASE("4.9 the refusal of one replica waits for one that tries the save now") {
  Replicas web(2);
  web.save(1);
  web.refuses("c1", "web-1");
  web.refuses("c2", "web-2");
  web.save(2);
  web.refuses("c1", "web-1");
  CHECK(web.said(2) == "Waiting 0/2: sequence 2 is being applied");
  web.outcome("c2");
  CHECK(web.said(2) == "Failed 1/2: " + kFull);
}

TEST_CASE("4.9 a refused save is told once, while the next one is refused by one replica after the other") {
  Replicas web(2);
  web.save(1);
  web.refuses("c1", "web-1");
  web.pass(milliseconds(10));
  web.refuses("c2", "web-2");
  REQUIRE(web.said(1) == "Failed 0/2: " + kFull);
  web.save(2);
  web.pass(milliseconds(10));
  web.refuses("c1", "web-1");
  CHECK(web.said(1) == "Failed 0/2: " + kFull);
  web.pass(milliseconds(10));
  web.refuses("c2", "web-2");
  CHECK(web.said(1) == "Failed 0/2: " + kFull);
  CHECK(web.said(2) == "Failed 0/2: " + kFull);
  web.save(3);
  web.pass(milliseconds(10));
  web.refuses("c1", "web-1", "read-only");
  CHECK(web.said(1) == "Failed 0/2: shop/web-2, container app: no space left");
}

TEST_CASE("4.7 what a run printed does not take the place of its place") {
  Replicas web(0);
  web.pod("web", "c1");
  web.save(1);
  web.fails("c1", "cannot build web, container app");
  const std::string why = "pod web, container app: run step 2 exited with 1: cannot build web, container app";
  CHECK(web.said(1) == "Failed 1/1: " + why);
  CHECK(web.condition("Synced").message == why);
}

TEST_CASE("4.9 a reason with the pod's name in a path is told with its place") {
  Replicas web(0);
  web.pod("web", "c1");
  web.save(1);
  web.outcome("c1", NotDelivered{"NoSpace", "/srv/web: no space left", false});
  CHECK(web.said(1) == "Failed 0/1: pod web, container app: /srv/web: no space left");
}

TEST_CASE("4.7 after a restart of the operator during a delivery a failed run has a reason still") {
  Replicas web(1);
  web.save(1);
  web.fails("c1");
  web.said(1);
  web.save(2);
  REQUIRE(web.state("c1") == "Applying");
  web.lanes = lanes_from(web.lu.status);
  web.under_way.clear();
  web.change_sets.front() = delta(1).saved("src/x1");
  CHECK(web.said(1) == "Failed 1/1: pod web-1, container app: a run failed (step 2)");
}

TEST_CASE("4.9 a refusal of what is not needed any more is over") {
  Replicas web(1);
  web.save(1);
  web.refuses("c1", "web-1");
  REQUIRE(web.said(1) == "Failed 0/1: " + kFull);
  web.lu.spec.source.ignore = {"src/x1"};
  ++web.lu.meta.generation;
  web.lu.status.baseline_rules = baseline_mark(web.lu.spec);  // that is baseline_test.cc
  web.said(1);
  CHECK(World::does(web.decision) == "");
  CHECK(web.state("c1") == "Synced");
  web.said(1);
  CHECK(web.state("c1") == "Synced");
}
