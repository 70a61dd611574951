#include "operator/agent/agent_script.h"

#include <algorithm>

#include "core/wire/agent_notes.h"

namespace live_update {
namespace {

constexpr std::size_t kBytesInLine = 512;

// $1: 1 to replace; then MACHINE NAME SIZE for each program, a ".", a number, as many directories of which each
// lets others write, and then the directories to try.
//   closed  Nobody but its owner can write there, or, as in /tmp, not to what is ours; `owner` tells whose it
//           is. Where there is no ls, that cannot be told.
//   safe    Nobody outside of the container can write there; for root, nobody else in this one either.
//   named   In a safe place: used again where it lies.
//   hidden  In another one, only where there is no safe one: always new, in a directory of our own, and
//           without a name before its content comes, so that nobody can open or exchange it.
constexpr std::string_view kScript = R"sh(say() { printf 'live-update: %s\n' "$1" >&2; }
tried() { say "tried $d: $1"; }
replace=$1; shift
machine=$(uname -m 2>/dev/null) || machine=$1
case $machine in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; esac
name= size=
while [ "$1" != . ]; do
  [ "$1" = "$machine" ] && name=$2 size=$3
  shift 3
done
others=$2
shift 2
[ -n "$name" ] || { say "tried $machine: there is no agent for this machine"; say none; exit 182; }
closed() {
  command -v ls >/dev/null 2>&1 || return 0
  set -- $(ls -ldn "$1" 2>/dev/null)
  case $1 in d????????[tT]*|?????-??-?*) owner=$3 ;; *) return 1 ;; esac
}
safe() {
  at=$(cd -P "$d" 2>/dev/null && pwd -P) || return
  left=$others
  for mount; do
    [ "$left" -gt 0 ] || break
    left=$((left - 1))
    real=$(cd -P "$mount" 2>/dev/null && pwd -P) || real=$mount
    case ${at%/}/ in "${real%/}"/*) return 1 ;; esac
  done
  [ -O / ] 2>/dev/null || return 0
  while owner=0; closed "${at:-/}" && [ "$owner" = 0 ]; do
    [ -n "${at#/}" ] || return 0
    at=${at%/*}
  done
  return 1
}
as_text() { while IFS= read -r line && [ "$line" != . ]; do printf "$line"; done; }
fetch() {
  if command -v head >/dev/null 2>&1; then
    say "need bytes $machine $d"
    head -c "$size" >"$1"
  else
    say "need text $machine $d"
    as_text >"$1"
  fi || { tried "is full"; exit 183; }
}
start() { say "start $1"; exec "$2" serve; }
named() {
  file=${d%/}/$name
  if [ "$replace" = 0 ] && [ -x "$file" ] && [ -f "$file" ] && [ ! -L "$file" ] && [ -O "$file" ] 2>/dev/null &&
    closed "$file"; then
    start "$file" "$file"
  fi
  part=$file.$$
  (set -C; printf : >"$part") 2>/dev/null || { tried "is not writable"; return; }
  trap 'rm -f "$part"' EXIT
  chmod 700 "$part" && ("$part") 2>/dev/null || { rm -f "$part"; tried "does not allow execution"; return; }
  fetch "$part"
  chmod 755 "$part" || exit 183
  mv -f "$part" "$file" 2>/dev/null || file=$part
  trap - EXIT
  for old in "${d%/}"/.live-update-agent-*; do
    [ "$old" = "$file" ] || rm -f "$old"
  done
  start "$file" "$file"
}
alone() {
  [ ! -s $file ] && [ -O $file ] 2>/dev/null || return
  command -v ls >/dev/null 2>&1 || return 0
  set -- $(ls -ldnL $file 2>/dev/null)
  case "$1 $2" in -rw-------*" 0") ;; *) return 1 ;; esac
}
hidden() {
  own=${d%/}/$name.$$ file=/proc/self/fd/8
  (umask 077; mkdir "$own" && : >"$own/agent") 2>/dev/null && [ -r "$own/agent" ] ||
    { tried "is not writable"; return; }
  exec 8<"$own/agent"
  rm -rf "$own"
  if ! alone; then tried "others can write there, too, and have"
  elif ! { chmod 700 $file && ($file); } 2>/dev/null; then tried "does not allow execution"
  else
    fetch $file
    start "$own/agent" $file
  fi
  exec 8<&-
}
for way in named hidden; do
  skip=$others
  for d; do
    if [ "$skip" -gt 0 ]; then skip=$((skip - 1)); continue; fi
    if [ ! -d "$d" ]; then
      [ $way = hidden ] || tried "is not there"
    elif safe "$@"; then
      [ $way = hidden ] || named
    else
      [ $way = named ] || hidden
    fi
  done
done
say none
exit 182
)sh";

std::vector<std::string> words_of(std::string_view line, std::size_t most) {
  std::vector<std::string> words;
  while (!line.empty() && words.size() + 1 < most) {
    const auto end = std::min(line.find(' '), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  if (!line.empty()) words.emplace_back(line);
  return words;
}

}  // namespace

std::vector<std::string> agent_command(const AgentPrograms& programs,
                                       const std::vector<std::string>& directories,
                                       const std::vector<std::string>& shared, bool replace) {
  std::vector<std::string> argv{"sh", "-c", std::string(kScript), "live-update", replace ? "1" : "0"};
  for (const auto& [machine, program] : programs) {
    argv.push_back(machine);
    argv.push_back(program.file_name());
    argv.push_back(std::to_string(program.bytes->size()));
  }
  argv.emplace_back(".");
  argv.push_back(std::to_string(shared.size()));
  argv.insert(argv.end(), shared.begin(), shared.end());
  argv.insert(argv.end(), directories.begin(), directories.end());
  return argv;
}

std::optional<AgentNote> agent_note(std::string_view line) {
  using namespace agent;
  if (!line.starts_with(kNoteMark)) return {};
  line.remove_prefix(kNoteMark.size());
  const auto rest = [&](std::string_view word) { return std::string(line.substr(word.size())); };
  if (line == kNoteNone) return AgentNote{AgentNote::None};
  if (line.starts_with(kNoteTried)) return AgentNote{AgentNote::Tried, "", false, rest(kNoteTried)};
  if (line.starts_with(kNoteStart)) return AgentNote{AgentNote::Start, "", false, rest(kNoteStart)};
  if (!line.starts_with(kNoteNeed)) return {};
  const auto words = words_of(rest(kNoteNeed), 3);
  if (words.size() == 3) return AgentNote{AgentNote::Need, words[1], words[0] == "text", words[2]};
  return {};
}

std::string printf_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 4 + bytes.size() / kBytesInLine + 1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text += '\\';
    for (int shift = 6; shift >= 0; shift -= 3) text += static_cast<char>('0' + (byte >> shift & 7));
    if (i % kBytesInLine == kBytesInLine - 1 || i + 1 == bytes.size()) text += '\n';
  }
  return text;
}

}  // namespace live_update
