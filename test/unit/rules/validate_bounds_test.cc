// How much a LiveUpdate may say.
#include "core/rules/validate.h"
#include "test/unit/rules/rules_fixture.h"

using namespace live_update;

namespace {

// "field: what is wrong", up to the remedy, one per line.
std::string wrong(const LiveUpdateSpec& spec) {
  std::string out;
  for (const FieldError& error : validate(spec))
    out += (out.empty() ? "" : "\n") + error.field + ": " + error.message.substr(0, error.message.find(':'));
  return out;
}
std::string wrong(std::vector<Step> steps) { return wrong(spec_with(std::move(steps))); }

const Step kSync = sync("src", "/app");

Step run(Run it) { return it; }

}  // namespace

TEST_CASE("1.7 what no program can be started with is refused") {
  const std::string field = "spec.steps[1].run";
  const auto command = [](std::vector<std::string> words) {
    return wrong({kSync, run({.command = std::move(words)})});
  };
  CHECK(command({""}) == field + ".command: must begin with the program to run, not with an empty word");
  CHECK(command({"a", ""}) == "");
  const std::string nul("a\0b", 3);
  CHECK(command({"a", nul}) == field + ".command[1]: must not contain a NUL character");
  CHECK(wrong({kSync, run({.shell = nul})}) == field + ".shell: must not contain a NUL character");
  CHECK(wrong({kSync, run({.shell = "a", .working_dir = "/" + nul})}) ==
        field + ".workingDir: must not contain a NUL character");
  const std::string longest(131'071, 'a');
  const std::string too_long = ": must be shorter than 128 KiB, the most that Linux takes for one word";
  CHECK_FALSE(command({"a", longest}).contains(too_long));
  CHECK(command({"a", longest + "a"}).starts_with(field + ".command[1]" + too_long));
  CHECK(wrong({kSync, run({.shell = longest + "a"})}).starts_with(field + ".shell" + too_long));
}

TEST_CASE("all commands of one spec together have a bound") {
  const std::string most(65'536, 'a'), half(32'768, 'a'), wide = "\u00e9";
  const std::string said = "spec: must have at most 65536 characters in all its commands";
  const auto runs = [](std::vector<Step> all) {
    all.insert(all.begin(), kSync);
    return wrong(all);
  };
  CHECK(runs({run({.shell = most})}) == "");
  CHECK(runs({run({.shell = most + "a"})}) == said);
  CHECK(runs({run({.command = {half, half}})}) == "");
  CHECK(runs({run({.command = {half, half, "a"}})}) == said);
  CHECK(runs({run({.shell = half}), run({.command = {half}})}) == "");
  CHECK(runs({run({.shell = half}), run({.command = {half}, .working_dir = "/"})}) == said);
  CHECK(runs({run({.shell = most.substr(1) + wide})}) == "");
}

TEST_CASE("all paths and patterns of one spec together have a bound") {
  const auto with = [](std::size_t paths, std::size_t length) {
    LiveUpdateSpec spec = in({"src"}, spec_with({}));
    for (std::size_t i = 0; i < 20; ++i)
      spec.steps.push_back(
          fall_back_on(std::vector<std::string>(paths / 20, "src/" + std::string(length - 4, 'a'))));
    spec.steps.push_back(sync("src", "/a"));
    return spec;
  };
  CHECK(wrong(with(480, 60)) == "");
  CHECK(wrong(with(500, 60)) == "spec: must have at most 500 paths and patterns in all");
  CHECK(wrong(with(480, 69)) == "spec: must have at most 32768 characters in all its paths and patterns");
  LiveUpdateSpec triggers = with(480, 60);
  triggers.steps.push_back(shell("x", std::vector<std::string>(18, "src")));
  CHECK(wrong(triggers) == "spec: must have at most 500 paths and patterns in all");
}
