// Many deletes at once (rule 7.4), as a session meets them.
#include <doctest/doctest.h>

#include "test/unit/watcher/session_world.h"

using namespace live_update;
using Given = SessionWorld;

TEST_CASE("7.4 more deletes than maxDeletes are held back with a question, and all else goes on") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"maxDeletes":3})");
  for (const char* path : {"src/a", "src/b", "src/c", "src/d", "src/keep"}) g.disk.write(path, "1");
  g.start();
  for (const char* path : {"src/a", "src/b", "src/c", "src/d"}) g.disk.remove(path);
  g.until([&] { return !g.console.problems.empty(); });
  CHECK(g.console.problems.at(0) ==
        "4 of 6 paths below " + g.options.root +
            " are gone, more than spec.source.maxDeletes (3). Was that meant, or "
            "is a disk not mounted? They are not deleted in the containers. To delete them in "
            "the containers, start again with --allow-deletes; until then they are held back, and everything "
            "else "
            "goes on");
  g.disk.write("src/keep", "2");
  g.until([&] { return g.posted().size() == 1; });
  g.disk.write("src/a", "1");
  g.settle();
  CHECK_FALSE(g.exit_code);
  CHECK(g.sent() == Texts{"1: +src/keep"});
  g.stop();
  g.start();  // which is no way around the question
  g.disk.write("src/keep", "3");
  g.until([&] { return g.posted().size() == 2; });
  g.settle();
  CHECK(g.sent()[1] == "2: +src/keep");
  g.stop();
  g.options.allow_deletes = true;
  g.start();
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "3: -src/b -src/c -src/d");
}

TEST_CASE("7.4 what was asked about comes back: nothing is sent, and that is said") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"maxDeletes":2})");
  for (const char* path : {"src/a", "src/b", "src/c", "src/d"}) g.disk.write(path, "1");
  g.start();
  g.disk.rename("src", "elsewhere");
  g.disk.mkdir("src");
  g.until([&] { return g.console.problems.size() == 1; });
  g.disk.remove("src");
  g.disk.rename("elsewhere", "src");
  g.until([&] { return g.console.said.back() == "no deletes are held back any more"; });
  CHECK(g.sent() == Texts{});
}

TEST_CASE("7.4 a renamed folder is no question, nor is what git has switched away") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"maxDeletes":3})");
  for (int i = 0; i < 8; ++i) g.disk.write("src/old/" + std::to_string(i), "content " + std::to_string(i));
  g.disk.write(".git/HEAD", "ref: refs/heads/main");
  g.start();
  g.disk.rename("src/old", "src/new");
  g.until([&] { return !g.posted().empty(); });
  g.settle();
  CHECK(g.posted().back().spec.changes.size() + g.posted().front().spec.changes.size() >= 18);
  const auto before = g.posted().size();
  g.disk.remove("src/new");
  g.disk.write(".git/HEAD", "ref: refs/heads/empty");
  g.until([&] { return g.posted().size() > before; });
  g.settle();
  CHECK(g.console.problems.empty());
  std::size_t deletes = 0;
  for (std::size_t i = before; i < g.posted().size(); ++i) deletes += g.posted()[i].spec.changes.size();
  CHECK(deletes == 9);
}

TEST_CASE("7.4 a folder renamed, or a branch switched, while nobody watched") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"maxDeletes":3})");
  for (int i = 0; i < 8; ++i) g.disk.write("src/old/" + std::to_string(i), "content " + std::to_string(i));
  g.disk.write("src/keep", "1");
  g.disk.write(".git/HEAD", "ref: refs/heads/main");
  g.start();
  g.stop();
  g.disk.rename("src/old", "src/new");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.posted()[0].spec.changes.size() == 18);
  g.stop();
  g.disk.remove("src/new");
  g.disk.write(".git/HEAD", "ref: refs/heads/empty");
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.posted()[1].spec.changes.size() == 9);
  CHECK(g.console.problems.empty());
}

TEST_CASE(
    "7.4, 7.6 a Snapshot that is asked for meanwhile goes at once, and deletes nothing of what is held "
    "back") {
  const std::string steps = R"({"sync":{"from":"src","to":"/app"}})", more = R"(,"source":{"maxDeletes":2})";
  Given g(steps, more);
  for (const char* path : {"src/a", "src/b", "src/dir/c", "src/keep"}) g.disk.write(path, "1");
  g.start();
  for (const char* path : {"src/a", "src/b", "src/dir"}) g.disk.remove(path);
  g.until([&] { return !g.console.problems.empty(); });
  g.disk.write("src/dir", "a file in its place");
  const std::string needed =
      R"({"conditions":[{"type":"SnapshotNeeded","status":"True","reason":"HistoryLost","message":"gone"}]})";
  g.apply(steps, more, needed);
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/keep"});
  Texts unknown;
  const ChangeSet snapshot = g.posted()[0];
  for (const UnknownPath& it : snapshot.spec.unknown) unknown.push_back(it.path + (it.below ? "/..." : ""));
  CHECK(unknown == Texts{"src/a", "src/b", "src/dir/c"});
  g.apply(steps, more, R"({"sequence":1})");
  g.settle();
  CHECK(g.posted().size() == 1);
  g.disk.write("src/keep", "2");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/keep");
  g.stop();
  g.options.allow_deletes = true;
  g.start();
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "3: -src/a -src/b +src/dir -src/dir/c");
}

TEST_CASE("7.4 push: more deletes than maxDeletes end it with the question") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"maxDeletes":1})");
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.start();
  g.stop();
  for (const char* path : {"src/a", "src/b"}) g.disk.remove(path);
  g.options.once = true;
  g.start();
  CHECK(g.exit_code == 1);
  CHECK(g.console.problems.at(0).ends_with("start again with --allow-deletes"));
  CHECK(g.sent() == Texts{});
}
