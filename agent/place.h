// How this program gets to where it is needed as a file.
//
// `place` puts it into another container of the pod: one without a shell, seen through /proc/PID/root. It is
// what the operator's ephemeral container runs, as the target's user, in the target's process namespace; then
// it ends, and the operator executes the file in the target itself. What came of it is said in the words of
// core/wire/agent_notes.h: on stderr, and in the file that the kubelet makes the container's termination message
// of.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace live_update::agent {

struct Placing {
  pid_t process = 1;                     // a process of the target
  std::string container;                 // or its container's ID: any process of that
  std::optional<unsigned> user;          // as whom it must run, because the operator's execs do
  std::string report;                    // a file that gets the words, too
  std::vector<std::string> directories;  // the best first
};
// Takes the first directory that is there, writable, and allows execution. Run by root, it becomes the user
// of the target's process first. Exit code: 0 it lies there, 1 nowhere.
int place(const Placing& placing);

// A copy of this program as `to`, whole or not at all. Exit code.
int install(const std::string& to);

}  // namespace live_update::agent
