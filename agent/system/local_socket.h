// Abstract Unix sockets of type SEQPACKET, by which the agent's processes of one container find each other.
//
// A name has the number of the mount namespace, as the containers of a pod share one network; it belongs to
// who listens there, and is free again when the last descriptor of that socket is closed: also that of a
// process which was killed.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "agent/system/fd.h"

namespace live_update::agent {

// "live-update/KIND/" and this mount namespace, or what the environment variable `own` says instead of it.
std::string socket_name(std::string_view kind, const char* own);

// Neither waits. An errno: ECONNREFUSED, nobody listens; EAGAIN, too many have called; EADDRINUSE.
std::expected<Fd, int> connect_to(const std::string& name);
std::expected<Fd, int> listen_at(const std::string& name);
// Once more, after a fork: whoever connects from now on is told this process.
void listen_again(int listener);

// Who listened, or who connected. pid 0: not to be seen from this PID namespace.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};
std::optional<Peer> peer_of(int socket);

}  // namespace live_update::agent
