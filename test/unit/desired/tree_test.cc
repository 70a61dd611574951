#include "core/desired/tree.h"

#include <doctest/doctest.h>

#include <random>

using namespace live_update;

namespace {

std::shared_ptr<const std::string> bytes(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

Change file(std::string path, std::string digest, std::uint32_t mode = 0644) {
  return {.path = std::move(path), .mode = mode, .size = 1, .digest = digest, .content = bytes(digest)};
}
Change directory(std::string path) {
  return {.path = std::move(path), .type = FileType::Directory, .mode = 0755};
}
Change link_to(std::string path, std::string target) {
  return {.path = std::move(path), .type = FileType::Symlink, .target = std::move(target)};
}
Change gone(std::string path, FileType type = FileType::File) {
  return {.path = std::move(path), .op = Op::Delete, .type = type};
}

ChangeSetSpec delta(std::vector<Change> changes) { return {.changes = std::move(changes)}; }
ChangeSetSpec snapshot(std::vector<Change> changes) {
  return {.type = ChangeSetType::Snapshot, .changes = std::move(changes)};
}

Tree tree(std::vector<Change> changes) {
  Tree result;
  result.merge(delta(std::move(changes)));
  return result;
}

// "+a" written, "-a" deleted, in order.
std::string text(const std::vector<Change>& changes) {
  std::string result;
  for (const Change& change : changes) {
    if (!result.empty()) result += ' ';
    result += (change.op == Op::Write ? '+' : '-') + change.path;
    if (change.type == FileType::Directory) result += '/';
  }
  return result;
}

std::string live(const Tree& tree) {
  std::string result;
  for (const std::string& path : tree.below("")) result += (result.empty() ? "" : " ") + path;
  return result;
}

}  // namespace

TEST_CASE("5.3 the last state of each path wins") {
  Tree t = tree({file("a", "1"), file("b", "1")});
  t.merge(delta({file("a", "2"), gone("b")}));
  CHECK(t.find("a")->digest == "2");
  CHECK(t.find("b") == nullptr);
  CHECK(t.find_any("b")->deleted);
  CHECK(text(t.changes()) == "+a -b");
}

TEST_CASE("deleting a directory removes everything below, and nothing beside it") {
  Tree t = tree({directory("a"), file("a/x", "1"), file("a/b/y", "1"), file("a-b", "1"), file("a.c", "1"),
                 file("a0", "1")});
  t.merge(delta({gone("a", FileType::Directory)}));
  CHECK(live(t) == "a-b a.c a0");
  CHECK(text(t.changes()) == "-a/ +a-b +a.c -a/b/y -a/x +a0");
}

TEST_CASE("a file where a directory was, and the reverse") {
  Tree t = tree({directory("a"), file("a/x", "1")});
  t.merge(delta({file("a", "2")}));
  CHECK(live(t) == "a");
  CHECK(t.find_any("a/x")->deleted);
  t.merge(delta({file("a/y", "3")}));
  CHECK(live(t) == "a/y");
  CHECK(t.type("a") == FileType::Directory);
  t.merge(delta({link_to("a", "b")}));
  CHECK(live(t) == "a");
  CHECK(t.type("a") == FileType::Symlink);
}

TEST_CASE("deletes come first in a batch, whatever its order") {
  Tree t = tree({file("a/x", "1")});
  t.merge(delta({file("a", "2"), gone("a", FileType::Directory), gone("a/x")}));
  CHECK(live(t) == "a");
  t.merge(delta({file("a/z", "1"), gone("a")}));
  CHECK(live(t) == "a/z");
}

TEST_CASE("a snapshot deletes what it does not name and keeps the bytes of what it names") {
  Tree t = tree({file("a", "1"), file("b", "1"), file("c/d", "1")});
  Change same = file("a", "1");
  same.content = nullptr;
  t.merge(snapshot({same, file("e", "5")}));
  CHECK(live(t) == "a e");
  CHECK(t.find("a")->has_content());
  CHECK(text(t.changes()) == "+a -b -c/d +e");
}

TEST_CASE("a mode change keeps the bytes") {
  Tree t = tree({file("a", "1", 0644)});
  Change mode = file("a", "1", 0755);
  mode.content = nullptr;
  t.merge(delta({mode}));
  CHECK(t.find("a")->mode == 0755);
  CHECK(*t.find("a")->pieces.at(0).content == "1");
  mode.digest = "2";
  t.merge(delta({mode}));
  CHECK_FALSE(t.find("a")->has_content());
}

TEST_CASE("a large file in pieces over the parts of one batch") {
  Change head = file("big", "9"), tail = file("big", "9");
  tail.offset = 100;
  ChangeSetSpec one = delta({file("a", "1"), head}), two = delta({tail});
  one.sequence = 7, one.part = 1, one.parts = 2;
  two.sequence = 8, two.part = 2, two.parts = 2;
  ChangeSetSpec batch = join({&one, &two});
  CHECK(batch.sequence == 8);
  CHECK(batch.parts == 1);
  Tree t;
  t.merge(batch);
  REQUIRE(t.find("big")->pieces.size() == 2);
  CHECK(t.find("big")->pieces[1].offset == 100);
  CHECK(t.content_bytes() == 3);
  t.merge(batch);
  CHECK(t.find("big")->pieces.size() == 2);
}

TEST_CASE("2.7 diff: a rename is a delete and a write, a touch nothing, a chmod the mode") {
  Tree before = tree(
      {file("old", "1"), file("touched", "1"), file("mode", "1", 0644), link_to("l", "x"), directory("d")});
  Tree after = tree(
      {file("new", "1"), file("touched", "1"), file("mode", "1", 0755), link_to("l", "y"), directory("d")});
  Entry touched = *after.find("touched");
  touched.mtime = Time{};
  after.write("touched", touched);
  Entry chmodded = *after.find("d");
  chmodded.mode = 0700;
  after.write("d", chmodded);
  CHECK(text(diff(before, after)) == "+l +mode +new -old");
  CHECK(text(diff(before, before)) == "");
}

TEST_CASE("2.7 diff: a file that became a directory") {
  Tree before = tree({file("a", "1"), file("b/x", "1")});
  Tree after = tree({directory("a"), file("a/x", "1"), file("b", "1")});
  CHECK(text(diff(before, after)) == "+a/ +a/x +b -b/x");
}

TEST_CASE("what the planner asks of the tree") {
  Tree t = tree({file("a/b/c", "1"), link_to("a/l", "x"), directory("a/empty"), file("ab", "1")});
  CHECK(t.type("a") == FileType::Directory);
  CHECK(t.type("a/b/c") == FileType::File);
  CHECK(t.type("a/b/c/d") == std::nullopt);
  CHECK(t.type(".") == FileType::Directory);
  CHECK(t.files_below("a") == std::vector<std::string>{"a/b/c", "a/l"});
  CHECK(t.files_below(".").size() == 3);
  t.remove("a", FileType::Directory);
  CHECK(t.type("a") == std::nullopt);
  CHECK(t.files_below("a").empty());
}

TEST_CASE("merging the difference leads from any tree to any other") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    auto random_tree = [&] {
      Tree t;
      for (int i = 0; i < 12; ++i) {
        std::string path(1, "ab"[random() % 2]);
        for (unsigned depth = random() % 3; depth > 0; --depth)
          path += std::string("/") + "ab-"[random() % 3];
        switch (random() % 3) {
          case 0:
            t.write(path, {.type = FileType::Directory});
            break;
          case 1:
            t.write(path, {.type = FileType::Symlink, .target = std::to_string(random() % 2)});
            break;
          default:
            t.write(path, {.digest = std::to_string(random() % 3)});
        }
      }
      return t;
    };
    Tree from = random_tree(), to = random_tree(), merged = from;
    merged.merge(delta(diff(from, to)));
    CHECK(diff(merged, to).empty());
    CHECK(merged.files_below("") == to.files_below(""));
  }
}

