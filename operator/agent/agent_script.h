// How the agent gets into a container and is started, in one exec. Pure.
//
// A POSIX sh takes the first directory that is writable and allows execution, looks for the agent of this
// digest there, asks for its bytes only where it is not, and becomes the agent (`exec`), with the same stdin
// and stdout. It needs no other program but chmod, mv and rm; where there is no `head` to read an exact
// number of bytes, the bytes come as text that printf understands. (tar would have to be an exec of its own,
// because it reads on behind its archive.) What lies there already has to be its own user's (`[ -O`, which
// shells have beyond POSIX; with one that has not it is sent anew each time), and nobody else's to write.
//
// Where another container of the pod can write, or who posts ChangeSets, nothing that lies there is executed, nor where, for root,
// another user of the container can: only if there is no other place it is put there anew, each time, and has
// no name any more when its content comes (this needs mkdir, too, and /proc).
//
// On stderr it says, a line each, what it does; before the agent's own words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/agent/agent_program.h"

namespace live_update {

// `directories`: where the agent may lie, the best first. `shared`: where others than this container can write.
// `replace`: do not trust what lies there.
std::vector<std::string> agent_command(const AgentPrograms& programs,
                                       const std::vector<std::string>& directories,
                                       const std::vector<std::string>& shared, bool replace);

// The agent's only argument when it is executed.
inline constexpr std::string_view kAgentServes = "serve";

// One line of the script.
struct AgentNote {
  enum Kind {
    Need,   // waits for the program of `machine` on stdin, as bytes, or as text
    Tried,  // `text`: a directory, and why it is no place for the agent
    None,   // no directory was; the script ends
    Start,  // `text`: the file that is executed
  } kind = Need;
  std::string machine;
  bool as_text = false;
  std::string text;
};
// Nothing for a line that the script did not write.
std::optional<AgentNote> agent_note(std::string_view line);

// Octal escapes, in lines, with a last line "."; for AgentNote::as_text.
std::string printf_text(std::string_view bytes);
inline constexpr std::string_view kPrintableEnd = ".\n";

// The exit code after None, and after a program that came incomplete.
inline constexpr int kNoAgentExit = 182, kIncompleteAgentExit = 183;

}  // namespace live_update
