// Sees to it that no step outlives the agent, even when the agent itself is killed: a second process that is
// told which process groups run, and that ends them (TERM, after a second KILL) when the agent is gone.
#pragma once

#include <sys/types.h>

#include <expected>

#include "agent/system/fd.h"

namespace live_update::agent {

class Guardian {
 public:
  // `fence`: what it keeps open until the last step has ended (Fence::runs), so that the next agent waits.
  void hold(int fence) { fence_ = fence; }
  // Before a step is started: from then on only `watch` lies between it and its being guarded. Starts the
  // process with the first step, so that a session without any has one process. An errno: nobody guards.
  std::expected<void, int> begin();
  void watch(pid_t group);
  void release(pid_t group);

 private:
  void tell(char what, pid_t group);
  Fd pipe_;
  int fence_ = -1;
};

}  // namespace live_update::agent