TEST_CASE("2.8 a Snapshot that leaves a credential out does not say that it is gone, unless it says so") {
  Tree tree;
  for (const char* path : {"a", "b", "c/.env", "key.pem"}) tree.write(path, {});
  tree.merge(
      {.type = ChangeSetType::Snapshot, .changes = {{.path = "a"}, {.path = "key.pem", .op = Op::Delete}}});
  CHECK(tree.find("a"));
  CHECK(tree.find_any("b")->deleted);
  CHECK(tree.find_any("key.pem")->deleted);
  CHECK(tree.find("c/.env"));  // a container that is new gets it, too
}

TEST_CASE("2.8 the folder of a credential that a Snapshot leaves out is there, too, unless both are gone") {
  const Tree before = tree({directory("c"), file("c/.env", "1"), directory("d")});
  Tree kept = before;
  kept.merge(snapshot({}));
  CHECK(text(kept.changes()) == "+c/ +c/.env -d/");
  Tree none = before;
  none.merge(snapshot({gone("c/.env")}));
  CHECK(text(none.changes()) == "-c/ -c/.env -d/");
}

TEST_CASE("7.6 what a Snapshot does not know stays as it was, in content and in existence") {
  Tree t = tree({file("a", "1"), file("big", "1"), directory("dir"), file("dir/d", "1"), file("dir/e/f", "1"),
                 file("dirt", "1"), gone("back")});
  ChangeSetSpec one = snapshot({file("a", "2")}), two = snapshot({});
  one.unknown = {{"big"}, {"back"}};
  two.unknown = {{"dir", true}};
  t.merge(join({&one, &two}));
  CHECK(live(t) == "a big dir dir/d dir/e/f");
  CHECK(t.find("big")->has_content());
  CHECK(t.find_any("back") == nullptr);  // it is there again
  CHECK(t.find_any("dirt")->deleted);
}

