// What a session takes its containers to have, and what it tells so that nobody has to guess (rules 2.1, 5.7, 5.8).
#include <doctest/doctest.h>

#include "core/rules/rules_mark.h"
#include "test/unit/watcher/session_world.h"

using namespace live_update;
using Given = SessionWorld;

namespace {

const std::string kSteps = R"({"sync":{"from":"src","to":"/app"}})";

std::string needed(const std::string& reason, int sequence = 0) {
  return R"({"sequence":)" + std::to_string(sequence) +
         R"(,"conditions":[{"type":"SnapshotNeeded","status":"True","reason":")" + reason +
         R"(","message":"gone"}]})";
}

// Everything of ours is accepted and in the containers.
void accept_all(Given& g) {
  for (const ChangeSet& it : g.posted())
    g.set_status(it, R"({"phase":"Applied","containers":1,"targets":1})");
  g.settle();
}

void remake(Given& g, const std::string& uid) {
  for (const ChangeSet& it : g.posted())
    REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "changesets/" + it.meta.name)));
  REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "liveupdates/web")));
  g.apply(kSteps, "", "{}", uid);
}

}  // namespace

TEST_CASE("5.8 a Snapshot names what was told as gone, also by the last run, until it is there again") {
  Given g;
  for (const char* path : {"src/a", "src/b", "src/c", "src/d/e"}) g.disk.write(path, "1");
  g.start();
  g.disk.remove("src/b");
  g.disk.remove("src/d");
  g.until([&] { return g.posted().size() == 1; });
  g.disk.remove("src/c");
  g.until([&] { return g.posted().size() == 2; });
  accept_all(g);
  g.apply(kSteps, "", needed("HistoryLost", 2));
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "3: S *src +src/a -src/b -src/c -src/d -src/d/e");
  accept_all(g);
  g.apply(kSteps, "", R"({"sequence":3})");
  g.settle();
  g.stop();
  g.disk.write("src/b", "2");
  g.disk.remove("src/a");
  g.apply(kSteps, "", needed("HistoryLost", 3));
  g.start();
  g.until([&] { return g.posted().size() == 4; });
  CHECK(g.sent()[3] == "4: S *src +src/b -src/a -src/c -src/d -src/d/e");
}

TEST_CASE("2.1 deleted while it was ignored: that is said when it counts again; what did not change is not") {
  for (const bool restarted : {false, true}) {
    Given g;
    for (const char* path : {"src/out/gone", "src/out/other", "src/out/same"}) g.disk.write(path, "1");
    g.start();
    const auto turn = [&](const char* ignore, std::size_t lines) {
      if (restarted) g.stop();
      g.disk.write(".dockerignore", ignore);
      if (restarted) return g.start();
      g.until([&] { return g.console.said.size() == lines; });
    };
    turn("src/out\n", 2);
    g.disk.remove("src/out/gone");
    g.disk.write("src/out/other", "2");
    g.settle();
    CHECK(g.sent() == Texts{});
    turn("", 3);
    g.until([&] { return g.posted().size() == 1; });
    CHECK(g.sent() == Texts{"1: -src/out/gone +src/out/other"});
  }
}

TEST_CASE("2.1 what ceases to count while it is being sent is not deleted") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.api.latency = Millis(100);
  g.disk.write("src/out/x", "1");
  g.until([&] { return g.api.count(Method::Post, "/changesets") == 1; });
  g.disk.write(".dockerignore", "src/out\n");
  g.until([&] { return g.posted().size() == 1; });
  g.api.latency = Millis(0);
  g.until([&] { return g.console.said.back() == "the rules have changed and are in force now"; });
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 2; });
  g.settle();
  CHECK(g.sent()[1] == "2: +src/a");
}

