// What an agent must not do, or cannot: symlinks on the way, full and read-only file systems, missing rights.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "test/agent/agent_process.h"
#include "test/agent/mounts.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

using Tree = std::map<std::string, std::string>;
constexpr uid_t kNobody = 65534;

TEST_SUITE_BEGIN("agent: refusing");

TEST_CASE("4.3 a symlink planted in each component: refused with its path, nothing is written through it") {
  // The kernel's openat2; a kernel without; a seccomp profile that forbids it.
  for (const int openat2_error : {0, ENOSYS, EPERM}) {
    CAPTURE(openat2_error);
    AgentProcess agent({.openat2_error = openat2_error});
    for (const std::string at : {"a", "a/b", "a/b/c"}) {
      for (const bool absolute : {false, true}) {
        TempTree container;
        container.mkdir("app/" + at.substr(0, at.size() - 2 * (at.size() > 1)));
        container.remove("app/" + at);
        container.mkdir("outside/b/c");
        container.link("app/" + at, absolute ? container.at("outside")
                                             : "../" + std::string(at.size() > 1 ? "../" : "") +
                                                   (at.size() > 3 ? "../" : "") + "outside");
        const auto before = tree_of(container.root());
        for (const auto& batch :
             {file("a/b/c/f", "evil"), std::vector<Request>{Symlink{0, "a/b/c/f", "evil", {}}},
              std::vector<Request>{Directory{0, "a/b/c/f"}}}) {
          const auto answer = agent.apply({container.at("app")}, file("fine", "x") + batch);
          CHECK(failure_of(answer) == "Escapes: cannot write " + container.at("app/a/b/c/f") + ": " +
                                          container.at("app/" + at) +
                                          " is a symlink (nothing is written through a symlink: remove it in "
                                          "the container, or let the sync lead to where it points)");
          CHECK(tree_of(container.root()) == before);
        }
        // Behind a symlink there is nothing of ours to delete.
        CHECK(confirmed(agent.apply({container.at("app")},
                                    {Delete{0, "a/b/c/x"}, Delete{0, "a/b/c/x", DeleteHow::Tracked}})));
        CHECK(tree_of(container.root()) == before);
      }
    }
  }
}

TEST_CASE(
    "4.3 a symlink planted between staging and Commit: all is put back, nothing is written through it") {
  for (const int openat2_error : {0, ENOSYS}) {
    for (const std::string at : {"a", "a/b", "a/b/c"}) {
      CAPTURE(at);
      TempTree container;
      container.write("app/first", "old");
      container.mkdir("app/a/b/c");
      container.mkdir("outside/b/c");
      AgentProcess agent({.openat2_error = openat2_error});
      agent.send(std::vector<Request>{Begin{1, {}, 1, {container.at("app")}}} + file("first", "new") +
                 file("a/b/c/f", "evil"));
      REQUIRE(passed(agent.ask({barrier(2)}, 2)));
      container.rename("app/" + at, "aside");
      container.link("app/" + at, container.at("outside"));
      const auto answer = agent.ask({Commit{1}}, 1);
      REQUIRE(std::holds_alternative<Failed>(answer));
      CHECK(std::get<Failed>(answer).code == Code::Escapes);
      CHECK(std::get<Failed>(answer).path == container.at("app/" + at));
      CHECK(tree_of(container.at("outside")) == Tree{{"b", "dir"}, {"b/c", "dir"}});
      CHECK(container.read("app/first") == "old");
    }
  }
}

TEST_CASE("4.3 the last component: the symlink itself is replaced; the root itself may be a symlink") {
  for (const int openat2_error : {0, ENOSYS}) {
    TempTree container;
    container.write("outside", "untouched");
    container.mkdir("real");
    container.link("app", "real");
    container.link("real/f", "../outside");
    AgentProcess agent({.openat2_error = openat2_error});
    CHECK(confirmed(agent.apply({container.at("app")}, file("f", "mine") + file("d/g", "x"))));
    CHECK(soon([&] {
      return tree_of(container.root()) ==
             Tree{{"outside", "file 644 untouched"}, {"real", "dir"},   {"app", "link real"},
                  {"real/f", "file 644 mine"},       {"real/d", "dir"}, {"real/d/g", "file 644 x"}};
    }));
  }
}

