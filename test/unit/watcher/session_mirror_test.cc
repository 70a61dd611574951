// What a watcher tells for `source.deletes: Mirror` (rule 4.5): all that it has, and what it ignores.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

#include "test/unit/watcher/session_world.h"
#include "watcher/host_rules.h"

using namespace live_update;
using Given = SessionWorld;

namespace {

const std::string kSteps = R"({"sync":{"from":"src","to":"/app"}})";
const std::string kMirror = R"(,"source":{"deletes":"Mirror","context":["src"]})";

// "*.log\n" of the newest ChangeSet; "none".
std::string ignores(Given& g) {
  const auto all = g.posted();
  if (all.empty() || !all.back().spec.ignores) return "none";
  const HostIgnores& it = *all.back().spec.ignores;
  return it.incomplete.empty() ? it.patterns : "incomplete: " + it.incomplete;
}

}  // namespace

TEST_CASE("4.5 with Mirror a start tells all there is, and the patterns of the ignore file") {
  Given g(kSteps, kMirror);
  g.disk.write("src/a", "1");
  g.disk.write(".dockerignore", "# what we build\n\n*.log\n  build \n");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src *src/a"});
  CHECK(ignores(g) == "*.log\n  build \n");
}

TEST_CASE("4.5 without Mirror nobody is told of the ignore file") {
  Given g(kSteps, R"(,"source":{"context":["src"]})");
  g.disk.write("src/a", "1");
  g.disk.write(".dockerignore", "*.log\n");
  g.start();
  g.apply(
      kSteps, R"(,"source":{"context":["src"]})",
      R"({"conditions":[{"type":"SnapshotNeeded","status":"True","reason":"HistoryLost","message":"gone"}]})");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(ignores(g) == "none");
}

TEST_CASE("4.5 other patterns, and the change to Mirror itself, are told at once") {
  Given g(kSteps, R"(,"source":{"context":["src"]})");
  g.disk.write("src/a", "1");
  g.start();
  CHECK(g.posted().empty());
  g.apply(kSteps, kMirror);
  g.until([&] { return g.posted().size() == 1; });
  CHECK(ignores(g) == "");
  g.set_status(g.posted()[0], R"({"phase":"Applied","containers":1,"targets":1})");
  g.settle();
  g.disk.write(".dockerignore", "out\n");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: S *src *src/a");
  CHECK(ignores(g) == "out\n");
}

TEST_CASE(
    "4.5, 7.6 a file that is too large to be sent is told as unknown, so that no container loses its own") {
  Given g(kSteps, kMirror);
  g.disk.write("src/a", "1");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  g.disk.write("src/big", "");
  REQUIRE(truncate(g.disk.at("src/big").c_str(), static_cast<off_t>(Limits().file + 1)) == 0);
  g.until([&] { return g.posted().size() == 2; });
  const ChangeSetSpec second = g.posted()[1].spec;
  CHECK(second.type == ChangeSetType::Snapshot);
  REQUIRE(second.unknown.size() == 1);
  CHECK(second.unknown.front().path == "src/big");
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.posted()[2].spec.type == ChangeSetType::Delta);
}

TEST_CASE("4.5 where the operator cannot know all that is ignored, that is told instead") {
  SUBCASE("what a sync reads is behind a link") {
    Given g(kSteps, kMirror);
    g.disk.remove("src");
    g.disk.write("real/a", "1");
    g.disk.link("src", "real");
    g.accept();
    g.start();
    g.until([&] { return g.posted().size() == 1; });
    CHECK(ignores(g) == "incomplete: a sync leads through a link (src); sync what it points to");
  }
  SUBCASE("too many patterns, or no text") {
    std::string many;
    for (std::size_t i = 0; i <= HostIgnores::kMostPatterns; ++i) many += "p" + std::to_string(i) + "\n";
    CHECK(told_ignores(many).incomplete ==
          "its ignore file has more than 1,000 patterns or 32 KiB; write fewer, wider ones");
    CHECK(told_ignores(many).patterns.empty());
    CHECK(told_ignores("a\n\xff\n").incomplete == "its ignore file is not UTF-8");
    CHECK(told_ignores("\xEF\xBB\xBF#x\na\r\n") == HostIgnores{"a\r\n", ""});
  }
}
