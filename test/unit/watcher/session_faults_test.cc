// What a session, and the Feed around it, make of outages, refusals and unreadable files.
#include <doctest/doctest.h>

#include "test/fakes/as_nobody.h"
#include "test/unit/watcher/session_world.h"
#include "test/unit/watcher/virtual_session_world.h"

using namespace live_update;
using Given = SessionWorld;

TEST_CASE("one LiveUpdate of several refuses: nothing of it is called again, and another start is none") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"ignoreFile":"missing"})");
  int ends = 0;
  g.feed = std::make_unique<Feed>(g.loop, g.api, g.host, g.console, ObjectKey{"shop", "web"}, g.options,
                                  [&](int code) {
                                    ++ends;
                                    g.exit_code = code;
                                  });
  g.feed->start();
  g.until([&] { return ends == 1; });
  g.disk.write("src/a", "1");
  g.settle();
  ChangeSet other;
  other.meta = {.ns = "shop", .name = "web-else-000007"};
  other.spec = {.live_update = "web", .session = "else", .sequence = 7};
  g.api.objects.set(kApi + "changesets/web-else-000007", encode_change_set(other));
  g.apply(R"({"sync":{"from":"src","to":"/other"}})", R"(,"source":{"ignoreFile":"missing"})",
          R"({"sequence":7})");
  g.settle();
  REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "changesets/web-else-000007")));
  REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "liveupdates/web")));
  g.settle();
  g.apply(R"({"sync":{"from":"src","to":"/app"}})", "", "{}", "u-2");
  g.settle();
  CHECK(ends == 1);
  CHECK(g.console.problems.size() == 1);
  CHECK(g.sent() == Texts{});
  g.stop();
}

TEST_CASE("one that ended by itself stays ended, also when its LiveUpdate is made again") {
  Given g;
  g.disk.write("src/a", "1");
  int ends = 0;
  g.feed = std::make_unique<Feed>(g.loop, g.api, g.host, g.console, ObjectKey{"shop", "web"}, g.options,
                                  [&](int code) {
                                    ++ends;
                                    g.exit_code = code;
                                  });
  g.feed->start();
  g.until([&] { return g.api.watches() == 2; });
  g.settle();
  g.disk.remove("");
  g.until([&] { return ends == 1; });
  REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "liveupdates/web")));
  g.settle();
  g.apply(R"({"sync":{"from":"src","to":"/app"}})", "", "{}", "u-2");
  g.settle();
  CHECK(ends == 1);
}

TEST_CASE("each outage and each malformed ignore file is said, and its end, as the program prints it") {
  VirtualSessionWorld g;
  NamedConsole named(g.console, "web");
  g.feed =
      std::make_unique<Feed>(g.loop, g.api, g.host, named, ObjectKey{"shop", "web"}, g.options, [](int) {});
  g.feed->start();
  g.until([&] { return g.api.watches() == 2; });
  g.settle();
  const auto count = [](const std::vector<std::string>& lines, const std::string& part) {
    return std::ranges::count_if(lines, [&](const std::string& it) { return it.find(part) != it.npos; });
  };
  for (int round = 1; round <= 2; ++round) {
    g.api.set_away(true);
    g.until([&] { return count(g.console.problems, "cannot be reached") == round; });
    g.settle();
    g.api.set_away(false);
    g.until([&] { return count(g.console.said, "web: the API server answers again") == round; });
    g.host.write(".dockerignore", "src/[a\n");
    g.until([&] { return count(g.console.problems, "the rules from before stay in force") == round; });
    g.host.remove(".dockerignore");
    g.until([&] { return count(g.console.said, "the rules are in order again") == round; });
  }
  CHECK(g.console.problems.size() == 4);
}

TEST_CASE("each time that a save waits for the API server is said") {
  Given g;
  g.start();
  const auto waits = [&] {
    return std::ranges::count_if(g.console.problems,
                                 [](const std::string& p) { return p.find("waiting to be sent") != p.npos; });
  };
  for (std::size_t round = 1; round <= 2; ++round) {
    g.api.set_away(true);
    g.disk.write("src/a", std::to_string(round));
    g.until([&] { return waits() == static_cast<std::ptrdiff_t>(round); });
    g.api.set_away(false);
    g.until([&] { return g.posted().size() == round; });
  }
}

namespace {

std::string unknown_of(const ChangeSet& it) {
  std::string text;
  for (const UnknownPath& unknown : it.spec.unknown)
    text += (text.empty() ? "" : " ") + unknown.path + (unknown.below ? "/..." : "");
  return text;
}

// A tree of which a part cannot be read.
void hide(Given& g) {
  g.disk.chmod("src/secret", 0);
  g.disk.chmod("src/dir", 0);
  REQUIRE(truncate(g.disk.at("src/big").c_str(), static_cast<off_t>(Limits().file + 1)) == 0);
}

void make_tree(Given& g) {
  for (const char* path : {"src/a", "src/big", "src/secret", "src/dir/d", "src/dir/e/f"})
    g.disk.write(path, "1");
}

}  // namespace

