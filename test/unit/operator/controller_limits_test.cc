// What the operator does not do, whatever is posted: delete pods without end, keep what is of no use, serve
// where it must not.
#include <doctest/doctest.h>

#include "test/unit/operator/controller_world.h"

using namespace live_update;

namespace {

// Containers whose process 1 does not end when it is asked to.
struct Stubborn : ContainerTransport {
  explicit Stubborn(Loop& loop) : loop(loop) {}
  Handle deliver(const ContainerRef& to, std::shared_ptr<const Delivery> delivery,
                 std::move_only_function<void(DeliveryOutcome)> done, OnOutput) override {
    delivered.push_back(to.pod + (delivery->restart ? " restart" : ""));
    return loop.after(Millis(1), [done = std::make_shared<decltype(done)>(std::move(done)), delivery] {
      (*done)(Delivered{.transport = "Agent", .replace_pod = delivery->restart.has_value()});
    });
  }
  Loop& loop;
  std::vector<std::string> delivered;
};

struct Restarting : Cluster {
  Restarting() {
    api.objects.set(kLiveUpdate, R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"workload":{"kind":"Deployment","name":"web"}},
      "steps":[{"sync":{"from":"src","to":"/app"}},{"restart":{"container":{}}}]}})");
    pod("p0", "0");
  }
  int deletions() const { return api.count(Method::Delete, "/pods/"); }
  // As a ReplicaSet: whatever is deleted is made anew.
  void keep_one_pod() {
    if (api.text("/api/v1/namespaces/shop/pods/p" + std::to_string(made)).empty()) {
      ++made;
      pod("p" + std::to_string(made), std::to_string(made));
    }
  }
  Stubborn transport{loop};
  int made = 0;
};

const std::string kChangeSets = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/";

int events_of(FakeApiServer& api, const std::string& reason) {
  std::set<std::string> names;
  for (const auto& it : api.seen) {
    if (it.method != Method::Post || !it.path.ends_with("/events")) continue;
    const auto json = parse_json(it.body);
    if (std::string_view((*json)["reason"].GetString()) == reason)
      names.insert((*json)["metadata"]["name"].GetString());
  }
  return static_cast<int>(names.size());
}

const Controller::Options kQuick{.instance = "test", .refused_time = Millis(100), .orphan_time = Millis(100)};

}  // namespace

TEST_CASE("4.8 one save deletes the pod once, the very one, and the next operator none") {
  Restarting web;
  auto op = std::make_unique<Operator>(web.loop, web.api, Controller::Options{"test"}, &web.transport);
  web.turn();
  REQUIRE(web.status().state == "Synced");
  web.post(1, "src/x.py", "hello");
  for (int i = 0; i < 20; ++i) web.turn(Millis(10)), web.keep_one_pod();
  CHECK(web.deletions() == 1);
  CHECK(web.until_synced("1/1", 1));
  CHECK(web.transport.delivered == std::vector<std::string>{"p0 restart", "p1"});
  for (const auto& it : web.api.seen)
    if (it.method == Method::Delete)
      CHECK(it.body.find(R"("preconditions":{"uid":"uid-)") != std::string::npos);
  op.reset();
  op = std::make_unique<Operator>(web.loop, web.api, Controller::Options{"test"}, &web.transport);
  for (int i = 0; i < 10; ++i) web.turn(Millis(10)), web.keep_one_pod();
  CHECK(web.deletions() == 1);
}

TEST_CASE("4.8 a deletion that is refused is told, and asked for again") {
  Restarting web;
  Operator op(web.loop, web.api, {"test"}, &web.transport);
  web.turn();
  web.api.fail_next(Method::Delete, "/pods/", {ErrorKind::Forbidden, "pods \"p0\" is forbidden"});
  web.post(1, "src/x.py", "hello");
  REQUIRE(web.until([&] { return web.status().state == "Retrying"; }));
  CHECK(web.status().containers.at(0).message.ends_with("is asked again: pods \"p0\" is forbidden"));
  CHECK(op.metrics().find("live_update_reconcile_total{result=\"error\"} 0") == std::string::npos);
  CHECK(web.until([&] { return web.deletions() == 2; }));
}

TEST_CASE("a look that time alone makes another one of is counted as such") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  const std::string none = "live_update_reconcile_total{result=\"requeue_after\"} 0";
  CHECK(op.metrics().find(none) != std::string::npos);
  cluster.api.on_exec = [](FakeExec& exec) { exec.cut({ErrorKind::Unavailable, "cut"}); };
  cluster.post(1, "src/x.py", "hello");
  CHECK(cluster.until([&] { return op.metrics().find(none) == std::string::npos; }));
}

TEST_CASE("6.6 three fall-backs in a burst leave three Events") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  for (int sequence : {1, 2, 3}) cluster.post(sequence, "README.md", "hello");
  REQUIRE(cluster.until([&] { return cluster.phase(3) == "FallBack"; }));
  cluster.turn();
  CHECK(events_of(cluster.api, "FallBack") == 3);
}

