// What the API server or the operator refuses (rules 7.2, 7.3, 7.6): nothing else is lost with it.
#include <doctest/doctest.h>

#include "test/unit/watcher/session_world.h"
#include "test/unit/watcher/virtual_session_world.h"

using namespace live_update;
using Given = SessionWorld;

namespace {

const std::string kSteps = R"({"sync":{"from":"src","to":"/app"}})";
const std::string kNeeded =
    R"({"conditions":[{"type":"SnapshotNeeded","status":"True","reason":"HistoryLost","message":"gone"}]})";

// A webhook that cannot be asked.
void take_no_dry_runs(Given& g) {
  g.api.interceptor = [refuse = g.api.interceptor](const Request& it) -> std::optional<Error> {
    if (!it.query.empty() && it.query.back().first == "dryRun")
      return Error{ErrorKind::Invalid, "admission webhook \"x\" does not support dry run"};
    return refuse(it);
  };
}

// An admission policy that takes no file of this name.
void forbid(Given& g, const std::string& path, ErrorKind kind = ErrorKind::Invalid) {
  g.api.interceptor = [=](const Request& it) -> std::optional<Error> {
    if (it.method != Method::Post) return {};
    const auto json = parse_json(it.body);
    const auto change_set = decode_change_set(*json);
    REQUIRE(change_set);
    if (std::ranges::find(change_set->spec.changes, path, &Change::path) == change_set->spec.changes.end())
      return {};
    return Error{kind, "denied: no secrets"};
  };
}

Texts unknown_of(const ChangeSet& it) {
  Texts paths;
  for (const UnknownPath& unknown : it.spec.unknown) paths.push_back(unknown.path);
  return paths;
}

}  // namespace

TEST_CASE("7.2 a file that is refused is named, and the others of its save go") {
  for (const ErrorKind kind : {ErrorKind::Invalid, ErrorKind::Forbidden, ErrorKind::TooLarge}) {
    Given g;
    g.start();
    forbid(g, "src/b", kind);
    for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
    g.until([&] { return !g.posted().empty(); });
    g.settle();
    CHECK(g.sent() == Texts{"1: +src/a +src/c"});
    CHECK(Texts(g.console.problems.begin(), g.console.problems.end()) ==
          Texts{"src/b -> not accepted: denied: no secrets; everything else is sent. Change or ignore it, or "
                "have "
                "that rule changed and start again"});
    g.set_status(g.posted()[0], R"({"phase":"Applied","containers":1,"targets":1})");
    g.until([&] { return g.console.said.back().starts_with("2 files (src/a, src/c) -> 1/1 pods in "); });

    g.disk.write("src/a", "2");  // it is not tried again with that
    g.until([&] { return g.posted().size() == 2; });
    CHECK(g.sent()[1] == "2: +src/a");
    g.disk.write("src/b", "2");
    g.until([&] { return g.console.problems.size() == 2; });
    g.api.interceptor = nullptr;
    g.disk.write("src/b", "3");
    g.until([&] { return g.posted().size() == 3; });
    CHECK(g.sent()[2] == "3: +src/b");
  }
}

TEST_CASE(
    "7.6 in a Snapshot what was refused is unknown, so that nothing deletes it; what is gone since is gone") {
  Given g;
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.start();
  forbid(g, "src/b");
  g.disk.write("src/b", "2");
  g.until([&] { return g.console.problems.size() == 1; });
  g.apply(kSteps, "", kNeeded);
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a +src/c"});
  CHECK(unknown_of(g.posted()[0]) == Texts{"src/b"});
  CHECK(g.console.problems.size() == 1);
  g.apply(kSteps, "", R"({"sequence":1})");
  g.settle();
  g.api.interceptor = nullptr;
  g.disk.remove("src/b");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: -src/b");
}

TEST_CASE("7.6 a Snapshot of which a file is refused goes without it") {
  Given g;
  for (const char* path : {"src/a", "src/b"}) g.disk.write(path, "1");
  g.start();
  forbid(g, "src/b");
  g.apply(kSteps, "", kNeeded);
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
  CHECK(unknown_of(g.posted()[0]) == Texts{"src/b"});
}

