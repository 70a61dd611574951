// The agent puts itself into another container: a process with a root directory of its own stands for it.
#include <doctest/doctest.h>
#include <grp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "test/agent/agent_process.h"
#include "test/agent/mounts.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

namespace fs = std::filesystem;
constexpr uid_t kNobody = 65534, kOther = 1234;

// Only a static program runs in an empty root directory, and only root may change that.
bool can_have_targets() {
  if (geteuid() == 0 && !kSanitized && !emulated()) return true;
  MESSAGE("not root, or not the static agent: left out");
  return false;
}

// A container of one process of this user, which waits for ever.
class Target {
 public:
  explicit Target(uid_t uid = 0, std::optional<gid_t> group = {}) {
    const gid_t gid = group.value_or(uid);
    fs::permissions(tree.root(), fs::perms(0755));
    tree.mkdir("tmp");
    fs::permissions(tree.at("tmp"), fs::perms(01777));
    fs::copy_file(agent_command()[0], tree.at("idle"));
    REQUIRE(mkfifo(tree.at("fifo").c_str(), 0600) == 0);
    REQUIRE(chown(tree.at("fifo").c_str(), uid, gid) == 0);
    pid_ = fork();
    if (pid_ == 0) {
      if (chroot(tree.root().c_str()) == 0 && chdir("/") == 0 && setgroups(0, nullptr) == 0 &&
          setgid(gid) == 0 && setuid(uid) == 0)
        execl("/idle", "/idle", "digest", "/fifo", nullptr);
      _exit(99);
    }
    const std::string exe = "/proc/" + process() + "/exe";
    REQUIRE(soon([&] {
      std::error_code gone;
      return fs::read_symlink(exe, gone).filename() == "idle";
    }));
  }
  ~Target() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  std::string process() const { return std::to_string(pid_); }
  std::vector<fs::path> agents(const std::string& directory) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(tree.at(directory)))
      if (entry.path().filename().string().starts_with(".live-update-agent-")) found.push_back(entry.path());
    return found;
  }
  TempTree tree;

 private:
  pid_t pid_ = -1;
};

struct Outcome {
  int code = -1;
  std::string report;
};

