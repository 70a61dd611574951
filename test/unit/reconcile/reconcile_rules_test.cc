// What a change of the rules means for the containers (semantics.md 3.7, 5.7).
#include <doctest/doctest.h>

#include <functional>

#include "core/rules/rules_mark.h"
#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

void edit(World& world, const std::function<void(LiveUpdateSpec&)>& change) {
  change(world.lu.spec);
  ++world.lu.meta.generation;
  world.lu.status.baseline_rules = baseline_mark(world.lu.spec);  // that is baseline_test.cc
}

void set_steps(World& world, std::vector<Step> steps) {
  edit(world, [&](LiveUpdateSpec& spec) { spec.steps = std::move(steps); });
}

const Step kSrc = Sync{"src", "/app"}, kDocs = Sync{"docs", "/app/docs"};

// A container with src -> /app and a run, which has all of sequence 1.
World in_sync() {
  World world;
  world.pod("a", "c1");
  world.lu.spec.source.context = {"."};
  world.lu.spec.source.on_unmatched = OnUnmatched::Ignore;
  world.lu.spec.steps = {kSrc, World::run("build")};
  world.post(delta(1).saved("docs/x").saved("src/a"));
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
  return world;
}

// The steps of a delivery that look at what differs.
std::string looking(const Decision& decision) {
  std::string text;
  for (const DeliverTo& it : decision.deliveries) {
    for (const auto* runs : {&it.delivery->before_sync, &it.delivery->after_sync})
      for (const DeliveryRun& run : *runs)
        if (run.due.looks()) text += run.command.front() + " ";
    if (it.delivery->restart && it.delivery->restart_due.looks()) text += "restart ";
  }
  return text;
}

}  // namespace

TEST_CASE("5.7 a sync that is added brings what was saved before it was") {
  for (const bool restarted : {false, true}) {
    World world = in_sync();
    set_steps(world, {kSrc, kDocs, World::run("build")});
    if (restarted) world.restart_operator();
    const Decision decision = world.look();
    CHECK(World::does(decision) == "c1@1: +/app/docs/x +/app/a build; ");
    CHECK(decision.deliveries[0].delivery->compare);
    CHECK(looking(decision) == "build ");
    CHECK(world.state("c1") == "Applying");
    CHECK_FALSE(world.condition("Synced").status);
    world.outcome("c1");
    CHECK(world.settle_all() == "");
    CHECK(world.state("c1") == "Synced");
    CHECK(world.lu.status.containers[0].message == "");
  }
}

TEST_CASE("5.7 a sync that leads elsewhere now: everything goes there, and what stays is said") {
  World world = in_sync();
  set_steps(world, {Sync{"src", "/srv"}, World::run("build")});
  CHECK(World::does(world.look()) == "c1@1: +/srv/a build; ");
  world.outcome("c1");
  for (int i = 0; i < 2; ++i) {
    world.look();
    CHECK(world.state("c1") == "Synced");
    CHECK(world.lu.status.containers[0].message ==
          "what syncs that are gone have put elsewhere in this container stays until it is new");
    world.restart_operator();
  }
  world.pod("a", "c2");
  world.settle_all();
  CHECK(world.lu.status.containers[0].message == "");
}

TEST_CASE("5.7 a batch that fell back under the rules before is judged by those of now") {
  World world;
  world.pod("a", "c1");
  world.lu.spec.fall_back.redeploy = Redeploy::None;
  world.post(delta(1).saved("Dockerfile"));
  world.post(delta(2).saved("src/a"));
  world.settle_all();
  CHECK(world.state("c1") == "FallBack");
  set_steps(world, {Sync{"Dockerfile", "/app/"}, kSrc});
  CHECK(World::does(world.look()) == "c1@2: +/app/Dockerfile +/app/a; ");
  world.outcome("c1");
  world.look();
  CHECK(world.state("c1") == "Synced");
}

