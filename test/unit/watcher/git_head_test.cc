#include "watcher/git_head.h"

#include <doctest/doctest.h>

#include "test/fakes/temp_tree.h"

using namespace live_update;

TEST_CASE("7.4 a switch, a commit, a reset and a detached head change what git has checked out") {
  TempTree disk;
  disk.mkdir("src/deep");
  const auto head = [&] { return git_state(disk.at("src/deep")).head; };
  CHECK(head().empty());
  disk.write(".git/HEAD", "ref: refs/heads/main\n");
  disk.write(".git/packed-refs", "# pack-refs\n1111 refs/heads/main\n3333 refs/heads/other\n");
  const std::string packed = head();
  CHECK_FALSE(packed.empty());
  CHECK(head() == packed);
  disk.write(".git/refs/heads/main", "2222\n");
  const std::string committed = head();
  CHECK(committed != packed);
  disk.write(".git/HEAD", "ref: refs/heads/other\n");
  const std::string switched = head();
  CHECK(switched != committed);
  disk.write(".git/HEAD", "3333\n");
  CHECK(head() != switched);
  CHECK(git_state(disk.at("src")).moved);
  CHECK_FALSE(git_state(disk.at("src")).busy);
  disk.write(".git/index.lock", "");
  CHECK(git_state(disk.at("src")).busy);
  disk.remove(".git");
  CHECK(head().empty());
}

TEST_CASE("7.4 a worktree has a head of its own, and its branches are the repository's") {
  TempTree disk;
  disk.write("main/.git/refs/heads/feature", "1111\n");
  disk.write("main/.git/worktrees/w/HEAD", "ref: refs/heads/feature\n");
  disk.write("main/.git/worktrees/w/commondir", "../..\n");
  disk.write("w/.git", "gitdir: " + disk.at("main/.git/worktrees/w") + "\n");
  const std::string before = git_state(disk.at("w")).head;
  CHECK_FALSE(before.empty());
  disk.write("main/.git/refs/heads/feature", "2222\n");
  CHECK(git_state(disk.at("w")).head != before);
}