TEST_CASE("24 a ChangeSet far ahead is refused and deleted, and the LiveUpdate goes on") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api, kQuick);
  cluster.turn();
  cluster.post(999'999'999'999, "src/evil", "evil");
  REQUIRE(cluster.until([&] { return cluster.phase(999'999'999'999) == "Refused"; }));
  cluster.post(1, "src/x.py", "hello");
  CHECK(cluster.until_synced("1/1", 1));
  CHECK(cluster.until([&] { return cluster.phase(999'999'999'999) == "deleted"; }));
  CHECK(cluster.phase(1) == "Applied");
}

TEST_CASE("18 what cannot be unfolded is told so, and goes") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api, kQuick);
  cluster.turn();
  std::string packed = R"({\"changes\":[{})";
  for (int i = 0; i < 100'000; ++i) packed += ",{}";
  const std::string path = kChangeSets + "web-evil-000001";
  cluster.api.objects.set(
      path,
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"ChangeSet","spec":{"liveUpdate":"web","session":"evil","sequence":1,"packed":")" +
          packed + R"(]}"}})");
  REQUIRE(cluster.until([&] { return cluster.api.text(path).find("\"Refused\"") != std::string::npos; }));
  CHECK(cluster.until([&] { return cluster.api.text(path).empty(); }));
}

TEST_CASE("7.5 ChangeSets of no LiveUpdate are deleted after a while and a fresh look") {
  Cluster cluster;
  Operator op(cluster.loop, cluster.api, kQuick);
  const std::string live_update = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/gone";
  const std::string path = kChangeSets + "gone-7f3a-000001";
  const std::string text =
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"ChangeSet","spec":{"liveUpdate":"gone","session":"7f3a","sequence":1}})";
  cluster.api.objects.set(path, text);
  cluster.api.fail_next(Method::Get, "/liveupdates/gone", {ErrorKind::Unavailable, "away"});
  cluster.turn(Millis(150));
  CHECK_FALSE(cluster.api.text(path).empty());
  CHECK(cluster.until([&] { return cluster.api.text(path).empty(); }));
  CHECK(cluster.api.count(Method::Get, "/liveupdates/gone") == 2);
  cluster.api.objects.set(path, text);  // its LiveUpdate comes within the time
  cluster.turn(Millis(20));
  cluster.api.objects.set(live_update, R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"workload":{"kind":"Deployment","name":"web"}},"steps":[{"sync":{"from":"src","to":"/app"}}]}})");
  cluster.turn(Millis(200));
  CHECK_FALSE(cluster.api.text(path).empty());
}

TEST_CASE("24 what an older LiveUpdate of the name left behind does not count, and goes") {
  Cluster cluster;
  cluster.pod("a", "1");
  const std::string path = kChangeSets + "web-old-000777";
  cluster.api.objects.set(
      path,
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"ChangeSet","metadata":{"ownerReferences":[{"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","name":"web","uid":"older"}]},
      "spec":{"liveUpdate":"web","session":"old","sequence":777,"type":"Snapshot"}})");
  Operator op(cluster.loop, cluster.api, kQuick);
  cluster.post(1, "src/x.py", "hello");
  CHECK(cluster.until_synced("1/1", 1));
  CHECK(cluster.until([&] { return cluster.api.text(path).empty(); }));
}

TEST_CASE("45 nothing is applied in the operator's own namespace, nor in the cluster's") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api, {.instance = "test", .own_namespace = "shop"});
  cluster.post(1, "src/x.py", "hello");
  cluster.post(2, "README.md", "falls back");
  REQUIRE(cluster.until([&] { return cluster.status().state == "NotAllowed"; }));
  cluster.turn();
  CHECK(cluster.execs.empty());
  CHECK(cluster.api.count(Method::Patch, "/deployments/") == 0);
  CHECK(cluster.status().conditions.front().message ==
        "namespace shop is the operator's own, so nothing is applied in it; put the workload and its "
        "LiveUpdate "
        "into another namespace");
  CHECK(closed_namespace("kube-system", "").reason == "NotAllowed");
  CHECK(closed_namespace("shop", "").reason.empty());
}

TEST_CASE("25 a gap that was known before the operator restarted stays known") {
  Cluster cluster;
  cluster.pod("a", "1");
  cluster.api.objects.set(Cluster::kLiveUpdate,
                          R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"workload":{"kind":"Deployment","name":"web"}},"steps":[{"sync":{"from":"src","to":"/app"}}]},
      "status":{"sequence":4,"conditions":[{"type":"SnapshotNeeded","status":"True","reason":"SequenceGap","message":"sequence 5 is missing","lastTransitionTime":"2026-01-01T00:00:00Z"}]}})");
  cluster.post(4, "src/x.py", "hello");
  Operator op(cluster.loop, cluster.api);
  cluster.turn(Millis(200));
  const LiveUpdateStatus status = cluster.status();
  const Condition* needed = find_condition(status.conditions, condition::kSnapshotNeeded);
  REQUIRE(needed);
  CHECK(needed->reason == reason::kSequenceGap);
}

TEST_CASE("a ChangeSet is read once: what a later status comes with is not taken in again") {
  Cluster cluster;
  cluster.pod("a", "1");
  Cache cache(cluster.loop, cluster.api,
              {.on_change = [](const ObjectKey&) {}, .on_synced = [] {}, .on_problem = [](const Error&) {}});
  cluster.post(1, "src/x.py", "hello");
  cache.start();
  const auto known = [&] { return cache.change_sets({"shop", "web"}); };
  REQUIRE(cluster.until([&] { return cache.synced() && known().size() == 1; }));
  const auto first = known().front();
  const std::string path = kChangeSets + first->meta.name;
  std::string text = cluster.api.text(path);
  text.insert(1, R"("status":{"phase":"Applied"},)");
  cluster.api.objects.set(path, text);
  REQUIRE(cluster.until([&] { return known().front()->status.phase == "Applied"; }));
  CHECK(known().front()->spec.changes.share() == first->spec.changes.share());
  CHECK(known().front()->bytes == first->bytes);
}
