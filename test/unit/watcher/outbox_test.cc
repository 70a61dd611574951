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

// The LiveUpdate may be another one, which was never told of it.
TEST_CASE("5.8, 7.6 what is gone and what a stored Snapshot did not know is told again when it is known") {
  Outbox outbox;
  Tree posted = tree({{"a", "1"}, {"link/b", "1"}});
  posted.remove("link/b", FileType::File);
  outbox.start(posted);
  auto snapshot = change_set(1, {wrote("a", "1")}).spec;
  snapshot.type = ChangeSetType::Snapshot;
  snapshot.unknown = {{"link", true}};
  outbox.confirm({snapshot});
  outbox.add_all();
  CHECK(text(outbox.take(tree({{"a", "1"}}), Unknowns(snapshot.unknown))) == "");
  outbox.add_all();
  const auto changes = outbox.take(tree({{"a", "1"}}));
  CHECK(text(changes) == "-link/b");
  outbox.confirm({change_set(2, changes).spec});
  outbox.add_all();
  CHECK(text(outbox.take(tree({{"a", "1"}}))) == "");
}

// As a sync's own link that leads to nothing: what was there before it is known of it no more.
TEST_CASE("7.6 what is unknown is not sent as it was") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}}));
  auto snapshot = change_set(1, {wrote("a", "1")}).spec;
  snapshot.type = ChangeSetType::Snapshot;
  snapshot.unknown = {{"link", true}};
  outbox.confirm({snapshot});
  const Tree now = tree({{"a", "1"}, {"link/b", "1"}});
  outbox.add({.subtrees = {"link"}});
  CHECK(outbox.waiting(now, Unknowns(snapshot.unknown)) == 0);
  CHECK(text(outbox.take(now, Unknowns(snapshot.unknown))) == "");
  outbox.add({.subtrees = {"link"}});
  CHECK(text(outbox.take(now)) == "+link/b");
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

namespace {

Change gone_directory(std::string path) {
  return {.path = std::move(path), .op = Op::Delete, .type = FileType::Directory};
}

}  // namespace

TEST_CASE("5.8 what was told as gone is known as long as it does not come again") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"b", "1"}}));
  outbox.confirm({change_set(1, {gone("b")}).spec});
  const Tree without = tree({{"a", "1"}}), with = tree({{"a", "1"}, {"b", "1"}});
  CHECK(text(outbox.gone(without, {})) == "-b");
  CHECK(outbox.there() == 1);
  outbox.add_all();
  CHECK(outbox.waiting(without) == 0);
  CHECK(text(outbox.take(without)) == "");
  outbox.add_paths({"b"});
  const auto again = outbox.take(with);
  CHECK(text(again) == "+b");
  outbox.confirm({change_set(2, again).spec});
  CHECK(text(outbox.gone(with, {})) == "");
  CHECK(outbox.posted() == with);
}

TEST_CASE("5.8 a folder that is gone takes all below with it, and comes again with less") {
  Outbox outbox;
  Tree before = tree({{"d/x", "1"}, {"d/e/y", "1"}});
  before.write("d", {.type = FileType::Directory});
  before.write("d/e", {.type = FileType::Directory});
  outbox.start(before);
  outbox.confirm({change_set(1, {gone_directory("d")}).spec});
  CHECK(text(outbox.gone(Tree(), {})) == "-d -d/e -d/e/y -d/x");
  const Tree now = tree({{"d/e/z", "1"}});  // its folders are implied
  outbox.add_all();
  const auto changes = outbox.take(now);
  CHECK(text(changes) == "+d/e/z");
  outbox.confirm({change_set(2, changes).spec});
  CHECK(text(outbox.gone(now, {})) == "-d/e/y -d/x");
  CHECK(text(outbox.gone(now, Unknowns({{"d", true}}))) == "");
}

TEST_CASE("7.3 a delete that was told in vain is told again; what is in doubt and there is sent") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"b", "1"}}));
  outbox.confirm({change_set(1, {gone("a"), gone("b")}).spec});
  outbox.retract({gone("a"), gone("b")});
  CHECK(text(outbox.take(tree({{"b", "1"}}))) == "-a +b");
}

TEST_CASE("7.3 a file that a folder was to replace in vain is deleted when neither is there") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"k", "1"}}));
  outbox.add_all();
  const auto changes = outbox.take(tree({{"a/b", "1"}, {"k", "1"}}));
  CHECK(text(changes) == "-a +a/b");
  outbox.confirm({change_set(1, changes).spec});
  outbox.retract(changes);
  CHECK(text(outbox.take(tree({{"k", "1"}}))) == "-a -a/b");
  outbox.retract(changes);
  CHECK(text(outbox.take(tree({{"a/b", "1"}, {"k", "1"}}))) == "+a/b");
  outbox.retract(changes);
  CHECK(text(outbox.take(tree({{"a", "1"}, {"k", "1"}}))) == "+a -a/b");
}

TEST_CASE("7.3 what is gone and told is not told again because something near it is in doubt") {
  Outbox outbox;
  outbox.start(tree({{"d/a", "1"}, {"d/b", "1"}}));
  outbox.confirm({change_set(1, {gone("d/b")}).spec});
  outbox.ask_again({"d/b", "d/a"});
  CHECK(text(outbox.take(tree({{"d/a", "1"}}))) == "+d/a");
}

