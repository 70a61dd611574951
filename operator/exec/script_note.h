// What the scripts that run in containers (operator/tar/tar_script.h) say of what they found. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace live_update {

// How the scripts report what they found themselves: the exit code, and a line on stderr
// `live-update: WORD uid=UID PATH`, the last one; PATH is what remains, newlines included.
inline constexpr int kRefusedExit = 181;
struct ScriptNote {
  std::string
      word;  // symlink, directory, mount, remove, create, chmod, owner, tool, tar, pid1, unhandled, kill
  std::string uid;  // "unknown" where there is no `id`
  std::string path;
};
// The note in this stderr, if there is one; `rest`: the other lines.
struct Noted {
  bool found = false;
  ScriptNote note;
  std::string rest;
};
Noted find_note(std::string_view err);

// Lines of a batch's stderr, of which there may be more to come, that are taken out of it: the paths of files
// whose content is not held and which the container does not have either.
inline constexpr std::string_view kLacks = "live-update: lacks ";
// The same for what could not be deleted: "UID PATH: REASON" of five, and "+N" for the others.
inline constexpr std::string_view kStays = "live-update: stays ";
// Each whole line that begins with `mark`.
void take_lines(std::string& err, std::string_view mark, const std::function<void(std::string)>& take);

}  // namespace live_update