TEST_CASE("4.3 no symlink is put where a sync leads to, or on the way there") {
  TempTree container;
  container.write("app/static/x", "old");
  container.mkdir("app/deep/b");
  container.mkdir("outside");
  const auto before = tree_of(container.root());
  const auto app = container.at("app"), inner = container.at("app/static"), deep = container.at("app/deep/b");
  const auto refused = [&](const std::string& place) {
    return "Escapes: no symlink is put at " + place +
           ": a sync leads to it, or through it (let the link lead from another place, or sync what it "
           "points to)";
  };
  AgentProcess agent;
  // The root of the only sync; what the next batch wrote would land in the link's target.
  CHECK(failure_of(agent.apply({inner}, {Symlink{0, "", container.at("outside"), {}}})) == refused(inner));
  CHECK(failure_of(agent.apply(
            {app, inner},
            file("fine", "x") + std::vector<Request>{Symlink{0, "static", container.at("outside"), {}}})) ==
        refused(inner));
  CHECK(failure_of(agent.apply({app, deep}, {Symlink{0, "deep", container.at("outside"), {}}})) ==
        refused(container.at("app/deep")));
  // A single file's sync, and a directory that is exchanged for a link within one batch.
  CHECK(failure_of(agent.apply({container.at("app/file")}, {Symlink{0, "", "/etc/passwd", {}}})) ==
        refused(container.at("app/file")));
  CHECK(failure_of(agent.apply({inner}, {Delete{0, "", DeleteHow::Tracked}, Symlink{0, "", "/", {}}})) ==
        refused(inner));
  CHECK(tree_of(container.root()) == before);
  CHECK(confirmed(agent.apply({inner}, file("x", "new"))));
  CHECK(container.read("app/static/x") == "new");
  CHECK(confirmed(agent.apply({app, inner}, {Symlink{0, "static-2", "static", {}}})));
}

TEST_CASE("4.3 a root within another root is reached through that, and no symlink on the way is followed") {
  for (const int openat2_error : {0, ENOSYS}) {
    TempTree container;
    container.mkdir("outside/sub");
    container.mkdir("app/x");
    container.link("app/b", container.at("outside"));
    container.link("app/x/c", container.at("outside"));
    const auto before = tree_of(container.root());
    AgentProcess agent({.openat2_error = openat2_error});
    const auto app = container.at("app");
    for (const auto& root : {app + "/b", app + "/b/sub", app + "/x/c"}) {
      const auto link = root == app + "/x/c" ? root : app + "/b";
      CHECK(failure_of(agent.apply({app, root}, file("f", "evil", 0644, 1)))
                .starts_with("Escapes: cannot write " + root + "/f: " + link + " is a symlink"));
      CHECK(confirmed(agent.apply({app, root}, {Delete{1, "sub", DeleteHow::Tracked}})));
    }
    CHECK(tree_of(container.root()) == before);
    // A directory or file that takes the link's place is written into.
    CHECK(failure_of(agent.apply({app, app + "/b"},
                                 std::vector<Request>{Directory{1, ""}} + file("f", "x", 0644, 1))) == "");
    CHECK(container.read("app/b/f") == "x");
    CHECK(tree_of(container.at("outside")) == Tree{{"sub", "dir"}});
  }
}

TEST_CASE("1.4 4.3 paths that lead out or into the system") {
  TempTree container;
  AgentProcess agent;
  for (const auto* path : {"../x", "a/../../x", "/etc/x", "a//b", "a/.", "."})
    CHECK(failure_of(agent.apply({container.at("app")}, {Delete{0, path}}))
              .starts_with("BadRequest: \"" + std::string(path) + "\" is no relative path"));
  for (const auto* root : {"relative", "/a/../b", "/a/", "/proc", "/sys/x", "/dev"})
    CHECK(
        failure_of(agent.apply({root}, {Delete{0, "x"}})).starts_with("BadRequest: \"" + std::string(root)));
  CHECK(failure_of(agent.apply({"/"}, {Delete{0, "proc/x"}}))
            .starts_with("BadRequest: \"/proc/x\" belongs to the system"));
  CHECK(failure_of(agent.apply({"/"}, {Delete{0, "", DeleteHow::Tracked}})).starts_with("BadRequest"));
  CHECK(tree_of(container.root()).empty());
}

