#include "agent/run/restarter.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "agent/run/supervisor_socket.h"
#include "agent/system/process.h"

namespace live_update::agent {
namespace {

// The supervisor needs some time of its own beside grace and aliveSeconds.
constexpr std::int64_t kSlackMs = 10'000;

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

Failure ignored(pid_t pid, int signal) {
  return {Code::NotRestarted, 0, "",
          "process " + std::to_string(pid) + ", the container's main process, does not handle " +
              signal_name(signal) + ", and without a handler it cannot be reached from within the container",
          "handle it in the program, let `live-update-agent supervise` be the entry point, or restart the "
          "container"};
}

Failure not_known() {
  return {Code::NotRestarted, 0, "",
          "the container's main process cannot be told from others: the pod shares a process namespace, and "
          "process 1 is not known to be the container's own",
          "set shareProcessNamespace and hostPID of the pod to false, or use another `restart`"};
}

Failure not_sent(pid_t pid, int signal, int error) {
  return {
      error == EPERM ? Code::Permission : Code::NotRestarted, error, "",
      "cannot send " + signal_name(signal) + " to process " + std::to_string(pid) + ": " + errno_text(error),
      error == EPERM ? "run the container's main process as uid " + std::to_string(geteuid()) : ""};
}

}  // namespace

Restarter::Restarter(const Restart& restart, std::int64_t now)
    : restart_(restart), deadline_(now + restart.grace_ms) {
  switch (restart.how) {
    case RestartHow::Signal:
      send_signal();
      break;
    case RestartHow::Container:
      end_container();
      break;
    case RestartHow::Process:
      ask_supervisor();
      break;
  }
}

void Restarter::send_signal() {
  const auto pid = restart_.pid ? static_cast<pid_t>(restart_.pid) : main_process();
  if (pid == 0) return fail(not_known());
  if (pid == 1 && !takes_signal(pid, restart_.signal)) return fail(ignored(pid, restart_.signal));
  if (kill(pid, restart_.signal) != 0) return fail(not_sent(pid, restart_.signal, errno));
  over_ = Restarted{restart_.request, 0};
}

void Restarter::end_container() {
  const auto pid = restart_.pid ? static_cast<pid_t>(restart_.pid) : main_process();
  if (pid == 0) return fail(not_known());
  if (pid == 1 && !takes_signal(pid, SIGTERM)) {
    auto failure = ignored(pid, SIGTERM);
    failure.remedy = "the pod has to be deleted to restart it, or the program has to handle SIGTERM";
    return fail(std::move(failure));
  }
  if (kill(pid, SIGTERM) != 0) return fail(not_sent(pid, SIGTERM, errno));
  restart_.pid = static_cast<std::uint32_t>(pid);
}

void Restarter::ask_supervisor() {
  auto socket = connect_supervisor();
  if (!socket) {
    const bool none = socket.error() == ECONNREFUSED;
    return fail(
        {none ? Code::Missing : Code::NotRestarted, socket.error(), "",
         none ? "there is no supervisor in this container, so no process that could be restarted by itself"
              : "the supervisor cannot be reached: " + errno_text(socket.error()),
         "let `live-update-agent supervise -- COMMAND` be the container's entry point, with the same user"});
  }
  supervisor_ = std::move(*socket);
  const auto order = RestartOrder{restart_.signal, restart_.grace_ms, restart_.alive_ms}.text();
  if (send(supervisor_.get(), order.data(), order.size(), MSG_NOSIGNAL) < 0)
    return fail({Code::NotRestarted, errno, "", "the supervisor cannot be asked: " + errno_text(errno), ""});
  deadline_ += restart_.alive_ms + kSlackMs;
}

void Restarter::add_polls(std::vector<pollfd>& polls) const {
  if (supervisor_ && !over_) polls.push_back({supervisor_.get(), POLLIN, 0});
}

void Restarter::tick(std::int64_t now) {
  if (over_) return;
  if (supervisor_) {
    std::array<char, 4096> text;
    const auto got = recv(supervisor_.get(), text.data(), text.size(), 0);
    const std::string_view answer(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (std::uint32_t pid = 0; answer.starts_with("done ")) {
      std::from_chars(answer.data() + 5, answer.data() + answer.size(), pid);
      over_ = Restarted{restart_.request, pid};
    } else if (answer.starts_with("error ")) {
      fail({Code::NotRestarted, 0, "", std::string(answer.substr(6)), "see the container's log"});
    } else if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
      fail({Code::NotRestarted, 0, "", "the supervisor ended before it answered", "see the container's log"});
    }
  }
  if (over_ || now < deadline_) return;
  if (supervisor_)
    return fail(
        {Code::NotRestarted, ETIMEDOUT, "", "the supervisor does not answer", "see the container's log"});
  fail({Code::NotRestarted, ETIMEDOUT, "",
        "process " + std::to_string(restart_.pid) + " got SIGTERM and did not end within " +
            std::to_string(restart_.grace_ms) + " ms",
        "the pod has to be deleted to restart it, or the program has to end at SIGTERM"});
}

}  // namespace live_update::agent
