// What a ChangeSet's status says while containers answer one after the other.
#include <doctest/doctest.h>

#include "test/unit/reconcile_world.h"

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
  void pass(milliseconds time) { now += time; }
  Decision decision;
};

const std::string kBoom = "pod web-1, container app: run step 2 exited with 1: boom";

}  // namespace

TEST_CASE("4.7 a run that fails in all replicas is told once, when all have answered") {
  Replicas web(3);
  web.save(1);
  web.fails("c1");
  CHECK(web.said(1) == "Waiting 1/3");
  web.pass(milliseconds(300));
  web.fails("c3");
  CHECK(web.said(1) == "Waiting 2/3");
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
  CHECK(web.said(1) == "Waiting 1/3");
  CHECK(web.decision.look_again == failed + kSecond);
  web.pass(milliseconds(999));
  web.outcome("c1");
  CHECK(web.said(1) == "Waiting 2/3");
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
  CHECK(web.said(1) == "Waiting 1/3");
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
  CHECK(web.said(2) == "Waiting 0/2");
  web.fails("c1", "another reason");
  CHECK(web.said(1) == "Failed 2/2: " + kBoom);
  CHECK(web.said(2) == "Waiting 1/2");
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
  CHECK(web.said(1) == "Waiting 1/2");
  web.pass(3600 * milliseconds(1000));
  web.lanes = lanes_from(web.lu.status);
  web.under_way.clear();
  CHECK(web.said(1) == "Failed 1/2: " + kBoom);
}