TEST_CASE("2.1 what ceases to count is not deleted, and not forgotten: it is compared when it counts again") {
  bool counts = true;
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"out/x", "1"}, {"out/y", "1"}, {"out/z", "1"}}),
               [&](const std::string& path) { return counts || !path.starts_with("out/"); });
  counts = false;
  outbox.add_all();
  CHECK(text(outbox.take(tree({{"a", "1"}}))) == "");
  CHECK(text(outbox.gone(tree({{"a", "1"}}), {})) == "");
  CHECK(outbox.there() == 1);
  outbox.retract({{.path = "out/z"}});
  CHECK(text(outbox.take(tree({{"a", "1"}}))) == "");
  counts = true;
  outbox.add_all();
  CHECK(text(outbox.take(tree({{"a", "1"}, {"out/x", "1"}, {"out/y", "2"}}))) == "+out/y -out/z");
}

TEST_CASE("2.1 a Snapshot says nothing of what does not count: it is sent whole when it counts again") {
  bool counts = false;
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"out/x", "1"}, {"out/y", "1"}}),
               [&](const std::string& path) { return counts || !path.starts_with("out/"); });
  auto snapshot = change_set(1, {wrote("a", "1")}).spec;
  snapshot.type = ChangeSetType::Snapshot;
  outbox.confirm({snapshot});
  CHECK_FALSE(outbox.knows("out/x"));
  counts = true;
  outbox.add_all();
  CHECK(text(outbox.take(tree({{"a", "1"}, {"out/x", "1"}}))) == "+out/x -out/y");
}

TEST_CASE("5.8 what a stored Snapshot does not name is gone") {
  Outbox outbox;
  outbox.start(tree({{"a", "1"}, {"old", "1"}}));
  auto snapshot = change_set(1, {wrote("a", "1")}).spec;
  snapshot.type = ChangeSetType::Snapshot;
  outbox.confirm({snapshot});
  CHECK(text(outbox.gone(tree({{"a", "1"}}), {})) == "-old");
}

TEST_CASE("7.2 notes of an older format are completed by what ChangeSets say, and by that alone") {
  const Tree notes = tree({{"a", "1"}, {"b", "2"}});
  const Tree all = completed(notes, {change_set(1, {wrote("x", "1"), wrote("b", "1")}),
                                     change_set(2, {gone("x")}), change_set(3, {wrote(".env", "1")})});
  CHECK(all.find_any("x")->deleted);
  CHECK(all.find("b")->digest == "2");
  CHECK(all.below("") == std::vector<std::string>{".env", "a", "b"});
}

TEST_CASE(
    "5.9 what is asked for while a batch is under way is sent whole after it, if it had no content of it") {
  const Tree now = tree({{"a", "1"}, {"b", "1"}, {"c", "1"}});
  Outbox outbox;
  outbox.start(now);
  outbox.add_all();
  (void)outbox.take(now);
  auto snapshot = change_set(1, {wrote("a", "1"), wrote("b", "1"), wrote("c", "1")}).spec;
  snapshot.type = ChangeSetType::Snapshot;
  snapshot.changes.edit()[1].content = std::make_shared<const std::string>("b");
  outbox.ask_again({"a", "b"});
  outbox.confirm({snapshot});
  const auto changes = outbox.take(now);
  CHECK(text(changes) == "+a");
  outbox.confirm({change_set(2, changes).spec});
  outbox.add_all();
  CHECK(text(outbox.take(now)) == "");
}

TEST_CASE("7.5 a Checkpoint stands for all up to its sequence, and says deletes, too") {
  ChangeSet merged = change_set(4, {wrote("a", "4"), gone("b")});
  merged.spec.session = "checkpoint-1";
  merged.spec.checkpoint.emplace();
  ChangeSet half = merged;  // of the next one, the second part of which is not there
  half.spec.session = "checkpoint-2";
  half.spec.parts = 2;
  half.spec.changes = {wrote("half", "1")};
  const std::vector<ChangeSet> posted{change_set(4, {wrote("b", "old")}), merged, half,
                                      change_set(5, {wrote("c", "5")})};
  for (const std::int64_t known : {0, 3}) {
    const Tree told = replay(tree({{"b", "1"}}), known, posted);
    CHECK(told.find("a")->digest == "4");
    CHECK(told.find_any("b")->deleted);
    CHECK(told.find("c"));
    CHECK_FALSE(told.find("half"));
  }
  const Tree told = replay(tree({{"b", "1"}}), 4, posted);
  CHECK(told.find("b"));
  CHECK(told.find("c"));
}

TEST_CASE("7.2 a delete that was refused is not told by that of a folder above it") {
  Outbox outbox;
  outbox.start(tree({{"d/a", "1"}, {"d/b", "1"}}));
  outbox.add_all();
  CHECK(text(outbox.take(Tree())) == "-d/a -d/b");
  const Change folder{.path = "d", .op = Op::Delete, .type = FileType::Directory};
  outbox.confirm({change_set(1, {folder, gone("d/a")}).spec});
  outbox.untold({gone("d/b")});
  outbox.add_all();
  CHECK(text(outbox.take(Tree())) == "-d/b");
}
