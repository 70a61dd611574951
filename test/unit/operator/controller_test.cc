// The whole operator in memory, on a fake API server whose exec sessions always succeed.
#include "operator/controller.h"

#include <doctest/doctest.h>

#include "test/unit/operator/controller_world.h"

using namespace live_update;

TEST_CASE("the operator applies a ChangeSet to every pod and says so") {
  Cluster cluster;
  cluster.pod("a", "1"), cluster.pod("b", "2");
  Operator op(cluster.loop, cluster.api);
  cluster.post(1, "src/x.py", "hello");
  CHECK(cluster.until_synced("2/2", 1));
  CHECK(cluster.execs == std::vector<std::string>{"a", "b"});
  CHECK(cluster.phase(1) == "Applied");
  CHECK(op.metrics().find("live_update_changesets_total{phase=\"Applied\"} 1") != std::string::npos);
}

TEST_CASE("5.1 the pods of a CronJob are found by its Jobs, also by those that come later") {
  Cluster cluster;
  cluster.api.objects.set(Cluster::kLiveUpdate,
                          R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"workload":{"kind":"CronJob","name":"nightly"}},
      "source":{"context":["."]},
      "steps":[{"sync":{"from":"src","to":"/app"}}]}})");
  cluster.pod("other", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.post(1, "src/x.py", "hello");
  CHECK(cluster.until_synced("0/0", 1));
  auto pod_of_job = [&](const std::string& job, const std::string& id) {
    cluster.pod(job + "-x", id);
    std::string text = cluster.api.text("/api/v1/namespaces/shop/pods/" + job + "-x");
    const std::string owner = R"("kind":"ReplicaSet","name":"web-1")";
    text.replace(text.find(owner), owner.size(), R"("kind":"Job","name":")" + job + "\"");
    cluster.api.objects.set("/api/v1/namespaces/shop/pods/" + job + "-x", text);
    cluster.api.objects.set(
        "/apis/batch/v1/namespaces/shop/jobs/" + job,
        R"({"apiVersion":"batch/v1","kind":"Job","metadata":{"ownerReferences":[{"apiVersion":"batch/v1","kind":"CronJob","name":"nightly","uid":"n","controller":true}]}})");
  };
  pod_of_job("nightly-1", "2");
  CHECK(cluster.until_synced("1/1", 1));
  pod_of_job("nightly-2", "3");
  CHECK(cluster.until_synced("2/2", 1));
  CHECK(cluster.execs == std::vector<std::string>{"nightly-1-x", "nightly-2-x"});
}

TEST_CASE("5.1 an operator that may not see Jobs does everything else") {
  Cluster cluster;
  cluster.pod("a", "1");
  cluster.api.fail_next(Method::Get, "/jobs", {ErrorKind::Forbidden, "no"}, 1000);
  Operator op(cluster.loop, cluster.api);
  cluster.post(1, "src/x.py", "hello");
  CHECK(cluster.until_synced("1/1", 1));
}

TEST_CASE("a ChangeSet that is applied at once is written once, with how long each stage took") {
  Cluster cluster;
  cluster.pod("a", "1"), cluster.pod("b", "2");
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  cluster.post(1, "src/x.py", "hello");
  REQUIRE(cluster.until([&] { return cluster.phase(1) == "Applied"; }));
  cluster.turn(Millis(700));
  CHECK(cluster.api.count(Method::Patch, "/changesets/") == 1);
  const SaveMilliseconds it = cluster.change_set_status(1)->milliseconds;
  REQUIRE((it.posted && it.received && it.planned && it.sent && it.confirmed && it.applied));
  CHECK(*it.posted == 0);
  CHECK(*it.received >= 3);
  CHECK((*it.received <= *it.planned && *it.planned <= *it.sent && *it.sent <= *it.confirmed &&
         *it.confirmed <= *it.applied));
  CHECK(cluster.status().last_applied == LastApplied{1, it});
  CHECK(op.metrics().contains("live_update_save_to_applied_seconds_count 1\n"));
  CHECK(op.metrics().contains("live_update_save_to_applied_part_seconds_count{part=\"sent\"} 1\n"));
}

TEST_CASE("a ChangeSet that cannot be applied yet says so after half a second") {
  Cluster cluster;
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  cluster.post(1, "src/x.py", "hello");
  cluster.turn();
  CHECK(cluster.phase(1) == "");
  CHECK(cluster.until([&] { return cluster.phase(1) == "Waiting"; }));
}

TEST_CASE("saves in a row: one write for each ChangeSet, few for the LiveUpdate") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  const int before = cluster.api.count(Method::Patch, "/liveupdates/");
  const Instant begin = cluster.loop.now();
  for (int i = 1; i <= 40; ++i) {
    cluster.post(i, "src/x.py", "hello " + std::to_string(i));
    turn_for(cluster.loop, Millis(30));
  }
  REQUIRE(cluster.until_synced("1/1", 40));
  cluster.turn();
  CHECK(cluster.api.count(Method::Patch, "/changesets/") <= 40);
  const auto quarters = (cluster.loop.now() - begin) / Millis(250);
  CHECK(cluster.api.count(Method::Patch, "/liveupdates/") - before <= 6 + quarters);
}