TEST_CASE("names of any length get an answer that can be read") {
  TempTree container;
  AgentProcess agent;
  const std::string endless(kMaxPayload / 2, 'x');
  auto answer = agent.ask({Begin{1, {}, 1, {endless}}, Commit{1}}, 1);
  REQUIRE(failure_of(answer).starts_with("BadRequest: \"xxx"));
  CHECK(std::get<Failed>(answer).path.size() == 2 * kMaxPath);
  if (!emulated()) {
    answer = agent.ask({Run{.request = 2, .argv = {"/" + endless}}}, 2);
    CHECK(failure_of(answer).starts_with("Io: cannot start \"/xxx"));
  }
  CHECK(tree_of(container.root()).empty());
  CHECK(agent.close() == 0);
}

TEST_CASE("4.2 a full file system: nothing of the batch is visible, and nothing staged stays") {
  if (!can_mount()) return;
  TempTree container;
  container.mkdir("app");
  const Mounted small("tmpfs", "tmpfs", container.at("app"), 0, "size=256k");
  container.write("app/a", "old");
  const auto before = tree_of(container.at("app"));
  const std::string small_one(100 << 10, 's'), piecewise(200 << 10, 'p'), reserved(2 << 20, 'r');
  AgentProcess agent;
  for (const auto& big : {piecewise, reserved}) {
    const auto answer =
        agent.apply({container.at("app")}, file("a", "new") + file("b", small_one) + file("c", big));
    CHECK(failure_of(answer) == "NoSpace: cannot write " + container.at("app/c") +
                                    ": No space left on device (ENOSPC) (free space or inodes on that file "
                                    "system, or give the volume more)");
    CHECK(std::get<Failed>(answer).error == ENOSPC);
    CHECK(tree_of(container.at("app")) == before);
  }
  CHECK(confirmed(agent.apply({container.at("app")}, file("b", small_one))));
}

