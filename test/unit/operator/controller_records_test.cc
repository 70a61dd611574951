// What the operator writes down, and that it stays written: statuses that are refused, and Checkpoints (rule 7.5).
#include <doctest/doctest.h>

#include "test/unit/operator/controller_world.h"

using namespace live_update;

namespace {

std::vector<ChangeSet> change_sets(Cluster& cluster) {
  std::vector<ChangeSet> all;
  const auto at = *parse_resource_path("/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets");
  for (const auto& json : cluster.api.objects.list(at, {})) all.push_back(*decode_change_set(*json));
  return all;
}

std::size_t checkpoints(Cluster& cluster) {
  return static_cast<std::size_t>(std::ranges::count_if(
      change_sets(cluster), [](const ChangeSet& it) { return it.spec.checkpoint.has_value(); }));
}

Controller::Options merging() {
  return {.instance = "test",
          .account = "op",
          .limits = {.checkpoints = {.most = 4, .apart = 1, .content = 1000, .part = 2000}}};
}

}  // namespace

TEST_CASE("7.1 a status that the API server has refused is written again") {
  Cluster cluster;
  cluster.pod("p", "1");
  cluster.api.fail_next(Method::Patch, "/liveupdates/web/status", {ErrorKind::Forbidden, "a policy is wrong"},
                        2);
  Operator op(cluster.loop, cluster.api, {.instance = "test", .retry = Millis(20)});
  cluster.post(1, "src/a", "1");
  CHECK(cluster.until_synced("1/1", 1));
}

TEST_CASE("7.1 where all is well after each save the status follows once a second") {
  Cluster cluster;
  cluster.pod("p", "1");
  Operator op(cluster.loop, cluster.api);
  const auto writes = [&] { return cluster.api.count(Method::Patch, "/liveupdates/web/status"); };
  cluster.post(1, "src/a", "1");
  CHECK(cluster.until_synced("1/1", 1));
  const int before = writes();
  const Instant began = cluster.loop.exact_now();
  for (int sequence = 2; sequence <= 9; ++sequence) {
    cluster.post(sequence, "src/a", std::to_string(sequence));
    CHECK(cluster.until([&] { return cluster.phase(sequence) == "Applied"; }));
  }
  const auto seconds = (cluster.loop.exact_now() - began) / std::chrono::seconds(1);
  CHECK(writes() - before <= 2 + seconds);
  CHECK(cluster.until_synced("1/1", 9));
  cluster.api.on_exec = [](FakeExec& exec) { exec.cut({ErrorKind::Unavailable, "the node is away"}); };
  cluster.post(10, "src/a", "10");
  CHECK(cluster.until([&] { return cluster.status().state == "Retrying"; }));
}

TEST_CASE("7.1 the status of a ChangeSet that the API server has refused is written again") {
  Cluster cluster;
  cluster.pod("p", "1");
  cluster.api.fail_next(Method::Patch, "/changesets/web-7f3a-000001/status",
                        {ErrorKind::Invalid, "a policy is wrong"});
  Operator op(cluster.loop, cluster.api, {.instance = "test", .retry = Millis(20)});
  cluster.post(1, "src/a", "1");
  CHECK(cluster.until([&] { return cluster.phase(1) == "Applied"; }));
}

TEST_CASE("7.1 the status of an object that is gone counts as none, whoever reads it, and is written anew") {
  for (const bool before_the_start : {false, true}) {
    Cluster cluster;
    cluster.pod("p", "1");
    auto op = std::make_unique<Operator>(cluster.loop, cluster.api);
    cluster.post(1, "src/a", "1");
    REQUIRE(cluster.until_synced("1/1", 1));
    if (before_the_start) op.reset();
    REQUIRE(cluster.api.objects.merge_patch(
        *parse_resource_path(Cluster::kLiveUpdate + std::string("/status")),
        R"({"status":{"uid":"gone","sequence":40,"history":"1-40","synced":"1/1","state":"Synced"}})"));
    CHECK(cluster.status().sequence == 0);
    if (before_the_start) op = std::make_unique<Operator>(cluster.loop, cluster.api);
    CHECK(cluster.until_synced("1/1", 1));
    CHECK(cluster.status().history == "1");
  }
}

TEST_CASE(
    "7.5 a Checkpoint takes the place of what all containers have, and a new container gets all of it") {
  Cluster cluster;
  cluster.pod("p", "1");
  Operator op(cluster.loop, cluster.api, merging());
  for (int i = 1; i <= 6; ++i) {
    cluster.post(i, "src/" + std::to_string(i), "text");
    REQUIRE(cluster.until_synced("1/1", i));
  }
  CHECK(cluster.until([&] { return change_sets(cluster).size() == 3; }));
  REQUIRE(checkpoints(cluster) == 1);
  const auto all = change_sets(cluster);
  const ChangeSet& it =
      *std::ranges::find_if(all, [](const ChangeSet& it) { return it.spec.checkpoint.has_value(); });
  CHECK(it.spec.user == "op");
  CHECK(it.spec.sequence == 4);
  CHECK(it.spec.changes.size() == 4);
  REQUIRE(it.meta.owners.size() == 1);
  CHECK(it.meta.owners[0].name == "web");
  CHECK(cluster.until([&] { return cluster.status().history == "4-6"; }));
}

TEST_CASE("7.5 a Checkpoint that cannot be written costs nothing, and nobody else's counts") {
  Cluster cluster;
  cluster.pod("p", "1");
  cluster.api.fail_next(Method::Post, "/changesets", {ErrorKind::Forbidden, "no such right"}, 100);
  Operator op(cluster.loop, cluster.api, merging());
  ChangeSet forged;
  forged.meta = {"shop", change_set_name("web", "checkpoint-1", 1)};
  forged.spec = {"web", "checkpoint-1", "mallory", 1};
  forged.spec.checkpoint.emplace();
  cluster.api.objects.set("/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/" + forged.meta.name,
                          encode_change_set(forged));
  for (int i = 1; i <= 6; ++i) {
    cluster.post(i, "src/" + std::to_string(i), "text");
    REQUIRE(cluster.until_synced("1/1", i));
  }
  CHECK(cluster.status().history == "1-6");
  const std::string said = "only the operator writes a Checkpoint: leave spec.checkpoint out";
  CHECK(cluster.until([&] {
    for (const ChangeSet& it : change_sets(cluster))
      if (it.meta.name == forged.meta.name) return it.status.phase == "Refused" && it.status.message == said;
    return false;
  }));
}