TEST_CASE("4.9 a restarted operator does nothing twice and misses nothing") {
  Cluster cluster;
  cluster.pod("a", "1");
  auto op = std::make_unique<Operator>(cluster.loop, cluster.api);
  cluster.post(1, "src/x.py", "hello");
  REQUIRE(cluster.until_synced("1/1", 1));
  op.reset();
  cluster.post(2, "src/y.py", "world");
  op = std::make_unique<Operator>(cluster.loop, cluster.api);
  CHECK(cluster.until_synced("1/1", 2));
  CHECK(cluster.execs.size() == 2);
}

TEST_CASE("4.9 an API server that is away for a while delays, and loses nothing") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  cluster.api.set_away(true);
  cluster.post(1, "src/x.py", "hello");
  cluster.turn();
  CHECK(cluster.execs.empty());
  cluster.api.set_away(false);
  CHECK(cluster.until_synced("1/1", 1));
}

TEST_CASE("6.2 a fall-back patches the pod template once") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.post(1, "README.md", "hello");
  CHECK(
      cluster.until([&] { return cluster.status().state == "FallBack" && cluster.phase(1) == "FallBack"; }));
  CHECK(cluster.execs.empty());
  CHECK(cluster.api.count(Method::Patch, "/deployments/web") == 1);
  CHECK(
      cluster.api.text("/apis/apps/v1/namespaces/shop/deployments/web").find("redeploy.liveupdate.dev/web") !=
      std::string::npos);
  CHECK(cluster.api.count(Method::Post, "/events") >= 1);
}

TEST_CASE(
    "6.2 redeploys that the API server refuses are not counted: the first that it takes is not delayed") {
  Cluster cluster;
  cluster.pod("a", "1");
  cluster.api.fail_next(Method::Patch, "/deployments/web", {ErrorKind::Forbidden, "no such right"}, 4);
  Controller::Options options{"test"};
  options.retry = Millis(20);
  Operator op(cluster.loop, cluster.api, options);
  cluster.post(1, "README.md", "hello");
  const auto patched = [&] {
    return cluster.api.text("/apis/apps/v1/namespaces/shop/deployments/web")
        .contains("redeploy.liveupdate.dev/web");
  };
  CHECK(cluster.until(patched));
  CHECK(cluster.api.count(Method::Patch, "/deployments/web") == 5);
}

TEST_CASE("6.2 where somebody else redeploys, the pods of that moment are asked for, once") {
  Cluster cluster;
  cluster.api.objects.set(Cluster::kLiveUpdate,
                          R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"workload":{"kind":"Deployment","name":"web"}},"source":{"context":["."]},"fallBack":{"redeploy":"None"},
      "steps":[{"sync":{"from":"src","to":"/app"}}]}})");
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  const int lists = cluster.api.count(Method::Get, "/namespaces/shop/pods");
  cluster.post(1, "README.md", "hello");
  REQUIRE(cluster.until([&] { return cluster.status().state == "FallBack"; }));
  cluster.turn();
  CHECK(cluster.api.count(Method::Get, "/namespaces/shop/pods") == lists + 1);
  CHECK(cluster.status().state == "FallBack");
  cluster.api.objects.remove(*parse_resource_path("/api/v1/namespaces/shop/pods/a"));
  cluster.pod("b", "2");  // within the same second
  CHECK(cluster.until([&] { return cluster.status().state == "Synced"; }));
}

TEST_CASE("a superseded ChangeSet is deleted") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.post(1, "src/x.py", "hello");
  CHECK(cluster.until_synced("1/1", 1));
  cluster.post(2, "src/x.py", "world");
  CHECK(cluster.until([&] { return cluster.phase(1) == "deleted" && cluster.phase(2) == "Applied"; }));
}

TEST_CASE("a superseded ChangeSet is deleted after its last status is written") {
  Cluster cluster;
  cluster.pod("a", "1");
  Operator op(cluster.loop, cluster.api);
  cluster.turn();
  cluster.api.fail_next(Method::Patch, "000001/status", {ErrorKind::Unavailable, "slow"}, 3);  // 1.4 s
  cluster.post(1, "src/x.py", "hello");
  REQUIRE(cluster.until_synced("1/1", 1));
  cluster.post(2, "src/x.py", "world");
  REQUIRE(cluster.until([&] { return cluster.phase(1) == "deleted"; }));
  std::string methods;
  for (const auto& it : cluster.api.seen)
    if (it.path.contains("000001"))
      methods += it.method == Method::Patch ? "patch " : it.method == Method::Delete ? "delete " : "";
  CHECK(methods == "patch patch patch patch delete ");
}

TEST_CASE("a LiveUpdate that is deleted while a delivery is under way is forgotten") {
  Cluster cluster;
  cluster.pod("a", "1");
  cluster.api.on_exec = [](FakeExec&) {};  // never ends
  Operator op(cluster.loop, cluster.api);
  cluster.post(1, "src/x.py", "hello");
  cluster.turn();
  REQUIRE(cluster.api.objects.remove(*parse_resource_path(Cluster::kLiveUpdate)));
  cluster.turn();
  CHECK(cluster.api.text(Cluster::kLiveUpdate).empty());
}
