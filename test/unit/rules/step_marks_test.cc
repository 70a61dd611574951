// What is due again after the steps have changed (semantics.md 4.7).
#include "core/rules/step_marks.h"

#include <doctest/doctest.h>

#include <functional>

using namespace live_update;

namespace {

Run run(const std::string& word, std::vector<std::string> triggers = {}) {
  return {.command = {word}, .triggers = std::move(triggers)};
}

// "1 3" or "1, 2 dropped".
std::string due(const std::vector<int>& due, const std::vector<Step>& before, const std::vector<Step>& now) {
  const DueAgain again = match_due(due, marks_of(before), marks_of(now));
  std::string text;
  for (const int step : again.due) text += (text.empty() ? "" : " ") + std::to_string(step);
  for (const int step : again.dropped) text += (text.empty() ? "" : ", ") + std::to_string(step) + " dropped";
  return text;
}

const Step kSync = Sync{"src", "/app"};

}  // namespace

TEST_CASE("4.7 what is due is found at its new place") {
  CHECK(due({1}, {kSync, run("make")}, {kSync, run("date"), run("make")}) == "2");
  CHECK(due({2}, {kSync, run("date"), run("make")}, {kSync, run("make")}) == "1");
}

TEST_CASE("4.7 a corrected run is found by its triggers, also below one that was inserted") {
  CHECK(due({1}, {kSync, run("mkae", {"a"})}, {kSync, run("date"), run("make", {"a"})}) == "2");
}

TEST_CASE("4.7 a step that is still there takes over nothing") {
  CHECK(due({1}, {kSync, run("a"), run("b")}, {kSync, run("x"), run("b")}) == "1");
  CHECK(due({1}, {kSync, run("a"), run("b")}, {kSync, run("b")}) == "1 dropped");
  CHECK(due({1}, {kSync, run("a", {"t"}), run("b", {"t"})}, {kSync, run("b", {"t"}), run("c", {"t"})}) ==
        "2");
}

TEST_CASE("4.7 of several with equal triggers the one in its place is due") {
  CHECK(due({1}, {kSync, run("a")}, {kSync, run("x"), run("y")}) == "1");
}

TEST_CASE("4.7 another kind of step takes over nothing") {
  const Step restart = Restart{RestartSignal{"HUP"}, {}};
  CHECK(due({1}, {kSync, run("a")}, {kSync, restart}) == "1 dropped");
  CHECK(due({1, 2}, {kSync, run("a"), restart}, {kSync, restart}) == "1, 1 dropped");
  CHECK(due({2}, {kSync, run("a"), Restart{RestartProcess{}, {}}}, {kSync, restart}) == "1");
}

TEST_CASE("4.7 equal steps: each is due once, first in its place") {
  CHECK(due({1, 2}, {kSync, run("a"), run("a")}, {kSync, run("a"), run("a")}) == "1 2");
  CHECK(due({2}, {kSync, run("a"), run("a")}, {kSync, run("a"), run("a")}) == "2");
  CHECK(due({1, 2}, {kSync, run("a"), run("a")}, {kSync, run("a")}) == "1, 2 dropped");
}

TEST_CASE("4.7 numbers that mean no step are dropped") {
  CHECK(due({-1, 0, 9}, {kSync, run("a")}, {kSync, run("a")}) == "-1 dropped, 0 dropped, 9 dropped");
}

TEST_CASE("a mark tells all that a step says, and comes back from its text") {
  Run other = run("a", {"t"});
  for (const auto& change : std::vector<std::function<void(Run&)>>{
           [](Run& it) { it.command = {"b"}; }, [](Run& it) { it.shell = "a"; },
           [](Run& it) { it.triggers = {"u"}; }, [](Run& it) { it.when = RunWhen::Always; },
           [](Run& it) { it.phase = RunPhase::BeforeSync; },
           [](Run& it) { it.on_failure = OnFailure::Continue; }, [](Run& it) { it.timeout_seconds = 1; },
           [](Run& it) { it.working_dir = "/"; }}) {
    Run it = other;
    change(it);
    CHECK(marks_of({it}) != marks_of({other}));
  }
  for (const StepMark& it : marks_of({kSync, other, Restart{RestartContainer{}, {}}}))
    CHECK(mark_from(to_text(it)) == it);
  CHECK(to_text(marks_of({run("make", {"a", "b"})})[0]) == "run 57a98bb08645bf23 fa5ee0e55f1e4e92");
  CHECK(mark_from("nonsense") == StepMark{});
}