TEST_CASE("5.7 what does not decide what is where changes nothing, and a new run does not run by itself") {
  World world = in_sync();
  edit(world, [](LiveUpdateSpec& spec) {
    spec.steps = {kSrc, World::run("lint"), World::run("build", OnFailure::Continue),
                  Restart{RestartSignal{"HUP"}, {}}};
    spec.debounce.quiet_milliseconds = 50;
    spec.source.max_deletes = 7;
    spec.fall_back.redeploy = Redeploy::None;
  });
  CHECK(World::does(world.look()) == "");
  CHECK(world.state("c1") == "Synced");
  CHECK(world.lu.status.observed_generation == 2);
}

TEST_CASE("5.7 each field that decides what is where has the containers compared") {
  for (const auto& change : std::vector<std::function<void(LiveUpdateSpec&)>>{
           [](LiveUpdateSpec& spec) { spec.source.context = {"src"}; },
           [](LiveUpdateSpec& spec) { spec.source.ignore = {"*.o"}; },
           [](LiveUpdateSpec& spec) {
             spec.source.on_unmatched = OnUnmatched::FallBack, spec.source.context = {"src"};
           },
           [](LiveUpdateSpec& spec) { spec.source.deletes = DeletePolicy::Mirror; },
           [](LiveUpdateSpec& spec) { spec.target.container = "app"; }}) {
    World world = in_sync();
    edit(world, change);
    CHECK(World::does(world.look()) == "c1@1: +/app/a build; ");
    world.outcome("c1");
    CHECK(world.settle_all() == "");
    CHECK(world.state("c1") == "Synced");
  }
}

TEST_CASE("5.7 a container that cannot be compared now is not synced") {
  World world = in_sync();
  edit(world, [](LiveUpdateSpec& spec) { spec.steps.push_back(kDocs), spec.suspend = true; });
  std::swap(world.lu.spec.steps[1], world.lu.spec.steps[2]);
  CHECK(World::does(world.look()) == "");
  CHECK(world.state("c1") == "Suspended");
  world.lu.spec.suspend = false;
  ++world.lu.meta.generation;
  CHECK(world.settle_all() == "c1@1: +/app/docs/x +/app/a build; ");
}

TEST_CASE("5.7 by rules that map nothing there is nothing to compare") {
  World world = in_sync();
  set_steps(world, {Sync{"other", "/other"}});
  CHECK(world.settle_all() == "");
  CHECK(world.state("c1") == "Synced");
}

TEST_CASE("5.7 an edit in the middle of a delivery: what went by the rules before is compared") {
  World world = in_sync();
  world.post(delta(2).saved("src/b"));
  world.look();
  set_steps(world, {kSrc, kDocs});
  CHECK(World::does(world.look()) == "");
  world.outcome("c1");
  CHECK(World::does(world.look()) == "c1@2: +/app/docs/x +/app/a +/app/b; ");
}

TEST_CASE("5.7 an operator that does not know by which rules a container was filled compares it") {
  World world = in_sync();
  world.lu.status.containers[0].rules.clear();
  world.restart_operator();
  CHECK(world.settle_all() == "c1@1: +/app/a build; ");
  CHECK(world.settle_all() == "");
}

TEST_CASE("3.7 in a comparison with a Snapshot runs and restart look at what differs") {
  World world = in_sync();
  Run install = World::run("install");
  install.triggers = {"src/p"};
  world.lu.spec.steps = {kSrc, World::run("build"), install, Restart{RestartSignal{"HUP"}, {}}};
  world.post(snapshot(2).saved("src/a").saved("src/p"));
  const Decision decision = world.look();
  CHECK(World::does(decision) == "c1@2: +/app/a +/app/p build install restart; ");
  CHECK(looking(decision) == "build install restart ");
  const Delivery& delivery = *decision.deliveries[0].delivery;
  CHECK(delivery.after_sync[0].due.kind == DueIf::AnyDiffers);
  CHECK(delivery.after_sync[1].due.kind == DueIf::OneDiffers);
  REQUIRE(delivery.after_sync[1].due.entries.size() == 1);
  CHECK(delivery.writes[delivery.after_sync[1].due.entries[0]].to == "/app/p");
}

