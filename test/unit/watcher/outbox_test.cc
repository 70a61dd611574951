#include "watcher/outbox.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

Tree tree(std::initializer_list<std::pair<const char*, const char*>> files) {
  Tree result;
  for (const auto& [path, digest] : files) result.write(path, {.mode = 0644, .size = 1, .digest = digest});
  return result;
}

ChangeSet change_set(std::int64_t sequence, std::vector<Change> changes, int part = 1, int parts = 1) {
  ChangeSet result;
  result.spec = {.live_update = "web",
                 .session = "s",
                 .sequence = sequence,
                 .part = part,
                 .parts = parts,
                 .changes = std::move(changes)};
  return result;
}

Change wrote(std::string path, std::string digest) {
  return {.path = std::move(path), .mode = 0644, .size = 1, .digest = std::move(digest)};
}
Change gone(std::string path) { return {.path = std::move(path), .op = Op::Delete}; }

std::string text(const std::vector<Change>& changes) {
  std::string result;
  for (const Change& change : changes)
    result += (result.empty() ? "" : " ") + std::string(change.op == Op::Write ? "+" : "-") + change.path;
  return result;
}

}  // namespace

TEST_CASE("only what is due is compared, and it is due once") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"b", "1"}}));
  const Tree now = tree({{"a", "2"}, {"b", "2"}});
  CHECK(text(outbox.take(now)) == "");
  outbox.add({.paths = {"a"}});
  CHECK(text(outbox.take(now)) == "+a");
  CHECK(outbox.empty());
}

TEST_CASE("what was changed back is not sent; what was stored is known") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"d/x", "1"}}));
  outbox.add({.paths = {"a"}, .subtrees = {"d"}});
  CHECK(text(outbox.take(tree({{"a", "1"}, {"d/x", "1"}}))) == "");
  const Tree now = tree({{"a", "2"}});
  outbox.add_all();
  CHECK(outbox.waiting(now) == 2);
  auto changes = outbox.take(now);
  CHECK(text(changes) == "+a -d/x");
  outbox.confirm({change_set(1, changes).spec});
  outbox.add_all();
  CHECK(text(outbox.take(now)) == "");
}

TEST_CASE("a stored Snapshot in parts is all there is") {
  Outbox outbox;
  outbox.start(tree({{"old", "1"}}));
  auto one = change_set(1, {wrote("a", "1")}, 1, 2).spec, two = change_set(2, {wrote("b", "1")}, 2, 2).spec;
  one.type = two.type = ChangeSetType::Snapshot;
  outbox.confirm({one, two});
  CHECK(outbox.posted().below("") == std::vector<std::string>{"a", "b"});
}

TEST_CASE("7.2 what was posted since the notes were written is taken in, whole batches only") {
  const Tree base = tree({{"a", "1"}, {"b", "1"}});
  const std::vector<ChangeSet> posted{
      change_set(7, {wrote("x", "7")}, 1, 3),  // never finished
      change_set(5, {gone("b")}),
      change_set(4, {wrote("a", "4")}),
      change_set(8, {wrote("y", "8")}, 1, 2),
      change_set(9, {wrote("z", "9")}, 2, 2),
  };
  const Tree known = replay(base, 4, posted);
  CHECK(known.below("") == std::vector<std::string>{"a", "y", "z"});
  CHECK(known.find("a")->digest == "1");
}

TEST_CASE("7.6 what a stored Snapshot did not know is not deleted, and sent as soon as it can be read") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"secret", "1"}, {"dir/d", "1"}, {"old", "1"}}));
  auto snapshot = change_set(1, {wrote("a", "1")}).spec;
  snapshot.type = ChangeSetType::Snapshot;
  snapshot.unknown = {{"secret"}, {"dir", true}};
  outbox.confirm({snapshot});
  const Unknowns unknown(snapshot.unknown);
  outbox.add_all();
  CHECK(text(outbox.take(tree({{"a", "1"}}), unknown)) == "");
  outbox.add({.paths = {"secret"}});
  CHECK(text(outbox.take(tree({{"a", "1"}, {"secret", "1"}}), Unknowns({{"dir", true}}))) == "+secret");
  outbox.add_all();
  CHECK(text(outbox.take(tree({{"a", "1"}}))) == "-dir/d -secret");  // it was gone, after all
}

TEST_CASE("7.3 what was posted in vain is due again, as it is by then") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"b", "1"}, {"c", "1"}}));
  const Tree now = tree({{"a", "2"}, {"c", "1"}});
  outbox.add({.paths = {"a", "b"}});
  const auto changes = outbox.take(now);
  outbox.confirm({change_set(1, changes).spec});
  outbox.retract(changes);
  CHECK_FALSE(outbox.empty());
  CHECK(text(outbox.take(tree({{"a", "3"}, {"c", "1"}}))) == "+a -b");
}

TEST_CASE("7.3 what the operator refused was never posted") {
  auto refused = change_set(5, {wrote("a", "5")});
  refused.status.phase = "Refused";
  CHECK(replay(tree({{"a", "1"}}), 4, {refused}).find("a")->digest == "1");
}
