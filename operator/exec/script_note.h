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
  std::string word;  // symlink, directory, mount, remove, create, chmod, tool, tar, pid1, unhandled, kill
  std::string uid;   // "unknown" where there is no `id`
  std::string path;
};
// The note in this stderr, if there is one; `rest`: the other lines.
struct Noted {
  bool found = false;
  ScriptNote note;
  std::string rest;
};
Noted find_note(std::string_view err);

// Takes the lines out of a batch's stderr, of which there may be more to come, that name files whose content is
// not held and which the container does not have either. `lacks` is given each path.
inline constexpr std::string_view kLacks = "live-update: lacks ";
void take_lacking(std::string& err, const std::function<void(std::string)>& lacks);

}  // namespace live_update
