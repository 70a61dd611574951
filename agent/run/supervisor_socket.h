// Where `serve` finds `supervise`: a local socket (agent/system/local_socket.h), one message each way.
//
//   restart SIGNAL GRACE_MS ALIVE_MS   ->   done PID | error TEXT
//
// Its name is "live-update/supervise/" and the mount namespace, or what LIVE_UPDATE_SUPERVISOR says. Either
// end talks only to its own user, or to root.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "agent/system/fd.h"

namespace live_update::agent {

struct RestartOrder {
  int signal = 0;
  std::int64_t grace_ms = 0, alive_ms = 0;
  std::string text() const;
};
std::optional<RestartOrder> restart_order(std::string_view text);

// An errno if there is none (ECONNREFUSED), or it is somebody else's (EPERM).
std::expected<Fd, int> connect_supervisor();
std::expected<Fd, int> listen_as_supervisor();
bool trusted_peer(int socket);

}  // namespace live_update::agent
