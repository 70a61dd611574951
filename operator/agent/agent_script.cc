#include "operator/agent/agent_script.h"

#include <algorithm>

#include "core/wire/agent_notes.h"

namespace live_update {
namespace {

constexpr std::size_t kBytesInLine = 512;

// $1: 1 to replace; then MACHINE NAME SIZE for each program, a ".", and the directories.
constexpr std::string_view kScript = R"sh(say() { printf 'live-update: %s\n' "$1" >&2; }
replace=$1; shift
machine=$(uname -m 2>/dev/null) || machine=$1
case $machine in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; esac
name= size=
while [ "$1" != . ]; do
  [ "$1" = "$machine" ] && name=$2 size=$3
  shift 3
done
shift
[ -n "$name" ] || { say "tried $machine: there is no agent for this machine"; say none; exit 182; }
as_text() { while IFS= read -r line && [ "$line" != . ]; do printf "$line"; done; }
for d; do
  [ -d "$d" ] || { say "tried $d: is not there"; continue; }
  file=${d%/}/$name
  if [ "$replace" = 0 ] && [ -x "$file" ] && [ -f "$file" ] && [ ! -L "$file" ] && [ -O "$file" ] 2>/dev/null; then
    say "start $file"
    exec "$file" serve
  fi
  part=$file.$$
  (set -C; printf : >"$part") 2>/dev/null || { say "tried $d: is not writable"; continue; }
  trap 'rm -f "$part"' EXIT
  chmod 700 "$part" && ("$part") 2>/dev/null || { rm -f "$part"; say "tried $d: does not allow execution"; continue; }
  if command -v head >/dev/null 2>&1; then
    say "need bytes $machine $d"
    head -c "$size" >"$part" || { say "tried $d: is full"; exit 183; }
  else
    say "need text $machine $d"
    as_text >"$part" || { say "tried $d: is full"; exit 183; }
  fi
  chmod 755 "$part" || exit 183
  mv -f "$part" "$file" 2>/dev/null || file=$part
  trap - EXIT
  for old in "${d%/}"/.live-update-agent-*; do
    [ "$old" = "$file" ] || rm -f "$old"
  done
  say "start $file"
  exec "$file" serve
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
                                       const std::vector<std::string>& directories, bool replace) {
  std::vector<std::string> argv{"sh", "-c", std::string(kScript), "live-update", replace ? "1" : "0"};
  for (const auto& [machine, program] : programs) {
    argv.push_back(machine);
    argv.push_back(program.file_name());
    argv.push_back(std::to_string(program.bytes->size()));
  }
  argv.emplace_back(".");
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

std::string printable(std::string_view bytes) {
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
