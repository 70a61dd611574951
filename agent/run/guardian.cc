#include "agent/run/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "agent/system/local_socket.h"
#include "agent/system/process.h"

namespace live_update::agent {
namespace {

struct Word {
  char what;
  pid_t group;
};

constexpr std::int64_t kGraceMs = 1'000;
constexpr std::int64_t kUnkillableMs = 30'000;  // a process in the kernel may not go, and is given up

void wait_for_end(const std::vector<pid_t>& groups, std::int64_t ms) {
  const auto until = now_ms() + ms;
  while (now_ms() < until && std::ranges::any_of(groups, group_at_work)) {
    const timespec pause{0, 10'000'000};
    nanosleep(&pause, nullptr);
  }
}

void end_all(const std::vector<pid_t>& groups) {
  for (const auto group : groups) kill(-group, SIGTERM);
  wait_for_end(groups, kGraceMs);
  for (const auto group : groups) kill(-group, SIGKILL);
  wait_for_end(groups, kUnkillableMs);
}

[[noreturn]] void guard(int pipe, int fence) {
  if (fence >= 0) listen_again(fence);
  setsid();
  prctl(PR_SET_NAME, "live-update-grd");
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::signal(signal, SIG_IGN);
  // Not one of the session's streams may be held open.
  constexpr int kPipe = 3, kFence = 4, kFirstOther = 5;
  pipe = fcntl(pipe, F_DUPFD, kFirstOther);
  if (fence >= 0) fence = fcntl(fence, F_DUPFD, kFirstOther);
  dup2(pipe, kPipe);
  if (fence < 0 || dup2(fence, kFence) < 0) close(kFence);
  if (close_range(kFirstOther, ~0u, 0) != 0) {
    for (int fd = kFirstOther; fd < 1024; ++fd) close(fd);
  }
  const int null = open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2}) dup2(null, fd);
  std::vector<pid_t> groups;
  Word word;
  while (true) {
    const auto got = read(kPipe, &word, sizeof word);
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

std::expected<void, int> Guardian::begin() {
  if (pipe_) return {};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno);
  const Fd theirs(ends[0]);
  Fd ours(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(errno);
  if (pid == 0) guard(theirs.get(), fence_);
  pipe_ = std::move(ours);
  return {};
}

void Guardian::watch(pid_t group) { tell('+', group); }

void Guardian::release(pid_t group) { tell('-', group); }

}  // namespace live_update::agent