TEST_CASE("5.7 a Snapshot says by which rules it looked, in all its parts; a Delta does not") {
  Given g(kSteps, R"(,"source":{"ignore":["**/*.pyc"]})");
  for (int i = 0; i < 1100; ++i) g.disk.write("src/" + std::to_string(i), "");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  for (const ChangeSet& it : g.posted()) CHECK(it.spec.reach == reach_mark(g.spec()));
  Given delta;
  delta.start();
  delta.disk.write("src/a", "1");
  delta.until([&] { return delta.posted().size() == 1; });
  CHECK(delta.posted()[0].spec.reach.empty());
}

TEST_CASE("5.7 the reach is that of the rules that are in force") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  const std::string before = reach_mark(g.spec());
  const std::string broken = R"({"sync":{"from":"src","to":"/app"}},{"sync":{"from":"src/[x","to":"/proc"}})";
  g.apply(broken, R"(,"source":{"ignore":["src/x"]})", needed("HistoryLost"));
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.posted()[0].spec.reach == before);
}

TEST_CASE("5.7 a Snapshot for rules that changed has the content only of what differs") {
  Given g;
  for (const char* path : {"src/a", "src/b"}) g.disk.write(path, "1");
  g.start();
  g.apply(kSteps, "", needed("RulesChanged"));
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent()[0] == "1: S *src *src/a *src/b");
}

TEST_CASE("5.8 without notes of a LiveUpdate that has a history, a Snapshot of digests comes first") {
  Given g;
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.start();
  g.disk.write("src/a", "2");
  g.disk.write("src/new", "1");
  g.disk.remove("src/c");
  g.until([&] { return g.posted().size() == 1; });
  accept_all(g);
  g.stop();
  g.state.remove("");
  g.disk.write("src/a", "3");
  g.disk.write("src/b", "2");
  g.disk.remove("src/new");
  g.apply(kSteps, "", R"({"sequence":1})");
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  // Nobody told of src/b: what containers lack of it they ask for.
  CHECK(g.sent()[1] == "2: S *src +src/a *src/b -src/c -src/new");
}

TEST_CASE(
    "5.8 a status that knows of ChangeSets is enough, though none is left; a first start posts nothing") {
  Given g;
  g.disk.write("src/a", "1");
  g.apply(kSteps, "", R"({"sequence":7})");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"8: S *src *src/a"});
  Given first;
  first.disk.write("src/a", "1");
  first.start();
  first.settle();
  CHECK(first.sent() == Texts{});
}

TEST_CASE("5.8 a Snapshot of digests that was not stored is due at the next start, as one") {
  Given g;
  g.disk.write("src/a", "1");
  g.apply(kSteps, "", R"({"sequence":7})");
  g.api.interceptor = [](const Request& it) -> std::optional<Error> {
    if (it.method != Method::Post) return {};
    return Error{ErrorKind::Unavailable, "no connection"};
  };
  g.start();
  g.feed.reset();  // killed
  CHECK(g.sent() == Texts{});
  g.api.interceptor = nullptr;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"8: S *src *src/a"});
}

TEST_CASE(
    "5.8 made again while nobody watched: the notes of the one before tell what its containers may have") {
  Given g;
  for (const char* path : {"src/a", "src/b", "src/c", "src/d"}) g.disk.write(path, "1");
  g.start();
  g.disk.write("src/a", "2");
  g.disk.remove("src/b");
  g.disk.write("src/new", "1");
  g.until([&] { return g.posted().size() == 1; });
  accept_all(g);
  g.stop();
  remake(g, "u-2");
  g.disk.remove("src/new");
  g.disk.write("src/d", "2");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src *src/a *src/c +src/d -src/b -src/new"});
  accept_all(g);
  g.stop();
  g.start();
  g.settle();
  CHECK(g.posted().size() == 1);
}

TEST_CASE("5.8 made again while it was watched: the same, also where no notes are kept") {
  for (const bool kept : {true, false}) {
    Given g;
    if (!kept) g.options.state_directory.clear();
    for (const char* path : {"src/a", "src/b"}) g.disk.write(path, "1");
    g.start();
    g.disk.write("src/a", "2");
    g.disk.write("src/new", "1");
    g.disk.remove("src/b");
    g.until([&] { return g.posted().size() == 1; });
    accept_all(g);
    REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "liveupdates/web")));
    g.until([&] { return g.console.said.back().find("was deleted") != std::string::npos; });
    g.disk.remove("src/new");
    g.apply(kSteps, "", "{}", "u-2");
    g.until([&] { return g.posted().size() == 2; });
    CHECK(g.sent()[1] == "2: S *src *src/a -src/b -src/new");
  }
}

namespace {

// src/new is accepted, and in no notes yet.
void save_new_and_crash(Given& g) {
  g.disk.write("src/a", "1");
  g.start();
  g.disk.write("src/new", "1");
  g.until([&] { return g.posted().size() == 1; });
  accept_all(g);
  g.feed.reset();
}

}  // namespace

TEST_CASE("5.8 made again after a crash: what was new, and in no notes yet, is named, too") {
  Given g;
  save_new_and_crash(g);
  remake(g, "u-2");
  g.disk.remove("src/new");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src *src/a -src/new"});
}

TEST_CASE("5.8 after a crash: what was new, in no notes yet, and in a ChangeSet that is gone is named, too") {
  Given g;
  save_new_and_crash(g);
  REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "changesets/" + g.posted()[0].meta.name)));
  g.disk.remove("src/new");
  g.apply(kSteps, "", needed("HistoryLost", 1));
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"2: S *src +src/a -src/new"});
}

TEST_CASE("7.3 what the LiveUpdate before may never have got is sent whole") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 1; });  // the operator says nothing of it
  g.stop();
  remake(g, "u-2");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
}

TEST_CASE("7.4 what a Snapshot would delete is asked about as ever") {
  Given g(kSteps, R"(,"source":{"maxDeletes":1})");
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.start();
  g.stop();
  g.disk.remove("src/a");
  g.disk.remove("src/b");
  REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "liveupdates/web")));
  g.apply(kSteps, R"(,"source":{"maxDeletes":1})", "{}", "u-2");
  g.start();
  g.until([&] { return g.posted().size() == 1 && !g.console.problems.empty(); });
  CHECK(g.sent() == Texts{"1: S *src *src/c"});
  Texts unknown;
  const ChangeSet snapshot = g.posted()[0];
  for (const UnknownPath& it : snapshot.spec.unknown) unknown.push_back(it.path);
  CHECK(unknown == Texts{"src/a", "src/b"});
}
