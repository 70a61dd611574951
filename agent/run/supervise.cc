#include "agent/run/supervise.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <optional>

#include "agent/run/launch.h"
#include "agent/run/supervisor_socket.h"
#include "agent/system/process.h"

namespace live_update::agent {
namespace {

constexpr std::int64_t kLookMs = 5;  // while a group ends, of which the kernel sends no word
constexpr std::int64_t kUnkillableMs = 5'000;

void say(const std::string& text) {
  const auto line = "live-update-agent: " + text + "\n";
  [[maybe_unused]] const auto wrote = write(2, line.data(), line.size());
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

std::string ending(int status) {
  if (WIFEXITED(status)) return "ended with exit code " + std::to_string(WEXITSTATUS(status));
  return "was ended by signal " + std::to_string(WTERMSIG(status));
}

class Supervisor {
 public:
  Supervisor(const SuperviseOptions& options, Fd listener)
      : options_(options), listener_(std::move(listener)) {}

  int run() {
    take_all_signals();
    start();
    while (!exit_code_) turn();
    if (group_ > 0) kill(-group_, SIGKILL);
    return *exit_code_;
  }

 private:
  enum class Stage {
    Running,   // nothing to do but to wait; without a process only with --keep
    Stopping,  // the group got its signal, and KILL comes at the deadline
    Killed,
    Proving,  // the new process has to live until the deadline
  };

  void take_all_signals() {
    sigset_t all;
    sigfillset(&all);
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTTIN, SIGTTOU})
      sigdelset(&all, number);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    signals_ = Fd(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
    signal(SIGTTOU, SIG_IGN);
    if (getpid() != 1) prctl(PR_SET_CHILD_SUBREAPER, 1);
  }

  void turn() {
    std::array<pollfd, 2> polls{
        {{signals_.get(), POLLIN, 0}, {stage_ == Stage::Running ? listener_.get() : -1, POLLIN, 0}}};
    int wait = -1;
    if (stage_ != Stage::Running)
      wait = static_cast<int>(std::clamp<std::int64_t>(deadline_ - now_ms(), 0, INT_MAX));
    if (stage_ == Stage::Stopping || stage_ == Stage::Killed) wait = std::min<int>(wait, kLookMs);
    poll(polls.data(), polls.size(), wait);
    if (polls[0].revents) take_signals();
    if (polls[1].revents && !exit_code_) take_order();
    if (!exit_code_) tick();
  }

  void take_signals() {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == sizeof info) {
      const int number = static_cast<int>(info.ssi_signo);
      if (number != SIGCHLD) forward(number);
    }
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (pid == app_) app_ended(status);
    }
  }

  void forward(int number) {
    const bool to_end = number == SIGTERM || number == SIGINT || number == SIGQUIT;
    if (app_ > 0) kill(app_, number);
    if (to_end) ending_ = true;
    if (to_end && app_ == 0) exit_code_ = 128 + number;
  }

  void app_ended(int status) {
    app_ = 0;
    last_status_ = status;
    switch (stage_) {
      case Stage::Stopping:
      case Stage::Killed:
        if (ending_) exit_code_ = exit_code_of(status);
        break;
      case Stage::Proving:
        reply("error the new process " + ending(status) + " " + std::to_string(now_ms() - started_) +
              " ms after its start");
        stage_ = Stage::Running;
        [[fallthrough]];
      case Stage::Running:
        if (!group_alive(group_)) group_ = 0;
        by_itself(exit_code_of(status), "the process " + ending(status));
        break;
    }
  }

  void by_itself(int code, const std::string& what) {
    if (!options_.keep || ending_) {
      exit_code_ = code;
    } else {
      say(what + "; the container is kept (--keep) until a restart");
    }
  }

  void take_order() {
    Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client || !trusted_peer(client.get())) return;
    // Its message is there already, or it does not come: the agent only looks whether we are here.
    const timeval soon{.tv_sec = 1};
    setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    std::array<char, 256> text;
    const auto got = recv(client.get(), text.data(), text.size(), 0);
    const auto order = restart_order({text.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
    if (got <= 0) return;
    client_ = std::move(client);
    if (!order) return reply("error this is no order that the supervisor knows");
    order_ = *order;
    if (options_.signal && order_.signal == SIGTERM) order_.signal = options_.signal;
    stop();
  }

  // Signal to the group: `sh -c` and npm do not pass it on. A group without a member needs none.
  void stop() {
    ending_ = false;
    stage_ = Stage::Stopping;
    deadline_ = now_ms() + order_.grace_ms;
    if (group_ > 0) kill(-group_, order_.signal);
  }

  void tick() {
    const auto now = now_ms();
    switch (stage_) {
      case Stage::Running:
        return;
      case Stage::Stopping:
        if (app_ == 0 && (group_ == 0 || !group_alive(group_))) return start_again();
        if (now < deadline_) return;
        kill(-group_, SIGKILL);
        stage_ = Stage::Killed;
        deadline_ = now + kUnkillableMs;
        return;
      case Stage::Killed:
        if (app_ == 0 && !group_alive(group_)) return start_again();
        if (now < deadline_) return;
        reply("error the old process did not end, not even by SIGKILL");
        stage_ = Stage::Running;
        return;
      case Stage::Proving:
        if (now < deadline_) return;
        reply("done " + std::to_string(app_));
        stage_ = Stage::Running;
        return;
    }
  }

  void start_again() {
    group_ = 0;
    if (ending_) {
      exit_code_ = last_status_ ? exit_code_of(*last_status_) : 0;
      return;
    }
    if (!start()) return;
    stage_ = Stage::Proving;
    deadline_ = now_ms() + order_.alive_ms;
  }

  bool start() {
    const auto pid = spawn({.argv = options_.command}, true);
    if (!pid) {
      stage_ = Stage::Running;
      say(pid.error().reason);
      reply("error " + pid.error().reason);
      by_itself(pid.error().code == Code::Missing ? 127 : 126, "the process could not be started");
      return false;
    }
    app_ = group_ = *pid;
    started_ = now_ms();
    // Interactive: what is typed is for the program.
    if (isatty(0)) tcsetpgrp(0, group_);
    return true;
  }

  void reply(const std::string& text) {
    if (client_) send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    client_.reset();
  }

  const SuperviseOptions& options_;
  Fd listener_, signals_, client_;
  Stage stage_ = Stage::Running;
  pid_t app_ = 0, group_ = 0;  // 0: none; the group may outlive the process
  RestartOrder order_;
  std::int64_t deadline_ = 0, started_ = 0;
  std::optional<int> last_status_, exit_code_;
  bool ending_ = false;  // the container was told to end
};

}  // namespace

int supervise(const SuperviseOptions& options) {
  auto listener = listen_as_supervisor();
  if (!listener) {
    say(listener.error() == EADDRINUSE ? "there is a supervisor in this container already: set "
                                         "LIVE_UPDATE_SUPERVISOR to another name for this one"
                                       : "cannot listen for restarts: " + errno_text(listener.error()));
    return 125;
  }
  return Supervisor(options, std::move(*listener)).run();
}

}  // namespace live_update::agent
