#include "watcher/results.h"

#include <doctest/doctest.h>

#include "watcher/wording.h"

using namespace live_update;
using std::chrono::milliseconds;

namespace {

struct Given {
  Given() = default;
  explicit Given(bool timings) : results("7f3a", timings) {}
  Results results{"7f3a"};
  std::int64_t sequence = 42;

  static Results::Instant at(int ms) { return Results::Instant(milliseconds(ms)); }
  std::vector<Results::Line> posted(std::string what, int saved_ms) {
    return results.posted({ChangeSetSpec{.live_update = "web", .session = "7f3a", .sequence = sequence}},
                          std::move(what), at(saved_ms), at(saved_ms));
  }
  static std::string text(const std::vector<Results::Line>& lines) {
    std::string result;
    for (const auto& line : lines)
      result += (result.empty() ? "" : "|") + std::string(line.problem ? "! " : "") + line.text;
    return result;
  }
  std::string status(int ms, ChangeSetStatus status) {
    ChangeSet change_set;
    change_set.meta.name = change_set_name("web", "7f3a", sequence);
    change_set.spec.session = "7f3a";
    change_set.spec.sequence = sequence;
    change_set.status = std::move(status);
    return text(results.status(change_set, at(ms)));
  }
  std::string tick(int ms) { return text(results.tick(at(ms))); }
};

}  // namespace

TEST_CASE("one line per batch, timed from the save") {
  Given g;
  g.posted("src/a.py", 100);
  CHECK(g.status(105, {.phase = "Waiting", .containers = 1, .targets = 3}) == "");
  CHECK(g.status(111, {.phase = "Applied", .containers = 3, .targets = 3}) ==
        "src/a.py -> 3/3 pods in 11 ms");
  CHECK(g.status(112, {.phase = "Applied", .containers = 3, .targets = 3}) == "");
  CHECK(g.results.open() == 0);
  CHECK(g.results.last_ok() == true);
}

TEST_CASE("with timings a line says when the save reached each stage") {
  Given g(true);
  g.posted("src/a.py", 100);
  const SaveMilliseconds times{
      .posted = 3, .received = 5, .planned = 5, .sent = 6, .confirmed = 9, .applied = 9};
  CHECK(g.status(114, {.phase = "Applied", .containers = 3, .targets = 3, .milliseconds = times}) ==
        "src/a.py -> 3/3 pods in 14 ms (posted 3, received 5, planned 5, sent 6, confirmed 9)");
  ++g.sequence;
  g.posted("src/b.py", 100);
  CHECK(g.status(111, {.phase = "Applied", .containers = 3, .targets = 3}) ==
        "src/b.py -> 3/3 pods in 11 ms");
}

