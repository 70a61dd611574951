// Starting a program.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "agent/system/failure.h"

namespace live_update::agent {

struct Program {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH
  std::vector<std::string> env;   // "NAME=value", over our own
  std::string cwd;                // empty: ours
  // -1: as ours. With `out`, stdin is /dev/null, and no other descriptor is inherited.
  int out = -1, err = -1;
  bool session = false;  // a session of its own; else only a process group
};

// No signal is blocked in it; `keep_signals`: those that we ignore stay ignored. Its process group has its
// pid. Errors: Missing, Permission, BadRequest (words too long), each with a remedy.
Try<pid_t> spawn(const Program& program, bool keep_signals);

}  // namespace live_update::agent
