// What a batch deletes, what it leaves, and what cannot be deleted (rule 4.5).
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "test/agent/agent_process.h"
#include "test/agent/look.h"
#include "test/agent/mounts.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

using namespace std::string_literals;
using Tree = std::map<std::string, std::string>;

TEST_SUITE_BEGIN("agent: deleting");

TEST_CASE("4.5 deletes: what is tracked goes, what only the container has stays") {
  TempTree container;
  for (const auto* path : {"app/a", "app/d/mine", "app/d/theirs", "app/e/mine", "app/keep/x"})
    container.write(path, "x");
  AgentProcess agent;
  const auto answer =
      agent.apply({container.at("app")},
                  {Delete{0, "d", DeleteHow::Tracked}, Delete{0, "e", DeleteHow::Tracked}, Delete{0, "a"},
                   Delete{0, "d/mine"}, Delete{0, "e/mine"}, Delete{0, "never/was"}, Delete{0, "keep"}});
  REQUIRE(confirmed(answer));
  CHECK(tree_of(container.at("app")) ==
        Tree{{"d", "dir"}, {"d/theirs", "file 644 x"}, {"keep", "dir"}, {"keep/x", "file 644 x"}});
  REQUIRE(agent.warnings.size() == 1);
  CHECK(agent.warnings[0].path == container.at("app/keep"));
  CHECK(agent.warnings[0].text ==
        "is a directory in the container, not the file that was to be deleted, and what only the container "
        "has is in it: it stays");
}

TEST_CASE("4.5 a delete removes what is there, whatever it was on the host") {
  TempTree container;
  for (const auto* path : {"app/was_dir", "app/both/x", "app/swap", "outside/x"}) container.write(path, "x");
  container.mkdir("app/was_file");
  container.mkdir("app/remade");
  container.link("app/was_folder", "../outside");
  AgentProcess agent;
  const auto batch = std::vector<Request>{Delete{0, "was_dir", DeleteHow::Tracked},
                                          Delete{0, "was_folder", DeleteHow::Tracked},
                                          Delete{0, "was_file"},
                                          Delete{0, "both/x"},
                                          Delete{0, "both"},
                                          Delete{0, "remade"},
                                          Delete{0, "parent"},
                                          Delete{0, "swap", DeleteHow::Tracked},
                                          Directory{0, "remade"}} +
                     file("swap", "new") + file("parent/f", "f");
  std::set<ino_t> swapped;
  for (const int twice : {1, 2}) {
    CAPTURE(twice);
    REQUIRE(confirmed(agent.apply({container.at("app")}, batch)));
    swapped.insert(look(container.at("app/swap")).st_ino);
    CHECK(soon([&] {
      return tree_of(container.root()) == Tree{{"app", "dir"},
                                               {"app/parent", "dir"},
                                               {"app/parent/f", "file 644 f"},
                                               {"app/remade", "dir"},
                                               {"app/swap", "file 644 new"},
                                               {"outside", "dir"},
                                               {"outside/x", "file 644 x"}};
    }));
  }
  CHECK(swapped.size() == 1);  // it was there all the time
  CHECK(agent.warnings.empty());
}

TEST_CASE("4.5 what cannot be deleted stays, with one warning, and the rest of the batch goes on") {
  if (!can_mount()) return;
  TempTree container;
  for (const auto* path : {"app/fine", "app/single", "app/ro/x", "app/folder/inside"})
    container.write(path, "x");
  const Mounted read_only("tmpfs", "tmpfs", container.at("app/ro"), 0, nullptr);
  container.write("app/ro/a", "x");
  container.write("app/ro/b/c", "x");
  REQUIRE(mount(nullptr, container.at("app/ro").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
  const Mounted single(container.at("app/fine").c_str(), nullptr, container.at("app/single"), MS_BIND,
                       nullptr);
  const Mounted folder("tmpfs", "tmpfs", container.at("app/folder"), 0, nullptr);
  AgentProcess agent;
  const auto batch = std::vector<Request>{Delete{0, "ro/a"},
                                          Delete{0, "ro/b/c"},
                                          Delete{0, "ro", DeleteHow::Tracked},
                                          Delete{0, "single"},
                                          Delete{0, "folder", DeleteHow::Tracked},
                                          Delete{0, "fine"}} +
                     file("new", "n");
  CHECK(failure_of(agent.apply({container.at("app")}, batch)) == "");
  CHECK(container.read("app/new") == "n");
  CHECK(container.read("app/ro/a") == "x");
  CHECK(container.read("app/single") == "x");
  CHECK_FALSE(std::filesystem::exists(container.at("app/fine")));
  REQUIRE(agent.warnings.size() == 1);
  CHECK(agent.warnings[0].path == container.at("app/ro/a"));
  CHECK(agent.warnings[0].text ==
        "cannot be deleted and stays: Read-only file system (EROFS); also " + container.at("app/ro/b/c") +
            ", " + container.at("app/single") +
            " (EBUSY); mount a writable volume (an emptyDir) there, or unset readOnlyRootFilesystem");
  CHECK(failure_of(agent.apply({container.at("app")}, file("new", "later"))) == "");
}

TEST_CASE("4.5 what a file takes the place of goes, but for other file systems in it") {
  if (!can_mount()) return;
  TempTree container;
  container.write("app/d/a", "x");
  container.mkdir("app/d/volume");
  const Mounted volume("tmpfs", "tmpfs", container.at("app/d/volume"), 0, nullptr);
  container.write("app/d/volume/data", "precious");
  AgentProcess agent;
  CHECK(confirmed(agent.apply({container.at("app")}, file("d", "x"))));
  const auto left = tree_of(container.at("app"));
  CHECK(std::ranges::any_of(left, [](const auto& entry) { return entry.second == "file 644 precious"; }));
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