TEST_CASE("what it waits for is said after a second, once, and then the end") {
  Given g;
  g.posted("src/a.py", 0);
  CHECK(g.status(5, {.phase = "Waiting", .targets = 0, .message = "no running pod matches Deployment/web"}) ==
        "");
  CHECK(g.results.due() == Given::at(1000));
  CHECK(g.tick(999) == "");
  CHECK(g.tick(1000) == "! src/a.py -> 0/0 pods, waiting: no running pod matches Deployment/web");
  CHECK(g.tick(5000) == "");
  CHECK(g.results.due() == Given::at(11'000));
  CHECK(g.tick(11'000) == "");
  CHECK(g.status(65'400, {.phase = "Applied", .containers = 1, .targets = 1}) ==
        "src/a.py -> 1/1 pods in 65.4 s");
}

TEST_CASE("a silent operator is said") {
  Given g;
  g.posted("src/a.py", 0);
  CHECK(g.results.due() == Given::at(5000));
  CHECK(g.tick(5000) ==
        "! src/a.py -> sent, but the operator has not answered for 5.0 s; is it running? kubectl get pods -A "
        "-l "
        "app.kubernetes.io/name=live-update");
}

TEST_CASE("after an outage the operator's silence counts from the post, not from the save") {
  Given g;
  g.results.posted({ChangeSetSpec{.live_update = "web", .session = "7f3a", .sequence = 42}}, "src/a.py",
                   Given::at(0), Given::at(81'300));
  CHECK(g.results.due() == Given::at(86'300));
  CHECK(g.tick(86'299) == "");
  CHECK(g.tick(86'300).starts_with("! src/a.py -> sent, but the operator has not answered for 5.0 s;"));
}

TEST_CASE("after an outage, what it waits for is said a second after the post") {
  Given g;
  g.results.posted({ChangeSetSpec{.live_update = "web", .session = "7f3a", .sequence = 42}}, "src/a.py",
                   Given::at(0), Given::at(80'000));
  g.status(80'005, {.phase = "Waiting", .targets = 2});
  CHECK(g.results.due() == Given::at(81'000));
}

TEST_CASE("the oldest batch speaks for those behind it; one that is deleted is not waited for") {
  Given g;
  for (g.sequence = 42; g.sequence < 45; ++g.sequence) {
    g.posted("f" + std::to_string(g.sequence), 0);
    g.status(1, {.phase = "Waiting", .containers = 0, .targets = 2});
  }
  CHECK(g.tick(1000) == "! f42 -> 0/2 pods, waiting, and so do 2 later saves");
  g.sequence = 42;
  CHECK(g.status(1500, {.phase = "Applied", .containers = 2, .targets = 2}) == "f42 -> 2/2 pods in 1.5 s");
  CHECK(g.tick(1600) == "");
  g.results.removed(change_set_name("web", "7f3a", 43));
  CHECK(g.tick(11'000) == "! f44 -> 0/2 pods, waiting");
}

TEST_CASE("a fall-back, a refusal, nothing to do") {
  Given g;
  g.posted("Dockerfile", 0);
  CHECK(g.status(9, {.phase = "FallBack",
                     .message = "Dockerfile is in fallBackOn: Deployment/web is restarted"}) ==
        "! Dockerfile -> not updated in place: Dockerfile is in fallBackOn: Deployment/web is restarted");
  g.posted("x", 0);
  CHECK(g.status(9, {.phase = "Refused", .message = "path leaves the root"}) ==
        "! x -> refused by the operator: path leaves the root");
  g.posted("y", 0);
  CHECK(g.status(9, {.phase = "Nothing"}) == "y -> nothing to update");
}

TEST_CASE("4.7 a failed run is said, and its repetition once more when it succeeds") {
  Given g;
  g.posted("src/a.py", 0);
  const ChangeSetStatus failed{
      .phase = "Failed", .containers = 2, .targets = 3, .message = "pod web-1: run 2 exited with 1: boom"};
  CHECK(g.status(20, failed) == "! src/a.py -> 2/3 pods, failed: pod web-1: run 2 exited with 1: boom");
  CHECK(g.status(30, failed) == "");
  CHECK(g.results.last_ok() == false);
  CHECK(g.status(900, {.phase = "Applied", .containers = 3, .targets = 3}) ==
        "src/a.py -> 3/3 pods in 900 ms");
}

TEST_CASE("4.7 a failure is said once, however many pods join in; another one is said") {
  Given g;
  g.posted("src/a.py", 0);
  ChangeSetStatus failed{.phase = "Failed", .containers = 1, .targets = 3, .message = "pod web-1: boom"};
  CHECK(g.status(1020, failed) == "! src/a.py -> 1/3 pods, failed: pod web-1: boom");
  failed.containers = 3;
  CHECK(g.status(1030, failed) == "");
  failed.message = "pod web-2: no space left";
  CHECK(g.status(1040, failed) == "! src/a.py -> 3/3 pods, failed: pod web-2: no space left");
}

TEST_CASE("4.9 a failure that comes again after waiting is said again") {
  Given g;
  g.posted("src/a.py", 0);
  const ChangeSetStatus failed{.phase = "Failed", .targets = 1, .message = "pod web-1: no space left"};
  CHECK(g.status(20, failed) == "! src/a.py -> 0/1 pods, failed: pod web-1: no space left");
  CHECK(g.status(2000, {.phase = "Waiting", .targets = 1}) == "");
  CHECK(g.tick(2000) == "! src/a.py -> 0/1 pods, waiting");
  CHECK(g.status(2500, failed) == "! src/a.py -> 0/1 pods, failed: pod web-1: no space left");
}

TEST_CASE("ChangeSets of others are none of our business") {
  Given g;
  g.sequence = 7;
  CHECK(g.status(5, {.phase = "Applied"}) == "");
}

TEST_CASE("changes in words") {
  const Change a{.path = "src/a.py"}, b{.path = "src/b.py"}, c{.path = "c\nc"},
      dir{.path = "d", .type = FileType::Directory};
  const Change gone{.path = "old", .op = Op::Delete}, gone2{.path = "old2", .op = Op::Delete};
  CHECK(say_changes({a}) == "src/a.py");
  CHECK(say_changes({a, b}) == "2 files (src/a.py, src/b.py)");
  CHECK(say_changes({a, b, c, dir}) == "3 files (c\\x0ac, src/a.py, ...)");
  CHECK(say_changes({gone}) == "old deleted");
  CHECK(say_changes({gone, gone2}) == "2 files (old, old2) deleted");
  CHECK(say_changes({a, gone}) == "src/a.py, old deleted");
  CHECK(say_changes({a, b, gone, gone2}) == "2 files (src/a.py, src/b.py), 2 deleted");
  CHECK(say_changes({dir}) == "d/");
  const Change gone_dir{.path = "g", .op = Op::Delete, .type = FileType::Directory};
  CHECK(say_changes({gone_dir, gone, gone2}) == "2 files (old, old2) deleted");
  CHECK(say_changes({gone_dir}) == "g/ deleted");
  CHECK(say_changes({}) == "nothing");
}

TEST_CASE("numbers in words") {
  CHECK(say_count(7) == "7");
  CHECK(say_count(1204) == "1,204");
  CHECK(say_count(1234567) == "1,234,567");
  CHECK(say_count(1, "file") == "1 file");
  CHECK(say_elapsed(milliseconds(11)) == "11 ms");
  CHECK(say_elapsed(milliseconds(2449)) == "2.4 s");
  CHECK(say_elapsed(milliseconds(200'000)) == "3 min");
}

TEST_CASE("4.6 what a run prints is said while it goes on, each line once") {
  Results results{"7f3a"};
  const Results::Instant begin{};
  ChangeSetSpec spec;
  spec.live_update = "web";
  spec.session = "7f3a";
  spec.sequence = 1;
  results.posted({spec}, "package.json", begin, begin);
  ChangeSet it;
  it.meta.name = change_set_name("web", "7f3a", 1);
  it.status.phase = "Waiting";
  it.status.runs = {{3, "web-1", 0, "one\ntwo\n"}};
  using Lines = std::vector<Results::Line>;
  CHECK(results.status(it, begin) == Lines{{false, "  web-1 | one"}, {false, "  web-1 | two"}});
  CHECK(results.status(it, begin).empty());
  it.status.runs = {{3, "web-1", 1, "two\nthree\n"}, {4, "web-1", 2, "last\n"}};
  CHECK(results.status(it, begin) == Lines{{false, "  web-1 | three"},
                                           {false, "  web-1 | ... 2 lines left out"},
                                           {false, "  web-1 | last"}});
  it.status.phase = "Applied";
  it.status.containers = it.status.targets = 1;
  CHECK(results.status(it, begin + std::chrono::milliseconds(9)) ==
        Lines{{false, "package.json -> 1/1 pods in 9 ms"}});
}

TEST_CASE("a status that overtakes the answer to its post is told with that answer") {
  Given g;
  CHECK(g.status(109, {.phase = "Applied", .containers = 3, .targets = 3}).empty());
  CHECK(Given::text(g.posted("src/a.py", 100)) == "src/a.py -> 3/3 pods in 0 ms");
  CHECK(g.results.open() == 0);
}