TEST_CASE("7.6 what leads to something unknown is there, too; an unknown root is everything") {
  Tree t = tree({directory("p"), directory("p/q"), file("p/q/secret", "1"), file("p/x", "1")});
  ChangeSetSpec one = snapshot({});
  one.unknown = {{"p/q/secret"}};
  t.merge(one);
  CHECK(live(t) == "p p/q p/q/secret");
  one.unknown = {{".", true}};
  t.merge(one);
  CHECK(live(t) == "p p/q p/q/secret");
  t.merge(snapshot({}));
  CHECK(live(t) == "");
}

TEST_CASE("7.6 diff: what is unknown now is not deleted; what is in doubt differs from everything") {
  Tree before = tree({file("a", "1"), file("b", "1"), file("d/x", "1"), link_to("l", "x"), directory("e")});
  const Unknowns unknown({{"b"}, {"d", true}});
  CHECK(text(diff(before, tree({file("a", "1"), link_to("l", "x"), directory("e")}), unknown)) == "");
  CHECK(text(diff(before, tree({}), unknown)) == "-a -e/ -l");
  const Tree same = before;
  before.doubt(Unknowns({{"b"}, {"d", true}, {"l"}, {"e"}}));
  CHECK(text(diff(before, same)) == "+b +d/x +e/ +l");
  CHECK(text(diff(before, Tree())) == "-a -b -d/x -e/ -l");
}

TEST_CASE("7.6 unknown paths: which they hide, and which they name") {
  Unknowns unknown({{"a/b"}, {"d", true}});
  CHECK(unknown.hides("a/b"));
  CHECK_FALSE(unknown.hides("a/b/c"));
  CHECK(unknown.hides("d/x/y"));
  CHECK_FALSE(unknown.hides("d2"));
  CHECK(unknown.names("a"));
  CHECK_FALSE(unknown.hides("a"));
  CHECK(unknown.spares("a"));
  unknown.forget("d");
  CHECK_FALSE(unknown.spares("d/x"));
  CHECK(unknown.list() == std::vector<UnknownPath>{{"a/b", false}});
}
