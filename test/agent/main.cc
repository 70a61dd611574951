// The real agent on real directories. As root, in a mount namespace of its own: what tests mount is gone
// afterwards. LIVE_UPDATE_TEST_UID=65534 (root only) makes everything run as that user.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "test/agent/agent_process.h"
#include "test/fakes/temp_tree.h"

namespace {

// The agent is copied to where that user may execute it. Whoever copied it removes it: hence the child.
int run_as(uid_t uid, doctest::Context& tests) {
  const live_update::TempTree place;
  place.chmod(".", 0755);
  if (const auto agent = live_update::agent::agent_command(); agent.size() == 1) {
    std::filesystem::copy_file(agent[0], place.at("agent"));
    setenv("LIVE_UPDATE_AGENT", place.at("agent").c_str(), 1);
  }
  const pid_t child = fork();
  if (child == 0) {
    const bool done = uid != 0 && setgroups(0, nullptr) == 0 && setgid(uid) == 0 && setuid(uid) == 0;
    exit(done ? tests.run() : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int count, char** words) {
  doctest::Context tests(count, words);
  signal(SIGHUP, SIG_DFL);  // nohup ignores it, and a shell cannot trap what was ignored when it began
  if (const char* user = getenv("LIVE_UPDATE_TEST_UID"))
    return run_as(static_cast<uid_t>(std::atoi(user)), tests);
  if (unshare(CLONE_NEWNS) == 0) mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return tests.run();
}
