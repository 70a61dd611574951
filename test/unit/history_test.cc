// How ChangeSets become the history of a LiveUpdate: order, parts, gaps, merging, what may be deleted
// (rules 5.3, 7.3).
#include "core/history.h"

#include <doctest/doctest.h>

#include "test/fakes/change_sets.h"

using namespace live_update;

namespace {

using Sets = std::vector<std::shared_ptr<const ChangeSet>>;

History history_of(Sets sets, std::int64_t accepted = 0) {
  History history;
  history.update(std::move(sets), accepted);
  return history;
}

std::string sequences(const History& history) {
  std::string text;
  for (const Batch& batch : history.batches()) text += (text.empty() ? "" : " ") + std::to_string(batch.last);
  return text;
}

std::string paths(const Tree& tree) {
  std::string text;
  for (const Change& change : tree.changes())
    text += (text.empty() ? "" : " ") + std::string(change.op == Op::Delete ? "-" : "+") + change.path;
  return text;
}

}  // namespace

TEST_CASE("7.3 ChangeSets apply in order of sequence, however they arrive") {
  const History history = history_of({delta(2).saved("b"), delta(1).saved("a"), delta(3).saved("c")});
  CHECK(sequences(history) == "1 2 3");
  CHECK(history.newest() == 3);
  CHECK(paths(history.all()) == "+a +b +c");
}

TEST_CASE("5.3 the last state of each path wins") {
  const History history =
      history_of({delta(1).saved("a").saved("b"), delta(2).deleted("a"), delta(3).saved("b", "new")});
  CHECK(paths(history.all()) == "-a +b");
  CHECK(paths(history.since(2)) == "+b");
  CHECK(history.all().find("b")->digest == digest_of("new"));
}

TEST_CASE("5.3 batches can be left out") {
  const History history = history_of({delta(1).saved("a"), delta(2).saved("b"), delta(3).saved("c")});
  CHECK(paths(history.since(0, {2})) == "+a +c");
}

TEST_CASE("a batch in parts is one batch, and waits for its last part") {
  History history = history_of({delta(1).saved("a").part(1, 2)});
  CHECK(sequences(history) == "");
  history.update({delta(1).saved("a").part(1, 2), delta(2).saved("b").part(2, 2)}, 0);
  CHECK(sequences(history) == "2");
  CHECK(history.batches().front().first == 1);
  CHECK(paths(history.all()) == "+a +b");
}

TEST_CASE("a batch that was given up half-way is superseded by the next one") {
  const History history = history_of({delta(1).saved("a").part(1, 3), delta(2).saved("b")});
  CHECK(sequences(history) == "2");
  REQUIRE(history.refused().size() == 1);
  CHECK(history.refused().front().phase == "Superseded");
}

TEST_CASE("a superseded batch whose parts are deleted one by one is no gap") {
  History history = history_of({delta(1).saved("a").part(1, 3), delta(2).saved("b").part(2, 3),
                                delta(3).saved("c").part(3, 3), delta(4).saved("a").saved("b").saved("c")});
  CHECK(history.superseded(4).size() == 3);
  history.update({delta(3).saved("c").part(3, 3), delta(4).saved("a").saved("b").saved("c")}, 0);
  CHECK_FALSE(history.gap());
  CHECK(sequences(history) == "4");
  CHECK(history.superseded(4).size() == 1);
  history.update(
      {delta(3).saved("c").part(3, 3), delta(4).saved("a").saved("b").saved("c"), delta(5).saved("d")}, 0);
  CHECK(sequences(history) == "4 5");
  history.update({delta(4).saved("a").saved("b").saved("c"), delta(5).saved("d")}, 0);
  CHECK(sequences(history) == "4 5");
  CHECK(history.superseded(5).empty());
}

TEST_CASE("a missing sequence stops what is behind it until it comes") {
  History history = history_of({delta(1).saved("a"), delta(3).saved("c")});
  CHECK(sequences(history) == "1");
  CHECK(history.gap() == 2);
  history.update({delta(1).saved("a"), delta(2).saved("b"), delta(3).saved("c")}, 1);
  CHECK(sequences(history) == "1 2 3");
  CHECK_FALSE(history.gap());
}

TEST_CASE("a Snapshot closes a gap") {
  const History history =
      history_of({delta(1).saved("a"), delta(3).saved("c"), snapshot(4).saved("a").saved("d")});
  CHECK(sequences(history) == "1 4");
  CHECK_FALSE(history.gap());
  CHECK(history.refused().front().phase == "Superseded");
  CHECK(paths(history.since(1)) == "+a +d");
}

TEST_CASE("5.3 after a restart the history begins wherever it was cut") {
  const History history = history_of({delta(7).saved("a"), delta(9).saved("b")}, 9);
  CHECK(sequences(history) == "7 9");
  CHECK_FALSE(history.gap());
  CHECK(history_of({}, 9).newest() == 9);
}

TEST_CASE("7.3 a sequence that is used twice is refused") {
  const History history = history_of({delta(1).saved("a"), delta(1).named("web-other-000001").saved("b")});
  REQUIRE(history.refused().size() == 1);
  CHECK(history.refused().front().message == "sequence 1 is already used by another ChangeSet");
}

TEST_CASE("4.3 1.5 paths that lead out of the root are refused") {
  for (const char* path : {"../a", "/etc/passwd", "a/../../b", "a//b", "./a", "a/", ".", "", "a/."}) {
    CAPTURE(path);
    const History history = history_of({delta(1).saved(path)});
    CHECK(history.batches().empty());
    REQUIRE(history.refused().size() == 1);
    CHECK(history.refused().front().phase == "Refused");
  }
}

TEST_CASE("a file without a proper digest is refused") {
  ChangeSet change_set = *std::shared_ptr<const ChangeSet>(delta(1).saved("a"));
  change_set.spec.changes.front().digest = "sha256:zz";
  CHECK(refusal(change_set.spec) == "\"a\": digest must be sha256: and 64 hex digits, not \"sha256:zz\"");
}

TEST_CASE("a ChangeSet is superseded when all it says has been said again and every target has it") {
  const History history =
      history_of({delta(1).saved("a"), delta(2).saved("a").saved("b"), delta(3).saved("a")});
  auto names = [&](std::int64_t confirmed) {
    std::string text;
    for (const ObjectMeta& it : history.superseded(confirmed)) text += it.name + " ";
    return text;
  };
  CHECK(names(0) == "");
  CHECK(names(3) == "web-7f3a-000001 ");
}

TEST_CASE("2.7 a change of mode alone does not supersede the content") {
  const History history = history_of({delta(1).saved("a"), delta(2).mode_of("a", 0755)});
  CHECK(history.superseded(2).empty());
  CHECK(history.all().find("a")->has_content());
}

TEST_CASE("the newest Snapshot is kept: it is what the history reaches back to") {
  const History history = history_of({snapshot(1).saved("a"), delta(2).saved("a")});
  CHECK(history.superseded(2).empty());
}
