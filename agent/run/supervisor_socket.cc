#include "agent/run/supervisor_socket.h"

#include <cerrno>
#include <charconv>

#include "agent/system/local_socket.h"

namespace live_update::agent {
namespace {

std::string name() { return socket_name("supervise", "LIVE_UPDATE_SUPERVISOR"); }

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
  const auto peer = peer_of(socket);
  return peer && (peer->uid == geteuid() || peer->uid == 0);
}

std::expected<Fd, int> connect_supervisor() {
  auto fd = connect_to(name());
  if (fd && !trusted_peer(fd->get())) return std::unexpected(EPERM);
  return fd;
}

std::expected<Fd, int> listen_as_supervisor() { return listen_at(name()); }

}  // namespace live_update::agent
