#include "agent/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "agent/process.h"

namespace live_update::agent {
namespace {

struct Word {
  char what;
  pid_t group;
};

void end_all(const std::vector<pid_t>& groups) {
  for (const auto group : groups) kill(-group, SIGTERM);
  const auto until = now_ms() + 1000;
  while (now_ms() < until && std::ranges::any_of(groups, group_alive)) {
    const timespec pause{0, 10'000'000};
    nanosleep(&pause, nullptr);
  }
  for (const auto group : groups) kill(-group, SIGKILL);
}

[[noreturn]] void guard(int pipe) {
  setsid();
  prctl(PR_SET_NAME, "live-update-grd");
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::signal(signal, SIG_IGN);
  // Not one of the session's streams may be held open.
  dup2(pipe, 3);
  if (close_range(4, ~0u, 0) != 0) {
    for (int fd = 4; fd < 1024; ++fd) close(fd);
  }
  const int null = open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2}) dup2(null, fd);
  std::vector<pid_t> groups;
  Word word;
  while (true) {
    const auto got = read(3, &word, sizeof word);
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof word) break;
    std::erase(groups, word.group);
    if (word.what == '+') groups.push_back(word.group);
  }
  end_all(groups);
  _exit(0);
}

}  // namespace

void Guardian::tell(char what, pid_t group) {
  const Word word{what, group};
  if (pipe_ && write(pipe_.get(), &word, sizeof word) != sizeof word) pipe_.reset();
}

void Guardian::watch(pid_t group) {
  if (!pipe_) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    const pid_t pid = fork();
    if (pid == 0) guard(ends[0]);
    close(ends[0]);
    pipe_ = Fd(ends[1]);
    if (pid < 0) pipe_.reset();
  }
  tell('+', group);
}

void Guardian::release(pid_t group) { tell('-', group); }

}  // namespace live_update::agent
