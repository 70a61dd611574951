#include "agent/fence.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "agent/system/failure.h"
#include "agent/system/local_socket.h"
#include "agent/system/process.h"

namespace live_update::agent {
namespace {

constexpr std::int64_t kLookMs = 10, kLongestLookMs = 200;
constexpr std::int64_t kDoubtMs = 200;  // who seems to be none of ours may just begin or end

// A number alone may be another's by the time it is used.
struct Process {
  pid_t pid = 0;
  std::uint64_t since = 0;
  bool operator==(const Process&) const = default;
};

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

// Who listened and is dead, while something that it has begun still has the name: most likely a guardian that
// has not said yet that the name is its own. Else 0.
pid_t dead_one(int connection) {
  const auto peer = peer_of(connection);
  return peer && peer->pid > 0 && peer->uid == geteuid() && !at_work(peer->pid) ? peer->pid : 0;
}

bool has_ended(int other_end) {
  pollfd end{other_end, 0, 0};
  return poll(&end, 1, 0) > 0;
}

void kill_holder(int connection, const Process& holder) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, holder.pid, 0)));
  const int error = errno;
  if (has_ended(connection) || start_of(holder.pid) != holder.since) return;
  if (process) {
    syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  } else if (error == ENOSYS || error == EPERM) {  // an old kernel, or seccomp
    kill(holder.pid, SIGKILL);
  }
}

}  // namespace

// How one name becomes ours. What is known of who has it outlives the single look.
class Fence::Claim {
 public:
  Claim(Fence& fence, std::string_view kind, bool may_kill)
      : fence_(fence), name_(name_of_fence(kind)), may_kill_(may_kill) {}
  Taken take(Fd& ours);

 private:
  using Met = std::optional<Taken>;  // nothing: the name has to be tried again

  Met look();
  Met outlast(int connection, const Process& holder);
  Met doubt(const std::expected<Fd, int>& other);
  Met pause(std::int64_t ms);
  Taken give_up();
  Taken without(const std::string& why);
  Taken stuck(pid_t pid);

  Fence& fence_;
  const std::string name_;
  const bool may_kill_;
  Process holder_;          // of ours, seen by the last look, or in doubt the one before
  std::int64_t until_ = 0;  // until when it has to end
  // Since when there is doubt, counted in what was waited for it: a stall of ours is not the other's. A first
  // look never is enough.
  std::int64_t doubted_ms_ = 0;
  bool crowded_ = false;   // in this doubt: it has more callers than it hears
  pid_t dead_ = 0;         // in this doubt: who has left the name to something
  bool hopeless_ = false;  // unless the name is free now
};

Fence::Taken Fence::take(int in) {
  in_ = in;
  const auto taken = Claim(*this, "serve", true).take(serve_);
  return taken == Taken::Ours ? Claim(*this, "runs", false).take(runs_) : taken;
}

Fence::Taken Fence::Claim::take(Fd& ours) {
  while (true) {
    auto own = listen_at(name_);
    if (own) return ours = std::move(*own), Taken::Ours;
    if (own.error() != EADDRINUSE) return without(errno_text(own.error()));
    if (hopeless_) return give_up();
    if (has_ended(fence_.in_)) return Taken::Needless;  // connecting is asking
    if (const auto met = look()) return *met;
  }
}

Fence::Claim::Met Fence::Claim::look() {
  const auto other = connect_to(name_);
  const auto pid = other ? one_of_us(other->get()) : 0;
  if (pid == 0) return doubt(other);
  doubted_ms_ = 0;
  crowded_ = false;
  dead_ = 0;
  return outlast(other->get(), {pid, start_of(pid)});
}

Fence::Claim::Met Fence::Claim::outlast(int connection, const Process& holder) {
  if (holder != holder_) {
    holder_ = holder;
    until_ = now_ms() + (may_kill_ ? fence_.patience_.asked_ms : fence_.patience_.gone_ms);
  } else if (now_ms() >= until_) {
    return stuck(holder.pid);
  } else if (const auto met = pause(kLookMs)) {  // it has hung up without an end
    return met;
  }
  auto waited = fence_.wait_for_end(connection, until_);
  if (waited == Wait::Late && may_kill_) {
    kill_holder(connection, holder);
    until_ = now_ms() + fence_.patience_.gone_ms;
    waited = fence_.wait_for_end(connection, until_);
  }
  if (waited == Wait::Late) return stuck(holder.pid);
  return waited == Wait::Needless ? Met(Taken::Needless) : std::nullopt;
}

// Either it begins or ends at this moment, or it is none of ours.
Fence::Claim::Met Fence::Claim::doubt(const std::expected<Fd, int>& other) {
  if (other && dead_ == 0) dead_ = dead_one(other->get());
  // Each look is one more caller that may never be heard: so it is not known any more who listens.
  if (!other && other.error() == EAGAIN) crowded_ = true;
  const auto enough = crowded_ || dead_ != 0 ? fence_.patience_.gone_ms : kDoubtMs;
  hopeless_ = doubted_ms_ >= enough;
  if (hopeless_) return std::nullopt;
  const auto next = std::min(std::clamp(doubted_ms_, kLookMs, kLongestLookMs), enough - doubted_ms_);
  doubted_ms_ += next;
  return pause(next);
}

Fence::Claim::Met Fence::Claim::pause(std::int64_t ms) {
  return fence_.wait_for_end(-1, now_ms() + ms) == Wait::Needless ? Met(Taken::Needless) : std::nullopt;
}

Fence::Taken Fence::Claim::give_up() {
  if (dead_ != 0) return stuck(dead_);
  if (crowded_ && holder_.pid != 0) return stuck(holder_.pid);
  return without("something that is no agent of this container has this name");
}

Fence::Taken Fence::Claim::without(const std::string& why) {
  return fence_.fail(Taken::Without, "cannot make sure that no other agent works in this container: " + why +
                                         " (abstract socket " + name_ + ")");
}

Fence::Taken Fence::Claim::stuck(pid_t pid) {
  const std::string what = dead_ != 0  ? "what the dead agent of an earlier session left in this container"
                           : may_kill_ ? "the agent of an earlier session"
                                       : "what an earlier session ran in this container";
  const std::string who = may_kill_ || dead_ != 0 ? "process " : "guarded by process ";
  return fence_.fail(Taken::Stuck, what + " does not end (" + who + std::to_string(pid) + ")");
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

Fence::Taken Fence::fail(Taken how, std::string why) {
  trouble_ = std::move(why);
  return how;
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
