#include "agent/fence.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/failure.h"
#include "agent/local_socket.h"
#include "agent/process.h"

namespace live_update::agent {
namespace {

constexpr std::int64_t kLookMs = 10;
constexpr std::int64_t kDoubtMs = 200;  // who seems to be none of ours may just begin or end

std::string name_of_fence(std::string_view kind) {
  return socket_name(kind, "LIVE_UPDATE_FENCE") + '/' + std::to_string(geteuid());
}

// The process behind a connection, if it is in our container and of our user; else 0.
pid_t one_of_us(int connection) {
  const auto peer = peer_of(connection);
  if (!peer || peer->pid <= 0 || peer->uid != geteuid()) return 0;
  const auto ours = mount_namespace(0);
  return ours != 0 && mount_namespace(peer->pid) == ours ? peer->pid : 0;
}

// A guardian that has not said yet that it has the name of its dead agent.
bool has_died(int connection) {
  const auto peer = peer_of(connection);
  return peer && peer->pid > 0 && peer->uid == geteuid() && !at_work(peer->pid);
}

bool has_ended(int other_end) {
  pollfd end{other_end, 0, 0};
  return poll(&end, 1, 0) > 0;
}

// As long as the connection stands, the pid is that of the process which holds the name.
void kill_holder(int connection, pid_t pid) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (has_ended(connection)) return;
  if (process && syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0) return;
  kill(pid, SIGKILL);
}

}  // namespace

Fence::Taken Fence::take(int in) {
  in_ = in;
  const auto taken = hold(serve_, name_of_fence("serve"), true);
  return taken == Taken::Ours ? hold(runs_, name_of_fence("runs"), false) : taken;
}

Fence::Taken Fence::hold(Fd& ours, const std::string& name, bool may_kill) {
  pid_t holder = 0;
  std::int64_t until = 0;
  bool killed = false;
  for (const auto begun = now_ms();;) {
    auto own = listen_at(name);
    if (own) return ours = std::move(*own), Taken::Ours;
    if (own.error() != EADDRINUSE) return without(name, errno_text(own.error()));
    if (has_ended(in_)) return Taken::Needless;  // connecting is asking
    const auto other = connect_to(name);
    if (!other && other.error() == EAGAIN && holder != 0) return stuck(holder, !may_kill);
    const auto pid = other ? one_of_us(other->get()) : 0;
    const auto doubt = other && has_died(other->get()) ? patience_.gone_ms : kDoubtMs;
    if (pid == 0 && now_ms() - std::max(begun, until) >= doubt)
      return without(name, "something that is no agent of this container has this name");
    // Either it begins or ends at this moment, or it has hung up without an end.
    if ((pid == 0 || pid == holder) && wait_for_end(-1, now_ms() + kLookMs) == Wait::Needless)
      return Taken::Needless;
    if (pid == 0) continue;
    if (pid != holder) {
      holder = pid;
      killed = false;
      until = now_ms() + (may_kill ? patience_.asked_ms : patience_.gone_ms);
    }
    auto waited = wait_for_end(other->get(), until);
    if (waited == Wait::Late && may_kill && !killed) {
      killed = true;
      kill_holder(other->get(), pid);
      until = now_ms() + patience_.gone_ms;
      waited = wait_for_end(other->get(), until);
    }
    if (waited == Wait::Late) return stuck(pid, !may_kill);
    if (waited == Wait::Needless) return Taken::Needless;
  }
}

Fence::Wait Fence::wait_for_end(int connection, std::int64_t until) {
  while (true) {
    std::array<pollfd, 3> polls{{{connection, 0, 0}, {in_, 0, 0}, {serve_.get(), POLLIN, 0}}};
    const auto left = std::max<std::int64_t>(until - now_ms(), 0);
    const int ready = poll(polls.data(), polls.size(), static_cast<int>(left));
    if (ready > 0 && polls[0].revents) return Wait::Gone;
    if (ready > 0 && (polls[1].revents || asked())) return Wait::Needless;
    if (now_ms() >= until) return Wait::Late;
  }
}

Fence::Taken Fence::without(const std::string& name, const std::string& why) {
  trouble_ = "cannot make sure that no other agent works in this container: " + why + " (abstract socket " +
             name + ")";
  return Taken::Without;
}

Fence::Taken Fence::stuck(pid_t pid, bool runs) {
  trouble_ = runs ? "what an earlier session ran in this container does not end (guarded by process "
                  : "the agent of an earlier session does not end (process ";
  trouble_ += std::to_string(pid) + ")";
  return Taken::Stuck;
}

bool Fence::asked() {
  while (true) {
    Fd caller(accept4(serve_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!caller) return false;
    if (one_of_us(caller.get()) == 0) continue;
    caller_ = std::move(caller);
    return true;
  }
}

}  // namespace live_update::agent
