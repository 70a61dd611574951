#include "watcher/delete_guard.h"

#include <doctest/doctest.h>

using namespace live_update;
using std::chrono::milliseconds;

namespace {

struct Given {
  DeleteGuard guard;
  Tree posted;
  std::int64_t most = 3;
  bool nothing_left = false, on_purpose = false, allowed = false;
  int now_ms = 0;

  Given() {
    for (int i = 0; i < 10; ++i) has("old/" + std::to_string(i), "content " + std::to_string(i));
  }
  void has(const std::string& path, const std::string& digest) {
    posted.write(path, {.size = 1, .digest = digest});
  }
  static Change gone(const std::string& path, FileType type = FileType::File) {
    return {.path = path, .op = Op::Delete, .type = type};
  }
  static Change wrote(const std::string& path, const std::string& digest) {
    return {.path = path, .size = 1, .digest = digest};
  }
  static std::vector<Change> old_gone(int from, int to) {
    std::vector<Change> changes;
    for (int i = from; i < to; ++i) changes.push_back(gone("old/" + std::to_string(i)));
    return changes;
  }
  // What goes on, "+a -b".
  std::string sift(std::vector<Change> changes) {
    const auto rest = guard.sift(std::move(changes),
                                 {.posted = posted,
                                  .there = [this] { return static_cast<std::int64_t>(posted.size()); },
                                  .nothing_left = nothing_left,
                                  .most = most,
                                  .allowed = allowed,
                                  .on_purpose = [this] { return on_purpose; }},
                                 DeleteGuard::Instant(milliseconds(now_ms)));
    std::string text;
    for (const Change& it : rest)
      text += (text.empty() ? "" : " ") + std::string(it.op == Op::Write ? "+" : "-") + it.path;
    return text;
  }
};

}  // namespace

TEST_CASE("7.4 too many deletes are held back, and only they") {
  Given g;
  auto batch = Given::old_gone(0, 4);
  batch.push_back(Given::wrote("a", "1"));
  CHECK(g.sift(batch) == "+a");
  CHECK(g.guard.held().size() == 4);
  CHECK(g.guard.question("/r") ==
        "4 of 10 paths below /r are gone, more than spec.source.maxDeletes (3). Was that meant, or is a disk "
        "not "
        "mounted? They are not deleted in the containers. To delete them in the containers, start again with "
        "--allow-deletes");
  g.now_ms = 60'000;
  auto later = Given::old_gone(0, 4);
  later.push_back(Given::gone("old/9"));
  CHECK(g.sift(later) == "-old/9");  // another batch goes on
}

TEST_CASE("7.4 deletes within two seconds are one deed, in however many batches") {
  Given g;
  CHECK(g.sift(Given::old_gone(0, 3)) == "-old/0 -old/1 -old/2");
  g.now_ms = 1900;
  CHECK(g.sift(Given::old_gone(3, 5)) == "");
  CHECK(g.guard.question("/r").find("The last 2 are not deleted") != std::string::npos);
  Given slow;
  CHECK(slow.sift(Given::old_gone(0, 3)) == "-old/0 -old/1 -old/2");
  slow.now_ms = 2100;
  CHECK(slow.sift(Given::old_gone(3, 5)) == "-old/3 -old/4");
}

TEST_CASE("7.4 a renamed folder needs no question, whatever its size") {
  Given g;
  auto batch = Given::old_gone(0, 10);
  for (int i = 0; i < 10; ++i)
    batch.push_back(Given::wrote("new/" + std::to_string(i), "content " + std::to_string(i)));
  batch.push_back(Given::gone("old", FileType::Directory));
  batch.push_back({.path = "new", .type = FileType::Directory});
  g.posted.write("old", {.type = FileType::Directory});
  g.sift(batch);
  CHECK(g.guard.held().empty());
}

TEST_CASE("7.4 each arrival excuses one delete of its content, no more") {
  Given g;
  for (int i = 0; i < 10; ++i) g.has("old/" + std::to_string(i), "the same");
  auto batch = Given::old_gone(0, 10);
  batch.push_back(Given::wrote("one", "the same"));
  CHECK(g.sift(batch).find("+one") != std::string::npos);
  CHECK(g.guard.held().size() == 9);
}

TEST_CASE("7.4 the other half of a rename may come later: nothing is held any more") {
  Given g;
  CHECK(g.sift(Given::old_gone(0, 10)) == "");
  auto both = Given::old_gone(0, 10);
  for (int i = 0; i < 10; ++i)
    both.push_back(Given::wrote("new/" + std::to_string(i), "content " + std::to_string(i)));
  g.sift(both);
  CHECK(g.guard.held().empty());
}

TEST_CASE("7.4 what comes back is not asked about any more") {
  Given g;
  g.sift(Given::old_gone(0, 6));
  g.now_ms = 60'000;
  CHECK(g.sift(Given::old_gone(0, 1)) == "");
  CHECK(g.guard.held() == std::set<std::string>{"old/0"});
  CHECK(g.sift({}) == "");
  CHECK(g.guard.held().empty());
}

TEST_CASE("7.4 all that there is, however little; what git did; what was allowed") {
  Given g;
  g.most = 1000;
  g.nothing_left = true;
  CHECK(g.sift(Given::old_gone(0, 10)) == "");
  g.on_purpose = true;
  CHECK(g.sift(Given::old_gone(0, 10)).starts_with("-old/0"));
  CHECK(g.guard.held().empty());
  Given allowed;
  allowed.allowed = true;
  CHECK(allowed.sift(Given::old_gone(0, 10)).starts_with("-old/0"));
}

TEST_CASE("7.4 what was held is held after a restart, too; a file does not bury what is held below it") {
  Given g;
  g.guard.resume({"old/0"});
  CHECK(g.sift({Given::gone("old/0"), Given::wrote("old", "1"), Given::wrote("b", "1")}) == "+b");
  CHECK(g.guard.question("/r").starts_with("1 of 10 paths below /r are gone"));
}
