#include "agent/run/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "agent/system/process.h"

namespace live_update::agent {
namespace {
constexpr std::size_t kBlock = 32 << 10;
constexpr std::int64_t kDaemonMs = 100;        // for output that somebody else still holds open
constexpr std::int64_t kUnkillableMs = 5'000;  // after KILL, a process in the kernel may not go
constexpr std::int64_t kLookMs = 10;           // while a group ends, of which the kernel sends no word
}  // namespace

Runner::Runner(const Run& run, pid_t pid, Guardian& guardian, std::array<Fd, 2> pipes)
    : run_(run),
      pid_(pid),
      guardian_(&guardian),
      pipes_(std::move(pipes)),
      credit_(run.credit),
      started_(now_ms()),
      deadline_(started_ + run.timeout_ms),
      block_(kBlock, '\0') {}

Try<Runner> Runner::start(const Run& run, Guardian& guardian) {
  std::array<Fd, 2> ours, theirs;
  for (std::size_t i = 0; i < 2; ++i) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
      return failed(errno_failure(errno, "cannot make a pipe for", run.argv[0]));
    ours[i] = Fd(ends[0]);
    theirs[i] = Fd(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  if (const auto guarded = guardian.begin(); !guarded)
    return failed(errno_failure(guarded.error(), "cannot start the guardian of", run.argv[0]));
  const auto pid = spawn({run.argv, run.env, run.cwd, theirs[0].get(), theirs[1].get(), true}, false);
  if (!pid) return failed(pid.error());
  guardian.watch(*pid);
  return Runner(run, *pid, guardian, std::move(ours));
}

void Runner::add_polls(std::vector<pollfd>& polls) const {
  if (credit_ == 0) return;
  for (const auto& pipe : pipes_) {
    if (pipe) polls.push_back({pipe.get(), POLLIN, 0});
  }
}

std::optional<RunOutput> Runner::read() {
  for (std::size_t tries = 0; tries < 2 && credit_ > 0; ++tries) {
    const auto which = turn_++ % 2;
    auto& pipe = pipes_[which];
    if (!pipe) continue;
    const auto got = ::read(pipe.get(), block_.data(), std::min<std::uint64_t>(kBlock, credit_));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) pipe.reset();
    if (got <= 0) continue;
    credit_ -= static_cast<std::uint64_t>(got);
    unread_[which] -= std::min(unread_[which], static_cast<std::size_t>(got));
    return RunOutput{run_.request, which == 0 ? Stream::Out : Stream::Err,
                     std::string_view(block_).substr(0, static_cast<std::size_t>(got))};
  }
  return std::nullopt;
}

void Runner::credit(std::uint32_t bytes) { credit_ = std::min<std::uint64_t>(credit_ + bytes, 1ull << 32); }

void Runner::ended(int status, std::int64_t now) {
  status_ = status;
  ended_at_ = now;
  for (std::size_t i = 0; i < 2; ++i) {
    int held = 0;
    if (pipes_[i] && ioctl(pipes_[i].get(), FIONREAD, &held) == 0)
      unread_[i] = static_cast<std::size_t>(held);
  }
}

void Runner::tick(std::int64_t now) {
  if (now < deadline_) return;
  if (stage_ == Stage::Running) {
    // Only its output is late: nobody wants it.
    if (status_) {
      for (auto& pipe : pipes_) pipe.reset();
      return;
    }
    stage_ = Stage::Terminating;
    deadline_ = now + run_.grace_ms;
    ::kill(-pid_, SIGTERM);
  } else if (stage_ == Stage::Terminating) {
    stage_ = Stage::Killed;
    deadline_ = now + kUnkillableMs;
    ::kill(-pid_, SIGKILL);
  }
}

bool Runner::drained(std::int64_t now) const {
  if (!pipes_[0] && !pipes_[1]) return true;
  // Of one that was stopped, nobody waits for credit.
  return now >= ended_at_ + kDaemonMs && ((unread_[0] == 0 && unread_[1] == 0) || stage_ != Stage::Running);
}

bool Runner::group_gone() const { return stage_ != Stage::Terminating || !group_alive(pid_); }

std::optional<RunExit> Runner::over(std::int64_t now) {
  const bool left_behind = stage_ == Stage::Killed && now >= deadline_;
  if (!left_behind && !(status_ && group_gone() && drained(now))) return std::nullopt;
  guardian_->release(pid_);
  RunExit exit{run_.request, stage_ == Stage::Running ? RunHow::Exited : RunHow::TimedOut, -1,
               static_cast<std::uint32_t>(now - started_)};
  if (status_ && WIFEXITED(*status_)) exit.code = WEXITSTATUS(*status_);
  if (status_ && WIFSIGNALED(*status_)) {
    exit.code = WTERMSIG(*status_);
    if (exit.how == RunHow::Exited) exit.how = RunHow::Signalled;
  }
  return exit;
}

std::int64_t Runner::due() const {
  auto due = deadline_;
  if (status_ && stage_ == Stage::Terminating) due = std::min(due, now_ms() + kLookMs);
  if (status_ && unread_[0] == 0 && unread_[1] == 0) due = std::min(due, ended_at_ + kDaemonMs);
  return due;
}

}  // namespace live_update::agent