TEST_CASE("7.2 what was refused is tried again when the LiveUpdate changes, and at the next start") {
  Given g;
  g.start();
  forbid(g, "src/b");
  g.disk.write("src/b", "1");
  g.until([&] { return g.console.problems.size() == 1; });
  g.apply(kSteps, R"(,"debounce":{"quietMilliseconds":6})");
  g.until([&] { return g.console.problems.size() == 2; });
  g.stop();
  g.api.interceptor = nullptr;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: +src/b"});
}

TEST_CASE("7.6 push: what was refused is said, the rest arrives, and the exit code is 1") {
  Given g;
  for (const char* path : {"src/a", "src/b"}) g.disk.write(path, "1");
  forbid(g, "src/b");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
  g.set_status(g.posted()[0], R"({"phase":"Applied","containers":1,"targets":1})");
  g.apply(
      kSteps, "",
      R"({"sequence":1,"conditions":[{"type":"Synced","status":"True","reason":"Synced","message":""}]})");
  g.until([&] { return g.exit_code.has_value(); });
  CHECK(g.exit_code == 1);
  CHECK(g.console.problems.back() ==
        "not everything was sent: src/b; in the containers it is as it was before");
}

TEST_CASE("7.2 everything is refused: said once, no storm, nothing is forgotten, and all goes when it may") {
  Given g;
  g.start();
  g.api.interceptor = [](const Request& it) -> std::optional<Error> {
    if (it.method != Method::Post) return {};
    return Error{ErrorKind::Forbidden, "ada may not create changesets"};
  };
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.until([&] { return !g.console.problems.empty(); });
  g.disk.write("src/d", "1");
  for (int i = 0; i < 10; ++i) g.settle();
  CHECK(g.console.problems.size() == 1);
  CHECK(g.console.problems[0].contains("waiting to be sent: ada may not create changesets"));
  CHECK(g.api.count(Method::Post, "/changesets") <= 8);
  g.api.interceptor = nullptr;
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent() == Texts{"1: +src/a +src/b +src/c", "2: +src/d"});
}

TEST_CASE("7.2 a way to the API server that takes small requests only: the save goes in smaller parts") {
  for (const std::size_t most : {100'000, 60'000}) {
    CAPTURE(most);
    Given g;
    g.start();
    g.api.interceptor = [=](const Request& it) -> std::optional<Error> {
      if (it.method != Method::Post || it.body.size() < most) return {};
      return Error{ErrorKind::TooLarge, "413 request entity too large"};
    };
    std::string text;
    for (unsigned i = 0, x = 1; i < 100'000; ++i)
      text += static_cast<char>((x = x * 1664525u + 1013904223u) >> 24);
    g.disk.write("src/a", text);
    const auto complete = [&] {
      const auto all = g.posted();
      return !all.empty() && all.back().spec.part == all.back().spec.parts && all.back().spec.parts > 1 &&
             all.size() >= static_cast<std::size_t>(all.back().spec.parts);
    };
    g.until(complete);
    g.settle();
    CHECK(complete());
    CHECK(g.console.problems.empty());
    // Where a part had arrived before the others were refused, only a Snapshot has no hole before it.
    const ChangeSetSpec last = g.posted().back().spec;
    CHECK(last.type == (most == 100'000 ? ChangeSetType::Delta : ChangeSetType::Snapshot));
    if (most == 100'000) CHECK(last.sequence == last.parts);
  }
}

TEST_CASE("a Snapshot that the operator refuses is due again, after a pause that grows") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.apply(kSteps, "", kNeeded);
  g.until([&] { return g.posted().size() == 1; });
  g.set_status(g.posted()[0], R"({"phase":"Refused","message":"has more than 4096 unknown paths"})");
  g.until([&] { return !g.console.problems.empty(); });
  CHECK(g.console.problems.back().contains("refused by the operator: has more than 4096 unknown paths"));
  g.disk.write("src/a", "2");  // goes alone meanwhile
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/a");
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "3: S *src +src/a");
}

TEST_CASE(
    "a Snapshot is asked for, and the last one has a later sequence than the operator knows by now: it is "
    "not on its way") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.apply(kSteps, "", R"({"sequence":500})");
  g.settle();
  g.disk.write("src/a", "2");
  g.apply(kSteps, "", R"({"sequence":500,)" + kNeeded.substr(1));
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "502: S *src +src/a");
  for (const ChangeSet& it : g.posted())
    g.set_status(it, R"({"phase":"Applied","containers":1,"targets":1})");
  g.apply(kSteps, "", R"({"sequence":502})");
  g.settle();
  g.apply(kSteps, "", R"({"sequence":3,)" + kNeeded.substr(1));  // its status was lost
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "503: S *src +src/a");
}

