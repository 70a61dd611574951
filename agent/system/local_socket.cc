#include "agent/system/local_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "agent/system/process.h"

namespace live_update::agent {
namespace {

constexpr int kMostCallers = 64;

struct Address {
  explicit Address(const std::string& name) {
    address.sun_family = AF_UNIX;
    const auto length = std::min(name.size(), sizeof address.sun_path - 1);
    memcpy(address.sun_path + 1, name.data(), length);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  sockaddr_un address{};
  socklen_t size;
};

Fd new_socket() { return Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

}  // namespace

std::string socket_name(std::string_view kind, const char* own) {
  const char* other = getenv(own);
  return "live-update/" + std::string(kind) + '/' + (other ? other : std::to_string(mount_namespace(0)));
}

std::expected<Fd, int> connect_to(const std::string& name) {
  Fd fd = new_socket();
  const Address to(name);
  if (!fd || connect(fd.get(), to.get(), to.size) != 0) return std::unexpected(errno);
  return fd;
}

std::expected<Fd, int> listen_at(const std::string& name) {
  Fd fd = new_socket();
  const Address at(name);
  if (!fd || bind(fd.get(), at.get(), at.size) != 0 || listen(fd.get(), kMostCallers) != 0)
    return std::unexpected(errno);
  return fd;
}

void listen_again(int listener) { listen(listener, kMostCallers); }

std::optional<Peer> peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return Peer{peer.pid, peer.uid};
}

}  // namespace live_update::agent
