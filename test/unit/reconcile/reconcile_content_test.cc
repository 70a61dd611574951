// Content that nobody in the cluster holds (semantics.md 2.7, 5.9).
#include <doctest/doctest.h>

#include "core/rules/rules_mark.h"
#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

// docs/x was sent when nothing mapped it, so without its content.
World unmapped() {
  World world;
  world.lu.spec.source.context = {"."};
  world.lu.spec.source.on_unmatched = OnUnmatched::Ignore;
  world.lu.spec.steps = {Sync{"src", "/app"}};
  world.pod("a", "c1");
  world.post(delta(1).mode_of("docs/x", 0644, "text").saved("src/a"));
  world.settle_all();
  return world;
}

void map_docs(World& world) {
  world.lu.spec.steps = {Sync{"src", "/app"}, Sync{"docs", "/app/docs"}};
  ++world.lu.meta.generation;
  world.lu.status.baseline_rules = baseline_mark(world.lu.spec);  // that is baseline_test.cc
}

void map_src_only(World& world) {
  map_docs(world);
  world.lu.spec.steps.pop_back();
  world.lu.status.baseline_rules = baseline_mark(world.lu.spec);
}

const DeliveryWrite& write_to(const Decision& decision, const std::string& to) {
  for (const DeliveryWrite& it : decision.deliveries.at(0).delivery->writes)
    if (it.to == to) return it;
  FAIL("not written: " << to);
  return decision.deliveries[0].delivery->writes[0];
}

// What the container answers that has nothing at /app/docs/x.
Delivered lacking(const Decision& decision) {
  return Delivered{.wanted = {wanted_content(write_to(decision, "/app/docs/x"))}};
}

}  // namespace

TEST_CASE("5.9 content that nobody holds is wanted; other files go, and the container is not synced") {
  World world = unmapped();
  map_docs(world);
  Decision decision = world.look();
  CHECK_FALSE(is_held(write_to(decision, "/app/docs/x")));
  world.outcome("c1", lacking(decision));
  CHECK(World::does(world.look()) == "");
  CHECK(world.state("c1") == "Waiting");
  CHECK(world.lu.status.containers[0].message ==
        "lacks the content of docs/x, which nobody in the cluster holds");
  CHECK_FALSE(world.condition("Synced").status);
  CHECK(world.condition("Synced").reason == "ContentNeeded");
  CHECK(world.condition("Synced").message ==
        "the content of 1 file (4 bytes) is needed, and nobody in the cluster holds it: docs/x; live-update "
        "watch web on the machine of 7f3a sends it");
  CHECK_FALSE(world.condition("SnapshotNeeded").status);
  REQUIRE(world.lu.status.wanted.size() == 1);
  CHECK(world.lu.status.wanted[0].path == "docs/x");

  world.post(delta(2).saved("src/b"));  // later saves go on
  decision = world.look();
  CHECK(World::does(decision) == "c1@2: +/app/b; ");
  world.outcome("c1");
  CHECK(phase_of(world.look(), "web-7f3a-000002") == "Applied");
  CHECK(world.state("c1") == "Waiting");

  world.post(delta(3).saved("docs/x", "text"));  // the answer
  decision = world.look();
  CHECK(World::does(decision) == "c1@3: +/app/docs/x; ");
  CHECK(decision.deliveries[0].delivery->compare);
  CHECK(world.lu.status.wanted.empty());
  world.outcome("c1");
  world.look();
  CHECK(world.state("c1") == "Synced");
}

TEST_CASE("5.9 content that is not what its ChangeSet says is wanted; nothing else waits for it") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/a").saved("src/b"));
  const WantedContent wrong = wanted_content(write_to(world.look(), "/app/a"));
  world.outcome("c1",
                NotDelivered{.reason = "DigestMismatch", .message = "it is another one", .wrong = wrong});
  world.history.disbelieve(wrong);
  Decision decision = world.look();  // at once
  CHECK(World::does(decision) == "c1@1: +/app/a +/app/b build; ");
  CHECK_FALSE(is_held(write_to(decision, "/app/a")));
  world.outcome("c1", Delivered{.wanted = {wrong}});
  world.look();
  CHECK(world.state("c1") == "Waiting");
  CHECK(
      world.lu.status.containers[0].message ==
      "lacks the content of src/a (what a ChangeSet brought as that is something else), which nobody in the "
      "cluster holds");
  REQUIRE(world.lu.status.wanted.size() == 1);
  world.post(delta(2).saved("src/c"));
  CHECK(World::does(world.look()) == "c1@2: +/app/c build; ");
}

