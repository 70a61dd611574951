// What is due again when the spec changes meanwhile (semantics.md 4.7).
#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

void edit(World& world, std::vector<Step> steps) {
  world.lu.spec.steps = std::move(steps);
  ++world.lu.meta.generation;
}

const Step kSync = Sync{"src", "/app"};

Run triggered(const std::string& word, const std::string& trigger) {
  Run run = World::run(word);
  run.triggers = {trigger};
  return run;
}

}  // namespace

TEST_CASE("4.7 a step inserted above a failed run while that is corrected: the failed one is due") {
  for (const bool restarted : {false, true}) {
    World world;
    world.pod("a", "c1");
    edit(world, {kSync, triggered("instal", "src/package.json")});
    world.post(delta(1).saved("src/package.json"));
    world.look();
    world.outcome("c1", Delivered{{RunFailure{1, 127, false, "no such program"}}});
    world.look();
    CHECK(world.lu.status.containers[0].failed_steps == std::vector{1});
    if (restarted) world.restart_operator();
    edit(world, {kSync, triggered("lint", "src/lint.js"), triggered("install", "src/package.json")});
    world.look();
    CHECK(world.lu.status.containers[0].failed_steps == std::vector{2});
    world.post(delta(2).saved("src/x"));
    CHECK(World::does(world.look()) == "c1@2: +/app/x install; ");
    world.outcome("c1");
    world.look();
    CHECK(world.lu.status.containers[0].failed_steps.empty());
    CHECK(world.lu.status.due.empty());
  }
}

TEST_CASE("4.7 a spec edited in the middle of a delivery: what fails is a step of the spec before") {
  World world;
  world.pod("a", "c1");
  edit(world, {kSync, World::run("build", OnFailure::FallBack)});
  world.post(delta(1).saved("src/x"));
  world.look();
  edit(world, {kSync, World::run("date"), World::run("build", OnFailure::FallBack)});
  world.look();
  world.outcome("c1", Delivered{{RunFailure{1, 1, false, "no"}}});
  CHECK(World::does(world.look()) == "restart Deployment/web for 1; ");
  CHECK(world.lu.status.containers[0].failed_steps == std::vector{2});
}

TEST_CASE(
    "4.9 a spec edited in the middle of a delivery that is refused: it is tried again under the new one") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x"));
  world.look();
  edit(world, {Sync{"src", "/srv"}});
  world.outcome("c1", NotDelivered{"NotWritable", "/app is not writable for uid 1000", false});
  CHECK(World::does(world.look()) == "c1@1: +/srv/x; ");
}

TEST_CASE("4.7 what is due and has no step any more is dropped, and that is said") {
  World world;
  world.pod("a", "c1");
  edit(world, {kSync, World::run("build")});
  world.post(delta(1).saved("src/x"));
  world.look();
  world.outcome("c1", Delivered{{RunFailure{1, 1, false, "no"}}});
  world.look();
  edit(world, {kSync});
  world.look();
  CHECK(world.state("c1") == "Synced");
  CHECK(world.lu.status.containers[0].message ==
        "what was step 1 failed and was due again; spec.steps has it no more, so it is not done again");
}

TEST_CASE("4.7 failedSteps of a status without marks are steps of the spec that is there") {
  World world;
  world.pod("a", "c1");
  world.post(delta(1).saved("src/x"));
  world.look();
  world.outcome("c1", Delivered{{RunFailure{2, 1, false, "no"}}});
  world.look();
  CHECK(world.lu.status.due.size() == 3);
  world.lu.status.due.clear();
  world.restart_operator();
  world.look();
  CHECK(world.state("c1") == "RunFailed");
  CHECK(world.lu.status.due.size() == 3);
}

TEST_CASE("4.7 of several runs that failed the one that ended the steps comes first, and all are named") {
  World world;
  world.pod("a", "c1");
  for (const auto* name : {"lint", "install", "test"}) world.lu.spec.steps.push_back(World::run(name));
  std::get<Run>(world.lu.spec.steps[3]).on_failure = OnFailure::Continue;
  std::get<Run>(world.lu.spec.steps[5]).on_failure = OnFailure::Continue;
  world.post(delta(1).saved("src/x.py"));
  world.look();
  world.outcome(
      "c1", Delivered{{RunFailure{3, 7, false, "style"}, RunFailure{4, 1, false, "no such module"}}, {5}});
  world.look();
  CHECK(world.condition("Stalled").message ==
        "pod a, container app: run step 4 exited with 1 (also run step 3 exited with 7): no such module");
  world.post(delta(2).saved("src/x.py"));
  world.look();
  world.outcome("c1", Delivered{{RunFailure{3, 7, false, "style"}, RunFailure{5, 0, true, ""}}});
  world.look();
  CHECK(world.condition("Stalled").message ==
        "pod a, container app: run step 3 exited with 7 (also run step 5 was ended by its timeout): style");
}
