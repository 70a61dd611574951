#include "agent/supervisor_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace live_update::agent {
namespace {

struct Address {
  sockaddr_un address{};
  socklen_t size = 0;
};

Address address() {
  std::string name = "live-update/supervise/";
  if (const char* own = getenv("LIVE_UPDATE_SUPERVISOR")) {
    name += own;
  } else {
    struct stat ns{};
    stat("/proc/self/ns/mnt", &ns);
    name += std::to_string(ns.st_ino);
  }
  Address result;
  result.address.sun_family = AF_UNIX;
  const auto size = std::min(name.size(), sizeof result.address.sun_path - 1);
  memcpy(result.address.sun_path + 1, name.data(), size);
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
  return result;
}

template <typename Number>
bool next_number(std::string_view& text, Number& value) {
  if (!text.starts_with(' ')) return false;
  const auto read = std::from_chars(text.data() + 1, text.data() + text.size(), value);
  if (read.ec != std::errc() || value < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return true;
}

}  // namespace

std::string RestartOrder::text() const {
  return "restart " + std::to_string(signal) + ' ' + std::to_string(grace_ms) + ' ' +
         std::to_string(alive_ms);
}

std::optional<RestartOrder> restart_order(std::string_view text) {
  constexpr std::string_view kWord = "restart";
  constexpr std::int64_t kLongest = 24 * 3600 * 1000;
  if (!text.starts_with(kWord)) return std::nullopt;
  text.remove_prefix(kWord.size());
  RestartOrder order;
  const bool read = next_number(text, order.signal) && next_number(text, order.grace_ms) &&
                    next_number(text, order.alive_ms);
  if (!read || !text.empty() || order.signal < 1 || order.signal > 64) return std::nullopt;
  if (order.grace_ms > kLongest || order.alive_ms > kLongest) return std::nullopt;
  return order;
}

bool trusted_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == geteuid() || peer.uid == 0);
}

std::expected<Fd, int> connect_supervisor() {
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto to = address();
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.address), to.size) != 0)
    return std::unexpected(errno);
  if (!trusted_peer(fd.get())) return std::unexpected(EPERM);
  return fd;
}

std::expected<Fd, int> listen_as_supervisor() {
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto at = address();
  if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&at.address), at.size) != 0 ||
      listen(fd.get(), 8) != 0)
    return std::unexpected(errno);
  return fd;
}

}  // namespace live_update::agent
