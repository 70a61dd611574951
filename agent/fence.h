// One agent per container (docs/agent-protocol.md): a session that was lost must not change anything after
// the next one has looked at what is there. Its agent may still live, with frames on their way to it.
//
// Two names in the container (agent/system/local_socket.h), each for one user: "serve", which the agent holds, and
// "runs", which it shares with the guardian of its runs. Who gets both knows that whoever had them has ended,
// and the process group of its run: a name is free when the kernel has closed the last descriptor. (What can
// still change files then is at the end of that page's section.)
// A new agent that finds them taken asks by connecting to "serve". The old one ends its session; if it does
// not, it is killed. Of several that begin at a time the last one stays.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "agent/system/fd.h"

namespace live_update::agent {

class Fence {
 public:
  struct Patience {
    std::int64_t asked_ms = 2'000;  // until an agent that was asked to leave is killed
    std::int64_t gone_ms = 5'000;   // until a killed one, or what it ran, must be gone
  };
  enum class Taken {
    Ours,
    Without,   // a name is not to be had, by what is no agent of this container: nothing is known of others
    Needless,  // meanwhile our own session has ended, or a newer one has come
    Stuck,     // an earlier agent, or what it left behind, does not end: nothing may be begun
  };

  Fence() = default;
  explicit Fence(Patience patience) : patience_(patience) {}

  // Before anything is said or done. Does not wait where nobody is. `in`: the operator's end of our session.
  Taken take(int in);
  // After Without and Stuck: a sentence.
  const std::string& trouble() const { return trouble_; }

  // Readable when somebody connects; -1 without a fence. Then: whether it is a new agent, so that we have to
  // leave. It waits until our process has ended.
  int callers() const { return serve_.get(); }
  bool asked();
  // What the guardian has to hold until the last run has ended; -1 without a fence.
  int runs() const { return runs_.get(); }

 private:
  class Claim;
  enum class Wait { Gone, Late, Needless };

  Wait wait_for_end(int connection, std::int64_t until);
  Taken fail(Taken how, std::string why);

  Patience patience_;
  int in_ = -1;
  std::string trouble_;
  Fd caller_, runs_, serve_;  // in this order: who waits for the caller's end finds the names free
};

}  // namespace live_update::agent