TEST_CASE("3.7 what an attempt began is due with the next one, though nothing may differ any more") {
  World world = in_sync();
  world.post(snapshot(2).saved("src/a"));
  world.look();
  world.outcome("c1", NotDelivered{"Unreachable", "cut", true, {1}});
  set_steps(world, {kSrc, World::run("date"), World::run("build")});  // meanwhile
  world.now += 60 * kSecond;
  const Decision decision = world.look();
  CHECK(World::does(decision) == "c1@2: +/app/a date build; ");
  CHECK(looking(decision) == "date ");
  world.outcome("c1");
  world.look();
  CHECK(world.state("c1") == "Synced");
  CHECK(world.lanes["c1"].begun.empty());
}

TEST_CASE("3.7 a comparison that an operator left in the middle does what is named") {
  World world = in_sync();
  world.post(snapshot(2).saved("src/a"));
  world.look();
  world.restart_operator();
  world.under_way.clear();
  const Decision decision = world.look();
  CHECK(World::does(decision) == "c1@2: +/app/a build; ");
  CHECK(looking(decision) == "");
}

TEST_CASE("3.7 a run with when: Always fires for what no sync maps, if that is new for the container") {
  World world = in_sync();
  Run protos = World::run("protos");
  protos.triggers = {"docs/x"};
  protos.when = RunWhen::Always;
  world.lu.spec.steps.push_back(protos);
  world.settle_all();
  world.post(delta(2).saved("docs/x", "other"));
  world.post(snapshot(3).saved("docs/x", "other").saved("src/a"));
  const Decision decision = world.look();
  CHECK(World::does(decision) == "c1@3: +/app/a build protos; ");
  CHECK(looking(decision) == "build ");
}

TEST_CASE("3.7 a Snapshot falls back by what differs from the history before it") {
  World world;
  world.pod("a", "c1");
  world.post(snapshot(1).saved("src/a").saved("Dockerfile"));  // the baseline
  CHECK(world.settle_all() == "c1@1: +/app/a build; ");
  CHECK(world.state("c1") == "Synced");
  world.post(snapshot(2).saved("src/a").saved("Dockerfile"));
  CHECK(world.settle_all() == "c1@2: +/app/a build; ");
  CHECK(world.state("c1") == "Synced");
  world.post(snapshot(3).saved("src/a").saved("Dockerfile", "FROM other"));
  CHECK(World::does(world.look()) == "c1@3: +/app/a build; restart Deployment/web for 3; ");
  CHECK(world.lu.status.fall_back->reason == "StopPath");
  CHECK(world.state("c1") == "FallBack");
}

TEST_CASE("3.7 a Snapshot falls back by what it deletes, and by a new path that no sync maps") {
  for (const auto& next :
       {snapshot(2).saved("src/a"), snapshot(2).saved("src/a").saved("Dockerfile").saved("new")}) {
    World world;
    world.lu.spec.source.context = {"."};
    world.pod("a", "c1");
    world.post(snapshot(1).saved("src/a").saved("Dockerfile"));
    world.settle_all();
    world.post(next);
    world.look();
    CHECK(world.state("c1") == "FallBack");
  }
}

TEST_CASE("3.7 what nothing was known of is the baseline of a Snapshot, too") {
  World world;
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  world.post(delta(1).saved("src/a"));
  world.settle_all();
  world.post(snapshot(2).saved("src/a").saved("Dockerfile").saved("README.md"));
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
}

TEST_CASE("3.7 after a gap only what was known before it can have become different") {
  World world;
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  world.post(snapshot(1).saved("src/a"));
  world.settle_all();
  world.post(delta(3).saved("src/b"));
  world.look();
  world.post(snapshot(4).saved("src/a").saved("src/b").saved("README.md"));
  world.settle_all();
  CHECK(world.state("c1") == "Synced");
}
