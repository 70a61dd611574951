#include "watcher/refusals.h"

#include <doctest/doctest.h>

using namespace live_update;
using namespace std::chrono_literals;

namespace {

const Refusals::Instant kNow{1h};

Change file(const std::string& path, const std::string& digest) {
  return {.path = path, .type = FileType::File, .mode = 0644, .size = 1, .digest = digest};
}
Change gone(const std::string& path) { return {.path = path, .op = Op::Delete, .type = FileType::File}; }

std::string left(Refusals& refusals, std::vector<Change> changes) {
  refusals.sift(changes);
  std::string text;
  for (const Change& it : changes) text += it.path + ' ';
  return text;
}

}  // namespace

TEST_CASE("what was refused is not sent again as it was, but when it has changed, and then also as it was") {
  Refusals refusals;
  refusals.add({{file("a", "1"), "no"}, {gone("b"), "no"}}, kNow);
  CHECK(left(refusals, {file("a", "1"), gone("b"), file("c", "1")}) == "c ");
  CHECK(left(refusals, {file("a", "2"), file("b", "1")}) == "a b ");
  CHECK(left(refusals, {file("a", "1"), gone("b")}) == "a b ");
  CHECK_FALSE(refusals.due());
}

TEST_CASE("what was refused together with others is tried again after a pause that grows") {
  Refusals refusals;
  refusals.add({{file("a", "1"), "no"}, {file("b", "1"), "no", false}}, kNow);
  CHECK(refusals.due() == kNow + Refusals::kPause);
  CHECK(refusals.take_due(kNow).empty());
  CHECK(refusals.take_due(kNow + 5s) == std::set<std::string>{"b"});
  CHECK(left(refusals, {file("a", "1"), file("b", "1")}) == "b ");
  refusals.add({{file("b", "1"), "no", false}}, kNow + 5s);
  CHECK(refusals.due() == kNow + 15s);
  for (int i = 0; i < 9; ++i) refusals.add({{file("b", "1"), "no", false}}, kNow);
  CHECK(refusals.due() == kNow + Refusals::kLongestPause);
  CHECK(refusals.take_all() == std::set<std::string>{"a", "b"});
  CHECK(left(refusals, {file("a", "1"), file("b", "1")}) == "a b ");
}

TEST_CASE("7.6 in a Snapshot it is unknown, as long as it is what it was") {
  Refusals refusals;
  refusals.add({{file("a", "1"), "no"}, {file("b", "1"), "no"}, {gone("c"), "no"}, {gone("d"), "no"}}, kNow);
  Tree tree;
  tree.write("a", {.type = FileType::File, .mode = 0644, .size = 1, .digest = "1"});
  tree.write("d", {.type = FileType::File, .mode = 0644, .size = 1, .digest = "1"});
  auto changes = diff(Tree(), tree);
  Unknowns unknown;
  refusals.spare(changes, unknown, tree);
  CHECK(changes.size() == 1);
  CHECK(changes[0].path == "d");                                    // is there again
  CHECK(unknown.list() == std::vector<UnknownPath>{{"a"}, {"c"}});  // b is gone now: that goes
}

TEST_CASE("it is told by reason, with names that cannot command a terminal, and what to do") {
  std::vector<LeftOut> many{{file("x\x1b", "1"), "denied: z"}};
  for (int i = 0; i < 7; ++i) many.push_back({gone(std::to_string(i)), "denied: a"});
  many.push_back({gone("later"), "", false});
  CHECK(say_left_out(many) ==
        std::vector<std::string>{
            "later -> not sent yet: the API server refuses too many of them; tried again by itself",
            "0, 1, 2, 3, 4 and 2 more -> not accepted: denied: a; everything else is sent. Change or ignore "
            "them, "
            "or have that rule changed and start again",
            "x\\x1b -> not accepted: denied: z; everything else is sent. Change or ignore it, or have that "
            "rule "
            "changed and start again"});
  CHECK(say_left_out({{file("a", "1"), "denied", false}}) ==
        std::vector<std::string>{
            "a -> not accepted: denied; everything else is sent, and it is tried again by itself"});
}

TEST_CASE(
    "what is left out for a moment is due when something is taken, sometimes before, or after the pause") {
  Refusals refusals;
  const std::vector<LeftOut> half{{file("a", "1"), "no", false, true}};
  CHECK(say_left_out(half).empty());
  refusals.add(half, kNow);
  refusals.add({{file("b", "1"), "no", false}}, kNow);
  CHECK(refusals.take_soon(true) == std::set<std::string>{"a"});
  CHECK(refusals.take_soon(true).empty());
  for (int i = 0; i < Refusals::kHurries; ++i) {
    refusals.add(half, kNow);
    CHECK(refusals.take_soon(false).size() == 1);
  }
  refusals.add(half, kNow);
  CHECK(refusals.take_soon(false).empty());
  CHECK(refusals.take_due(kNow + 5s) == std::set<std::string>{"a", "b"});
  refusals.add(half, kNow);
  CHECK(refusals.take_soon(true).size() == 1);
  refusals.add(half, kNow);
  CHECK(refusals.take_soon(false).size() == 1);
}
