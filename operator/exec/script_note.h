// What the scripts that run in containers (operator/tar/tar_script.h) say of what they found. Pure.
#pragma once

#include <string>
#include <string_view>

namespace live_update {

// How the scripts report what they found themselves: the exit code, and a line on stderr
// `live-update: WORD uid=UID PATH`, the last one; PATH is what remains, newlines included.
inline constexpr int kRefusedExit = 181;
struct ScriptNote {
  std::string
      word;  // symlink, directory, mount, missing, remove, create, chmod, tool, tar, pid1, unhandled, kill
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

}  // namespace live_update