TEST_CASE(
    "4.9 several places that cannot be written: one answer names them, five at most, and how many more") {
  if (!can_mount()) return;
  TempTree container;
  chmod(container.root().c_str(), 0755);
  for (const char* place : {"a", "b", "c", "d", "e", "f", "g"})
    container.write("app/" + std::string(place) + "/old", "x");
  container.write("app/open/old", "old");
  container.chmod("app/open", 0777);
  container.mkdir("app/ro");
  const Mounted read_only("tmpfs", "tmpfs", container.at("app/ro"), MS_RDONLY, nullptr);
  const auto before = tree_of(container.at("app"));
  AgentProcess agent({.uid = kNobody});
  const auto app = container.at("app");
  const std::string large(300'000, 'x');  // frames refer to it
  const auto some = [&](std::initializer_list<const char*> places) {
    auto all = file("open/old", "new");
    for (const auto* place : places) all = std::move(all) + file(place, large);
    return all;
  };
  CHECK(failure_of(agent.apply({app}, some({"a/x", "a/y", "ro/x", "open/new", "b/x"}))) ==
        "Permission: cannot create a file beside " + app + "/a/x: Permission denied (EACCES); also " + app +
            "/ro/x (EROFS), " + app +
            "/b/x (let uid 65534 write there: change the owner in the image, or set runAsUser or fsGroup in "
            "the "
            "pod)");
  CHECK(failure_of(agent.apply({app}, some({"a/x", "b/x", "c/x", "d/x", "e/x", "f/x", "g/x"})))
            .starts_with("Permission: cannot create a file beside " + app +
                         "/a/x: Permission denied (EACCES); also " + app + "/b/x, " + app + "/c/x, " + app +
                         "/d/x, " + app + "/e/x and 2 more (let uid"));
  // Whatever is to happen there.
  File kept{.path = "c/old", .mode = 0700, .size = 1, .digest = sha256_of("x"), .content = Content::Kept};
  CHECK(failure_of(agent.apply(
                       {app}, {Delete{0, "a/old"}, Directory{0, "b/new"}, kept, Symlink{0, "d/link", "x", {}},
                               Delete{0, "e/none"}, Delete{0, "f", DeleteHow::Tracked}}))
            .starts_with("Permission: cannot make the directory " + app +
                         "/b/new: Permission denied (EACCES); also " + app + "/c/old, " + app +
                         "/d/link (let uid"));
  CHECK(tree_of(app) == before);
  // Much content is not waited for.
  const std::string much(1 << 20, 'm');
  agent.send(std::vector<Request>{Begin{7, {}, 77, {app}}} + file("a/x", "x"));
  for (int i = 0; i < 20; ++i) agent.send(file("open/" + std::to_string(i), much));
  CHECK(
      failure_of(agent.answer_to(7)).starts_with("Permission: cannot create a file beside " + app + "/a/x"));
  agent.send({Commit{77}});
  CHECK(confirmed(agent.apply({app}, file("open/old", "new"))));
}

TEST_CASE("no space is reserved for what is only announced") {
  if (!can_mount()) return;
  TempTree container;
  container.mkdir("app");
  const Mounted large("tmpfs", "tmpfs", container.at("app"), 0, "size=64m");
  AgentProcess agent;
  const auto blocks = [&] {
    blkcnt_t all = 0;
    for (const auto& entry : std::filesystem::directory_iterator(container.at("app"))) {
      struct stat there{};
      if (stat(entry.path().c_str(), &there) == 0) all += there.st_blocks;
    }
    return all;
  };
  File head{.path = "big", .size = 32 << 20, .digest = sha256_of("no")};
  const auto zeros = zstd_of(std::string(100'000, 'z'));
  agent.send({Begin{1, {}, 1, {container.at("app")}}, head, Data{Coding::Zstd, zeros, false}});
  REQUIRE(passed(agent.ask({barrier(2)}, 2)));
  CHECK(blocks() <= 256);
  CHECK(failure_of(agent.ask({Data{Coding::Identity, "", true}, Commit{1}}, 1)).starts_with("Digest: "));
  // What cannot fit is told before anything is written.
  head.size = std::uint64_t{1} << 45;
  CHECK(failure_of(agent.ask({Begin{3, {}, 3, {container.at("app")}}, head}, 3))
            .starts_with("NoSpace: cannot write"));
}

TEST_CASE("4.9 a read-only file system") {
  if (!can_mount()) return;
  TempTree container;
  container.mkdir("app");
  const Mounted read_only("tmpfs", "tmpfs", container.at("app"), MS_RDONLY, nullptr);
  AgentProcess agent;
  const auto answer = agent.apply({container.at("app")}, file("a", "x"));
  CHECK(failure_of(answer) == "ReadOnly: cannot create a file beside " + container.at("app/a") +
                                  ": Read-only file system (EROFS) (mount a writable volume (an emptyDir) "
                                  "there, or unset readOnlyRootFilesystem)");
  CHECK(failure_of(agent.apply({container.at("app/sub")}, file("a", "x")))
            .starts_with("ReadOnly: cannot make the directory " + container.at("app/sub")));
}

TEST_CASE("4.9 an unprivileged user: what it may not, with its uid; what it may, all of it") {
  if (!can_mount()) return;
  TempTree container;
  chmod(container.root().c_str(), 0755);
  container.write("app/a", "roots");
  container.write("open/theirs", "echo");
  container.write("open/secret", "x");
  container.chmod("open/secret", 0600);
  container.chmod("open", 0777);
  AgentProcess agent({.uid = kNobody});
  CHECK(agent.hello().uid == kNobody);
  const auto answer = agent.apply({container.at("app")}, file("a", "x"));
  CHECK(failure_of(answer) == "Permission: cannot create a file beside " + container.at("app/a") +
                                  ": Permission denied (EACCES) (let uid 65534 write there: change the owner "
                                  "in the image, or set runAsUser or fsGroup in the pod)");
  CHECK(confirmed(agent.apply({container.at("app")}, {Delete{0, "a"}})));
  REQUIRE(agent.warnings.size() == 1);
  CHECK(agent.warnings[0].path == container.at("app/a"));
  CHECK(
      agent.warnings[0].text ==
      "cannot be deleted and stays: Permission denied (EACCES); let uid 65534 write there: change the owner "
      "in the image, or set runAsUser or fsGroup in the pod");
  CHECK(container.read("app/a") == "roots");
  // Somebody else's files in a directory that is open to us: replaced, deleted, and copied for another mode.
  File kept{.path = "theirs", .mode = 0755, .size = 4, .digest = sha256_of("echo"), .content = Content::Kept};
  CHECK(failure_of(agent.apply({container.at("open")},
                               std::vector<Request>{Delete{0, "secret"}, kept} + file("d/new", "n"))) == "");
  CHECK(soon([&] {
    return tree_of(container.at("open")) ==
           Tree{{"theirs", "file 755 echo"}, {"d", "dir"}, {"d/new", "file 644 n"}};
  }));
  struct stat there{};
  REQUIRE(stat(container.at("open/theirs").c_str(), &there) == 0);
  CHECK(there.st_uid == kNobody);
}

TEST_CASE("4.2 a failure in the middle of the switch: all is put back") {
  if (!can_mount()) return;
  for (const int exchange_error : {0, EINVAL}) {
    CAPTURE(exchange_error);
    TempTree container;
    container.write("app/a", "old a");
    container.write("app/gone", "here");
    container.write("app/dir/x", "x");
    container.write("app/mode", "m");
    container.write("app/whole/y", "y");
    container.mkdir("app/mounted");
    const Mounted busy("tmpfs", "tmpfs", container.at("app/mounted"), 0, nullptr);
    const auto before = tree_of(container.at("app"));
    AgentProcess agent({.exchange_error = exchange_error});
    File kept{.path = "mode", .mode = 0700, .size = 1, .digest = sha256_of("m"), .content = Content::Kept};
    // A directory where something is mounted cannot be replaced by a file, and that shows only in the switch.
    const auto answer = agent.apply(
        {container.at("app")}, std::vector<Request>{Delete{0, "gone"}, Delete{0, "whole", DeleteHow::Tracked},
                                                    Directory{0, "made"}, kept, Symlink{0, "link", "a", {}}} +
                                   file("a", "new a") + file("n/e/w", "new") + file("dir", "now a file") +
                                   file("mounted", "impossible") + file("z", "z"));
    CHECK(failure_of(answer) ==
          "Io: cannot replace " + container.at("app/mounted") +
              ": Device or resource busy (EBUSY) (something is mounted there: let the sync lead elsewhere)");
    CHECK(tree_of(container.at("app")) == before);
  }
}

TEST_CASE("a file mounted by itself is written in place, with a warning (EBUSY)") {
  if (!can_mount()) return;
  for (const bool read_only_directory : {false, true}) {
    TempTree container;
    container.write("config", "old, and longer than the new one");
    container.write("app/config", "");
    if (read_only_directory)
      container.chmod("app", 0555), chmod(container.root().c_str(), 0755), container.chmod("config", 0666);
    const Mounted single(container.at("config").c_str(), nullptr, container.at("app/config"), MS_BIND,
                         nullptr);
    AgentProcess agent({.uid = read_only_directory ? kNobody : 0});
    CHECK(failure_of(agent.apply({container.at("app")}, file("config", "new"))) == "");
    CHECK(container.read("config") == "new");
    REQUIRE(agent.warnings.size() == 1);
    CHECK(agent.warnings[0].path == container.at("app/config"));
    CHECK(agent.warnings[0].text ==
          "is mounted by itself and cannot be replaced: it was written in place, so a reader may see a part "
          "of it");
    CHECK(confirmed(agent.apply({container.at("app")}, {Delete{0, "config"}})));
    CHECK(agent.warnings.size() == 2);
    container.chmod("app", 0755);
  }
}

TEST_CASE("a running program that is mounted by itself: refused, with what to do (ETXTBSY)") {
  if (!can_mount()) return;
  TempTree container;
  container.mkdir("app");
  std::filesystem::copy_file("/bin/sleep", container.at("server"));
  container.write("app/server", "");
  container.write("app/a", "old");
  const Mounted single(container.at("server").c_str(), nullptr, container.at("app/server"), MS_BIND, nullptr);
  const Sleeper server(container.at("app/server"));
  AgentProcess agent;
  const auto answer =
      agent.apply({container.at("app")}, file("a", "new") + file("server", "new program", 0755));
  CHECK(failure_of(answer) == "Io: cannot write in place " + container.at("app/server") +
                                  ": Text file busy (ETXTBSY) (the program is running: mount its directory "
                                  "instead of the single file)");
  CHECK(container.read("app/a") == "old");
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