TEST_CASE("5.9 content that is held by now goes to who lacks it, though no later batch names it") {
  World world = unmapped();
  world.post(delta(2).saved("docs/x", "text"));
  map_docs(world);
  world.settle_all();
  // It answered before a Checkpoint was joined that brings it.
  const Entry held = *world.history.all().find("docs/x");
  world.lanes.at("c1").wanted["docs/x"] = {"docs/x", held.digest, held.size};
  CHECK(World::does(world.look()) == "c1@2: +/app/docs/x +/app/a; ");
  world.outcome("c1");
  CHECK(World::does(world.look()) == "");
  CHECK(world.state("c1") == "Synced");
}

TEST_CASE("5.9 a new pod goes without what nobody holds, too") {
  World world = unmapped();
  map_docs(world);
  world.settle_all();
  CHECK(world.state("c1") == "Synced");  // its image has docs/x
  world.pods.clear();
  world.later_pod("b", "c2");
  const Decision decision = world.look();
  CHECK(World::does(decision) == "c2@1: +/app/docs/x +/app/a; ");
  world.outcome("c2", lacking(decision));
  world.look();
  CHECK(world.state("c2") == "Waiting");
  CHECK(world.lu.status.wanted.size() == 1);
}

TEST_CASE("5.9 an operator that takes over compares what lacked content") {
  World world = unmapped();
  map_docs(world);
  world.outcome("c1", lacking(world.look()));
  world.look();
  world.lanes = lanes_from(world.lu.status);
  world.history = History();
  world.judgements.clear();
  const Decision decision = world.look();
  CHECK(World::does(decision) == "c1@1: +/app/docs/x +/app/a; ");
  CHECK(world.state("c1") == "Applying");
  world.outcome("c1", lacking(decision));
  world.look();
  CHECK(world.state("c1") == "Waiting");
}

TEST_CASE("5.9 what lacked content is wanted no more when it is another file, gone, or mapped no more") {
  for (int i = 0; i < 3; ++i) {
    World world = unmapped();
    map_docs(world);
    world.outcome("c1", lacking(world.look()));
    world.look();
    if (i == 0) world.post(delta(2).saved("docs/x", "other"));
    if (i == 1) world.post(delta(2).deleted("docs/x"));
    if (i == 2) map_src_only(world);
    world.settle_all();
    world.look();
    CHECK(world.state("c1") == "Synced");
    CHECK(world.lu.status.wanted.empty());
  }
}

TEST_CASE(
    "5.9 an answer with content is no new change: it does not fall back, and runs look at what differs") {
  World world = unmapped();
  world.lu.spec.steps = {FallBackOn{{"docs"}}, Sync{"src", "/app"}, Sync{"docs", "/app/docs"},
                         World::run("build")};
  ++world.lu.meta.generation;
  world.settle_all();
  world.lu.spec.source.on_unmatched = OnUnmatched::FallBack;
  world.post(delta(2).saved("docs/x", "text"));
  const Decision decision = world.look();
  CHECK(world.judgements.at(2).kind == Judgement::Update);
}

TEST_CASE("5.9 at most 1,000 are wanted at a time") {
  World world;
  world.pod("a", "c1");
  auto batch = delta(1);
  for (int i = 0; i < 1200; ++i) batch.mode_of("src/" + std::to_string(i), 0644);
  world.post(batch);
  const Decision decision = world.look();
  Delivered delivered;
  for (const DeliveryWrite& it : decision.deliveries.at(0).delivery->writes)
    delivered.wanted.push_back(wanted_content(it));
  world.outcome("c1", delivered);
  const Decision after = world.look();
  CHECK(world.lu.status.wanted.size() == 1000);
  CHECK(world.condition("Synced").message.starts_with("the content of 1200 files (4800 bytes) is needed"));
  CHECK(phase_of(after, "web-7f3a-000001") == "Waiting");
}
