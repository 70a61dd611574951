// `live-update-agent supervise [--keep] [--signal TERM] -- COMMAND...`: the entry point of a container whose
// process can be restarted without the container (rule 4.8).
#pragma once

#include <string>
#include <vector>

namespace live_update::agent {

struct SuperviseOptions {
  std::vector<std::string> command;
  bool keep = false;  // the container outlives its process, until there is a restart or a signal to end
  int signal = 0;     // how the program likes to be stopped; used where a restart asks for plain TERM
};

// Runs the command in a process group of its own until it ends by itself. Its exit code, 128 + N for a signal
// N, as shells have it; 127 or 126 if it cannot be started, 125 if there is a supervisor already.
int supervise(const SuperviseOptions& options);

}  // namespace live_update::agent
