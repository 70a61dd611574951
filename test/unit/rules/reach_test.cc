#include "core/rules/reach.h"

#include <doctest/doctest.h>

#include "test/unit/rules/rules_fixture.h"

using namespace live_update;

namespace {

// "field: message; field: message", empty: it reaches no further.
std::string further(const LiveUpdateSpec& ceiling, const LiveUpdateSpec& spec) {
  std::string out;
  for (const FieldError& it : reach_beyond(ceiling, spec))
    out += (out.empty() ? "" : "; ") + it.field + ": " + it.message;
  return out;
}

LiveUpdateSpec syncing(std::vector<std::string> sources) {
  std::vector<Step> steps;
  for (std::string& from : sources) steps.push_back(sync(std::move(from), "/app"));
  return without_context(spec_with(steps));
}
LiveUpdateSpec letting_out(std::vector<std::string> patterns, LiveUpdateSpec spec) {
  spec.source.credentials = std::move(patterns);
  return spec;
}

}  // namespace

TEST_CASE("8.1 what is equal or below reaches no further") {
  CHECK(further(syncing({"src"}), syncing({"src"})) == "");
  CHECK(further(syncing({"src"}), syncing({"./src//a/"})) == "");
  CHECK(further(syncing({"."}), syncing({"src", "docs"})) == "");
  CHECK(further(in({"."}, syncing({"src"})), in({"src"}, syncing({"src/a"}))) == "");
  CHECK(further(in({"src", "docs"}, syncing({"src"})), syncing({"src"})) == "");
}

TEST_CASE("8.1 where things go, what is deleted and what runs is no reach") {
  LiveUpdateSpec spec = spec_with({sync("src", "/elsewhere"), shell("make"), restart()});
  spec.source.deletes = DeletePolicy::Mirror;
  spec.source.on_unmatched = OnUnmatched::Ignore;
  spec.source.max_deletes = 1;
  spec.transport = Transport::Tar;
  spec.fall_back.build = FallBackBuild{{"make"}, 1};
  CHECK(further(spec_with({sync("src", "/app")}), spec) == "");
}

TEST_CASE("8.2 a wider from, a wider context") {
  CHECK(further(syncing({"static"}), syncing({"."})) ==
        "spec.steps: \".\" is watched, which is outside of static; "
        "spec.steps[0].sync.from: \".\" is sent, which is outside of static");
  CHECK(further(syncing({"src"}), syncing({"src", "src2"})) ==
        "spec.steps: \"src2\" is watched, which is outside of src; "
        "spec.steps[1].sync.from: \"src2\" is sent, which is outside of src");
  CHECK(further(in({"."}, syncing({"src"})), in({"."}, syncing({"docs"}))) ==
        "spec.steps[0].sync.from: \"docs\" is sent, which is outside of src");
  CHECK(further(in({"src"}, syncing({"src"})), in({"src", "etc"}, syncing({"src"}))) ==
        "spec.source.context: \"etc\" is watched, which is outside of src");
}

TEST_CASE("8.2 a path that only a step watches leaves the machine, too: its name and digest do") {
  LiveUpdateSpec spec = syncing({"src"});
  spec.steps.insert(spec.steps.begin(), fall_back_on({"secrets", "**/*.sql"}));
  CHECK(further(syncing({"src"}), spec) == "spec.steps: \"secrets\" is watched, which is outside of src");
  spec = syncing({"src"});
  spec.steps.push_back(always("make", {"private"}));
  CHECK(further(syncing({"src"}), spec) == "spec.steps: \"private\" is watched, which is outside of src");
}

TEST_CASE("8.2 of the ignore list only more patterns at its end are certain to narrow") {
  const LiveUpdateSpec spec = syncing({"src"});
  const LiveUpdateSpec ceiling = ignoring({"a", "!a/b"}, spec);
  CHECK(further(ceiling, ignoring({" a ", "!a/b", "c"}, spec)) == "");
  CHECK(further(ceiling, spec) ==
        "spec.source.ignore[0]: \"a\" is not ignored any more; "
        "spec.source.ignore[1]: \"!a/b\" is not ignored any more");
  CHECK(further(ceiling, ignoring({"a", "!a/b", "!a/c"}, spec)) ==
        "spec.source.ignore[2]: \"!a/c\" takes back what was ignored");
  CHECK(further(ceiling, ignoring({"!a/b", "a"}, spec)) ==
        "spec.source.ignore[0]: \"!a/b\" stands in the place of \"a\"");
  CHECK(further(ceiling, ignoring({"x", "a", "!a/b"}, spec)) ==
        "spec.source.ignore[0]: \"x\" stands in the place of \"a\"");
}

TEST_CASE("8.2 another ignore file") {
  LiveUpdateSpec other = syncing({"src"}), same = other;
  other.source.ignore_file = "empty";
  same.source.ignore_file = "./.dockerignore";
  CHECK(further(syncing({"src"}), same) == "");
  CHECK(further(syncing({"src"}), other) ==
        "spec.source.ignoreFile: \"empty\" is read instead of \".dockerignore\"");
}

TEST_CASE("8.2 credentials that are let out") {
  const LiveUpdateSpec spec = syncing({"src"});
  CHECK(further(letting_out({".env", "!x"}, spec), letting_out({".env", "!x"}, spec)) == "");
  CHECK(further(letting_out({".env"}, spec), spec) == "");
  CHECK(further(letting_out({".env"}, spec), letting_out({".env", "!x"}, spec)) == "");
  CHECK(further(letting_out({".env"}, spec), letting_out({".env", "**"}, spec)) ==
        "spec.source.credentials[1]: \"**\" lets credentials out");
  CHECK(further(letting_out({"**", "!x"}, spec), letting_out({"**"}, spec)) ==
        "spec.source.credentials[0]: \"**\" lets credentials out");
}

TEST_CASE("8.1 the reach of a spec has its reach and nothing else") {
  LiveUpdateSpec spec = ignoring({"a"}, letting_out({".env"}, syncing({"src"})));
  spec.steps.insert(spec.steps.begin(), fall_back_on({"Dockerfile"}));
  spec.steps.push_back(shell("make"));
  spec.suspend = true;
  const LiveUpdateSpec reach = reach_of(spec);
  CHECK(further(reach, spec) == "");
  CHECK(further(spec, reach) == "");
  CHECK(reach_of(reach) == reach);
  CHECK(reach.steps.size() == 2);
  CHECK_FALSE(reach.suspend);
}
