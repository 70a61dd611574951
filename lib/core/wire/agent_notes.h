// What is said, a line each, while the agent is put into a container: by the shell script that the operator
// runs there (operator/agent/agent_script.h) on stderr, and by `live-update-agent place` (agent/place.h).
#pragma once

#include <string_view>

namespace live_update::agent {

// Begins each line; what follows is one of these.
inline constexpr std::string_view kNoteMark = "live-update: ";
inline constexpr std::string_view kNoteTried = "tried ";  // DIRECTORY: why it is no place for the agent
inline constexpr std::string_view kNoteStart = "start ";  // the file, now to be executed
inline constexpr std::string_view kNoteNone = "none";     // no directory was; it ends
inline constexpr std::string_view kNoteNeed = "need ";    // bytes|text MACHINE DIRECTORY: send the program

// How the names of the program begin.
inline constexpr std::string_view kProgramPrefix = ".live-update-agent-";

}  // namespace live_update::agent
