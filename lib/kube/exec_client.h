// Exec sessions: v5.channel.k8s.io over Boost.Beast, which stays in exec_client.cc and works where cpprestsdk does
// (LoopIo).
//
// Bounded memory in both directions: one frame of at most 32 KiB is written at a time, and its completion is
// what `written` tells; reading pauses while the loop has more than `most_unread` bytes not yet handled, of
// which each session is given 64 KiB in a turn of the loop. A
// peer that fell silent is noticed by pings. Called and answered on the loop.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kube/api_server.h"
#include "kube/io.h"
#include "kube/status_error.h"
#include "kube/tls.h"
#include "kube/url.h"
#include "run/loop.h"

namespace live_update {

struct ExecOptions {
  Millis connect{10'000};  // until TCP and TLS are up
  Millis upgrade{30'000};  // until the command has started
  Millis ping{5'000};      // how often a ping goes out
  Millis silence{15'000};  // nothing heard for so long, while nothing of ours is under way: dead
  Millis stuck{
      61'000};  // the same while a write waits: a server whose command does not read answers no ping either
  std::size_t most_unread = 1 << 20;  // bytes at the loop, not yet handled, that pause reading
  std::size_t longest_message = 4 << 20;
};

// The server said no, with an HTTP status and a body, instead of upgrading.
struct ExecRefusal {
  int status = 0;
  std::string body;
};
// The upgrade succeeded, but not to our protocol; or a frame made no sense.
struct ExecBroken {
  std::string message;
};
// The session ended without an exit: no answer, a refusal, nonsense, or a Status that says why there was no
// command.
using ExecFailure = std::variant<TransportError, ExecRefusal, ExecBroken, Error>;
using ExecOutcome = std::expected<ExecExit, ExecFailure>;

struct ExecEvents {
  std::function<void()> on_open;
  std::function<void(std::string)> on_stdout, on_stderr;
  std::function<void(ExecOutcome)> on_end;  // once, last
};

class ExecClient {
 public:
  ExecClient(Loop& loop, ServerUrl server, ExecOptions options = {});
  // Cuts all sessions and waits until they have let go. Sessions may outlive it, silent.
  ~ExecClient();

  // For sessions opened from now on; they share one TLS context.
  void use(std::shared_ptr<const TlsIdentity> identity);

  // No event inside this call, none after the session is destroyed. `use` must have been called.
  std::unique_ptr<ExecSession> open(std::string target,
                                    std::vector<std::pair<std::string, std::string>> headers,
                                    ExecEvents events);

 private:
  class Session;
  struct Io;
  const Loop& loop_;
  const ServerUrl server_;
  const ExecOptions options_;
  std::shared_ptr<const TlsIdentity> identity_;
  std::shared_ptr<Io> io_;
};

}  // namespace live_update