TEST_CASE(
    "sequences that begin anew at the operator: what is too far ahead goes again, with the next from "
    "status") {
  Given g;
  g.disk.write("src/a", "1");
  g.apply(kSteps, "", R"({"sequence":40000})");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"40001: S *src *src/a"});
  g.apply(kSteps, "", R"({"sequence":3})");
  g.settle();
  g.set_status(g.posted()[0], R"({"phase":"Refused","message":)"
                              R"("sequence 40001 is too far ahead: the newest is 3, so post with 4"})");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[0] == "4: S *src *src/a");
}

TEST_CASE("2.9 of a refused batch the new name of a file does not come after the old one goes") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.disk.remove("src/a");
  g.disk.write("src/z", "1");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: -src/a +src/z"});
  g.set_status(g.posted()[0], R"({"phase":"Refused","message":"\"src/a\": no such thing"})");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/z");
}

TEST_CASE("7.3 what there was no room for goes again as it was") {
  VirtualSessionWorld g;
  g.host.write("src/b", "1");
  g.start();
  g.host.write("src/a", "1");
  g.until([&] { return g.posted().size() == 1; });
  g.set_status(g.posted()[0],
               R"({"phase":"Refused","message":"more than 32 MiB wait for sequence 1, which is missing"})");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/a");
}

TEST_CASE("a Snapshot that was of no effect is due after a restart, too") {
  Given g(R"({"initialSync":{}},{"sync":{"from":"src","to":"/app"}})");
  g.disk.write("src/a", "1");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  g.set_status(g.posted()[0], R"({"phase":"Refused","message":"\"src/a\": no such thing"})");
  g.until([&] { return g.console.problems.size() == 1; });
  g.stop();
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  CHECK(std::ranges::all_of(g.sent(), [](const std::string& it) { return it.ends_with(": S *src +src/a"); }));
}

TEST_CASE("7.2 of a batch that the operator refuses one half goes again at once, and one later") {
  Given g;
  g.start();
  for (const char* path : {"src/a", "src/b"}) g.disk.write(path, "1");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: +src/a +src/b"});
  g.set_status(g.posted()[0], R"({"phase":"Refused","message":"\"src/b\": no such thing"})");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/a");
  g.set_status(g.posted()[1], R"({"phase":"Refused","message":"\"src/a\": nor this"})");
  g.until([&] { return g.console.problems.size() == 2; });
  g.disk.write("src/c", "1");  // what was refused alone stays here
  g.until([&] { return g.posted().size() == 3; });
  g.settle();
  CHECK(g.sent()[2] == "3: +src/c");
}

TEST_CASE("7.2 where a webhook takes no dry runs, one refused file keeps back no others") {
  Given g;
  g.start();
  forbid(g, "src/b");
  take_no_dry_runs(g);
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.until([&] { return g.posted().size() == 2; });
  g.disk.write("src/d", "1");
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent() == Texts{"1: +src/a", "2: +src/c", "3: +src/d"});
  CHECK(
      Texts(g.console.problems.begin(), g.console.problems.end()) ==
      Texts{
          "src/b -> not accepted: denied: no secrets; everything else is sent. Change or ignore it, or have "
          "that rule changed and start again"});
}

TEST_CASE("7.2 where a webhook takes no dry runs, a push sends all but what is refused, and says so") {
  Given g;
  forbid(g, "src/b");
  take_no_dry_runs(g);
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent() == Texts{"1: S *src +src/a", "2: +src/c"});
  for (const ChangeSet& it : g.posted())
    g.set_status(it, R"({"phase":"Applied","containers":1,"targets":1})");
  g.apply(
      kSteps, "",
      R"({"sequence":2,"conditions":[{"type":"Synced","status":"True","reason":"Synced","message":""}]})");
  g.until([&] { return g.exit_code.has_value(); });
  CHECK(*g.exit_code == 1);
  CHECK(g.console.problems.back() ==
        "not everything was sent: src/b; in the containers it is as it was before");
}