TEST_CASE("7.6 push: what cannot be read is named as unknown, said, and the exit code is 1") {
  const AsNobody nobody;
  Given g;
  make_tree(g);
  hide(g);
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
  CHECK(unknown_of(g.posted()[0]) == "src/big src/dir/... src/secret");
  CHECK(g.console.problems.size() == 3);
  g.set_status(g.posted()[0], R"({"phase":"Applied","containers":1,"targets":1})");
  g.apply(
      R"({"sync":{"from":"src","to":"/app"}})", "",
      R"({"sequence":1,"conditions":[{"type":"Synced","status":"True","reason":"Synced","message":""}]})");
  g.until([&] { return g.exit_code.has_value(); });
  CHECK(*g.exit_code == 1);
  CHECK(g.console.problems.back() ==
        "not everything was sent: src/big, src/dir, src/secret; in the containers it is as it was before");
  g.disk.chmod("src/dir", 0755);
}

TEST_CASE("7.6 a fresh start of watch deletes nothing that it cannot read, and sends it when it can") {
  const AsNobody nobody;
  Given g;
  make_tree(g);
  g.start();
  g.stop();
  hide(g);
  g.disk.write("src/a", "2");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  g.settle();
  CHECK(g.sent() == Texts{"1: +src/a"});
  g.disk.chmod("src/dir", 0755);
  g.disk.write("src/dir/d", "2");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/dir/d");
}

TEST_CASE("7.6 a Snapshot that was asked for names what cannot be read; it is sent when it can") {
  const AsNobody nobody;
  Given g;
  make_tree(g);
  g.start();
  hide(g);
  g.settle();
  g.apply(
      R"({"sync":{"from":"src","to":"/app"}})", "",
      R"({"conditions":[{"type":"SnapshotNeeded","status":"True","reason":"HistoryLost","message":"gone"}]})");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.posted()[0].spec.type == ChangeSetType::Snapshot);
  CHECK(unknown_of(g.posted()[0]).find("src/secret") != std::string::npos);
  g.disk.chmod("src/secret", 0644);
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/secret");
  g.disk.chmod("src/dir", 0755);
}

TEST_CASE("7.6 a file or folder that becomes unreadable while watching is no delete") {
  const AsNobody nobody;
  Given g;
  make_tree(g);
  g.start();
  g.disk.chmod("src/secret", 0);
  g.disk.chmod("src/dir", 0);
  g.settle();
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 1; });
  g.settle();
  CHECK(g.sent() == Texts{"1: +src/a"});
  g.disk.chmod("src/dir", 0755);
}

namespace {

// The operator takes another session's ChangeSet of that sequence.
void displace(auto& g, std::size_t index) {
  const ChangeSet ours = g.posted()[index];
  ChangeSet other = ours;
  other.spec.session = "else";
  other.spec.changes.clear();
  other.meta.name = change_set_name("web", "else", ours.spec.sequence);
  g.api.objects.set(kApi + "changesets/" + other.meta.name, encode_change_set(other));
  g.set_status(ours, R"({"phase":"Refused","message":"sequence )" + std::to_string(ours.spec.sequence) +
                         R"( is already used by another ChangeSet"})");
}

}  // namespace

TEST_CASE("7.3 a save whose sequence another session has used is posted again, as it is by then") {
  Given g;
  g.disk.write("src/gone", "1");
  g.start();
  g.disk.write("src/a", "1");
  g.disk.remove("src/gone");
  g.until([&] { return g.posted().size() == 1; });
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 2; });
  displace(g, 0);
  g.until([&] { return g.posted().size() == 4; });
  CHECK(g.sent() == Texts{"1:", "1: +src/a -src/gone", "2: +src/a", "3: +src/a -src/gone"});
  CHECK(decode_content(Encoding::Identity, *g.posted()[3].spec.changes[0].content, 100) == "2");
  CHECK(std::ranges::none_of(g.console.problems,
                             [](const std::string& line) { return line.find("refused") != line.npos; }));
  g.set_status(g.posted()[3], R"({"phase":"Applied","containers":1,"targets":1})");
  g.until([&] { return g.console.said.back().find("1/1 pods") != std::string::npos; });
}

TEST_CASE("7.3 push: its sequence is used by another push, and it is posted again") {
  Given g;
  g.disk.write("src/a", "1");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  displace(g, 0);
  g.until([&] { return g.posted().size() == 3; });
  CHECK_FALSE(g.exit_code);
  CHECK(g.sent()[2] == "2: S *src +src/a");
}

TEST_CASE("7.3 refused while nobody watched: the next start posts it") {
  Given g;
  g.start();
  g.disk.write("src/a", "1");
  g.until([&] { return g.posted().size() == 1; });
  g.stop();
  displace(g, 0);
  g.start();
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "2: +src/a");
}

TEST_CASE("7.3 not for ever: a push whose sequence is always used says so and ends") {
  VirtualSessionWorld g;
  g.host.write("src/a", "1");
  g.options.once = true;
  g.start();
  for (std::size_t i = 0; i < 20 && !g.exit_code; ++i) {
    g.until([&] { return g.posted().back().spec.session == "s1"; });
    displace(g, g.posted().size() - 1);
    const std::int64_t used = g.posted().back().spec.sequence;
    g.until([&] { return g.exit_code || g.posted().back().spec.sequence > used; });
  }
  CHECK(g.exit_code == 1);
  CHECK(g.console.problems.back() ==
        "everything -> not accepted 20 times in a row: another session has used the sequence each time; end "
        "the "
        "other watcher, or wait for the other push");
}