Outcome place(std::vector<std::string> words, uid_t uid = 0) {
  TempTree own;
  fs::permissions(own.root(), fs::perms(0755));
  own.write("report", "");
  fs::permissions(own.at("report"), fs::perms(0666));
  std::vector<std::string> arguments{"place", "--report", own.at("report")};
  arguments.insert(arguments.end(), words.begin(), words.end());
  Child child({.uid = uid, .arguments = std::move(arguments)});
  const int code = child.wait();
  return {code, own.read("report")};
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_SUITE_BEGIN("agent: placing");

TEST_CASE("it lies in the first directory that will do, executable, whole, and is used again") {
  if (!can_have_targets()) return;
  const Target target;
  target.tree.write("tmp/.live-update-agent-0123456789abcdef", "an older one");
  for (int time = 0; time < 2; ++time) {
    const auto placed = place({"--process", target.process(), "/nowhere", "/idle", "/tmp", "/"});
    CHECK(placed.code == 0);
    const auto found = target.agents("tmp");
    REQUIRE(found.size() == 1);
    CHECK(placed.report == "live-update: start /tmp/" + found[0].filename().string() + "\n");
    CHECK(bytes_of(found[0]) == bytes_of(agent_command()[0]));
    CHECK((fs::status(found[0]).permissions() & fs::perms(0777)) == fs::perms(0755));
    CHECK(target.agents("").empty());
  }
}

TEST_CASE("what lies under its name and is something else is replaced") {
  if (!can_have_targets()) return;
  const Target target;
  REQUIRE(place({"--process", target.process(), "/tmp"}).code == 0);
  const auto file = target.agents("tmp").at(0);
  target.tree.write("tmp/" + file.filename().string(), "#!/bin/sh\necho I am not the agent\n");
  REQUIRE(place({"--process", target.process(), "/tmp"}).code == 0);
  CHECK(bytes_of(file) == bytes_of(agent_command()[0]));
  fs::remove(file);
  target.tree.write("elsewhere", "untouched");
  target.tree.link("tmp/" + file.filename().string(), "/elsewhere");
  REQUIRE(place({"--process", target.process(), "/tmp"}).code == 0);
  CHECK(fs::is_regular_file(fs::symlink_status(file)));
  CHECK(target.tree.read("elsewhere") == "untouched");
}

TEST_CASE("a symlink leads to where the container would see it, never to our own files") {
  if (!can_have_targets()) return;
  TempTree ours;
  const Target target;
  target.tree.link("var", "/tmp");
  target.tree.link("trap", ours.root());
  target.tree.link("up", "../../../../../.." + ours.root());
  const auto placed = place({"--process", target.process(), "/trap", "/up", "/var"});
  CHECK(placed.code == 0);
  CHECK(placed.report.ends_with("/var/" + target.agents("tmp").at(0).filename().string() + "\n"));
  CHECK(tree_of(ours.root()).empty());
}

TEST_CASE("run by root it becomes the container's user; another user may not look into it") {
  if (!can_have_targets()) return;
  const Target target(kOther);
  const auto placed = place({"--process", target.process(), "/", "/tmp"});
  CHECK(placed.code == 0);
  CHECK(target.agents("").empty());
  struct stat there;
  REQUIRE(stat(target.agents("tmp").at(0).c_str(), &there) == 0);
  CHECK(there.st_uid == kOther);
  CHECK(there.st_gid == kOther);
  const auto dropped = place({"--process", target.process(), "--user", "0", "/tmp"});
  CHECK(dropped.code == 1);
  CHECK(dropped.report.contains("its main process runs as user ID 1234, but commands in it as user ID 0"));
  CHECK(place({"--process", target.process(), "--user", "1234", "/tmp"}).code == 0);
  const auto refused = place({"--process", target.process(), "/tmp"}, kNobody);
  CHECK(refused.code == 1);
  CHECK(refused.report.contains("user ID 65534, group ID 65534 may not look through /proc/" +
                                target.process() + "/root"));
  CHECK(refused.report.contains("set securityContext.runAsUser"));
  CHECK(refused.report.ends_with("live-update: none\n"));
}

TEST_CASE("the container's group is taken on with root as its user, too") {
  if (!can_have_targets()) return;
  const Target target(0, kOther);
  REQUIRE(place({"--process", target.process(), "/tmp"}).code == 0);
  struct stat there;
  REQUIRE(stat(target.agents("tmp").at(0).c_str(), &there) == 0);
  CHECK(there.st_uid == 0);
  CHECK(there.st_gid == kOther);
}

TEST_CASE("what is being put there by others at the same time is left alone, what they left is not") {
  if (!can_have_targets()) return;
  const Target target;
  const std::string fresh = "tmp/.live-update-agent-0123456789abcdef.77", old = fresh + "8";
  target.tree.write(fresh, "half");
  target.tree.write(old, "half");
  fs::last_write_time(target.tree.at(old), fs::file_time_type::clock::now() - std::chrono::hours(2));
  REQUIRE(place({"--process", target.process(), "/tmp"}).code == 0);
  CHECK(fs::exists(target.tree.at(fresh)));
  CHECK_FALSE(fs::exists(target.tree.at(old)));
}

TEST_CASE("a directory that is mounted without execution, or read-only, or full, is no place") {
  if (!can_have_targets()) return;
  const Target target;
  for (const char* directory : {"noexec", "ro", "full"}) target.tree.mkdir(directory);
  const Mounted noexec("tmpfs", "tmpfs", target.tree.at("noexec"), MS_NOEXEC);
  const Mounted read_only("tmpfs", "tmpfs", target.tree.at("ro"), MS_RDONLY);
  const Mounted full("tmpfs", "tmpfs", target.tree.at("full"), 0, "size=64k");
  const auto placed = place({"--process", target.process(), "/noexec", "/ro", "/full"});
  CHECK(placed.code == 1);
  CHECK(placed.report ==
        "live-update: tried /noexec: does not allow execution\n"
        "live-update: tried /ro: is not writable: Read-only file system (EROFS)\n"
        "live-update: tried /full: is not writable: No space left on device (ENOSPC)\n"
        "live-update: none\n");
  CHECK(fs::is_empty(target.tree.at("full")));
}

TEST_CASE("without a process of the container it says why") {
  CHECK(place({"--process", "999999999", "/tmp"}).code == 1);
  CHECK(place({"--container", "no-such-container-1f00", "/tmp"}).report.contains("no-such-container-1f00"));
  CHECK(place({"--process", "0", "/tmp"}).code == 2);
  CHECK(place({"--user", "root", "/tmp"}).code == 2);
  CHECK(place({"tmp"}).code == 2);
  CHECK(place({}).code == 2);
}

TEST_SUITE_END();

}  // namespace live_update::agent
