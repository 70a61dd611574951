#include "operator/tar/list_script.h"

#include <algorithm>
#include <utility>

namespace live_update {
namespace {

constexpr std::size_t kLongestRecord = 64 * 1024;

// $1: the root. Then folders below it, "." for itself. Prints records that end with NUL: L1; m and a mount point, as
// mountinfo has it; R and the root without links; for each folder F and its path without links, then f, d, l or o and a
// name for each entry; or A (there is none) or U (it cannot be listed); E. N: mountinfo cannot be read.
constexpr std::string_view kListScript = R"sh(export LC_ALL=C
printf 'L1\0'
[ -r /proc/self/mountinfo ] || { printf 'N\0'; exit 0; }
while read -r _ _ _ _ at _; do printf 'm%s\0' "$at"; done </proc/self/mountinfo
list() {
  for p do
    if [ -L "./$p" ]; then k=l
    elif [ -d "./$p" ]; then k=d
    elif [ -f "./$p" ]; then k=f
    elif [ -e "./$p" ]; then k=o
    else continue; fi
    printf '%s%s\0' $k "$p"
  done
}
root=$1; shift
if cd -P "$root" 2>/dev/null; then printf 'R%s\0' "$PWD"; else root=; fi
for d do
  at=$root/$d
  [ "$d" != . ] || at=$root
  if [ -z "$root" ] || [ ! -d "$at" ]; then printf 'A\0'
  elif { [ "$d" != . ] && [ -L "$at" ]; } || [ ! -r "$at" ] || ! cd -P "$at" 2>/dev/null; then printf 'U\0'
  else
    printf 'F%s\0' "$PWD"
    list * .[!.]* ..?*
  fi
done
printf 'E\0')sh";

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// proc(5): space, tab, line break and backslash are written as \040 and so on.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 3 >= text.size() || !std::ranges::all_of(text.substr(i + 1, 3), is_octal)) {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(
        static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
    i += 3;
  }
  return out;
}

}  // namespace

Argv list_command(const std::string& root, const std::vector<std::string>& folders) {
  Argv argv{"sh", "-c", std::string(kListScript), "live-update", root};
  for (const std::string& folder : folders) argv.push_back(folder.empty() ? "." : folder);
  return argv;
}

void ListReader::feed(std::string_view bytes) {
  while (!bytes.empty() && trouble_.empty()) {
    const std::size_t end = bytes.find('\0');
    buffer_ += bytes.substr(0, end);
    if (buffer_.size() > kLongestRecord) return wrong();
    if (end == bytes.npos) return;
    bytes.remove_prefix(end + 1);
    take(std::exchange(buffer_, {}));
  }
}

std::string ListReader::trouble() const {
  if (!trouble_.empty()) return trouble_;
  return ended_ ? "" : "its sh did not tell all of it";
}

void ListReader::take(std::string record) {
  if (!begun_) {
    begun_ = record == "L1";
    return begun_ ? void() : wrong();
  }
  if (record.empty() || ended_) return wrong();
  const char kind = record[0];
  record.erase(0, 1);
  switch (kind) {
    case 'm':
      mounts_.insert(unescaped(record));
      return;
    case 'N':
      trouble_ = "/proc/self/mountinfo cannot be read there, so it is not known what is mounted";
      return;
    case 'R':
      root_ = std::move(record);
      return;
    case 'F':
      return enter(std::move(record));
    case 'A':
    case 'U':
      listing_ = false;
      if (folders_ == asked_) return wrong();
      return events_.unlisted(folders_++, kind == 'A');
    case 'E':
      ended_ = folders_ == asked_;
      return ended_ ? void() : wrong();
    default:
      break;
  }
  const std::size_t known = std::string_view("fdlo").find(kind);
  if (known == std::string_view::npos || folders_ == 0) return wrong();
  if (!listing_) return;
  constexpr FoundKind kKinds[] = {FoundKind::File, FoundKind::Directory, FoundKind::Symlink,
                                  FoundKind::Other};
  const FoundKind found = is_mounted(here_ + '/' + record) ? FoundKind::Mount : kKinds[known];
  events_.found(folders_ - 1, std::move(record), found);
}

// A folder on another mount than its root's is not looked at.
void ListReader::enter(std::string path) {
  if (folders_ == asked_) return wrong();
  const std::size_t folder = folders_++;
  listing_ = path.starts_with('/') && !root_.empty() && !crosses_mount(path);
  here_ = path == "/" ? "" : std::move(path);
  if (!listing_) events_.unlisted(folder, false);
}

bool ListReader::crosses_mount(std::string_view path) const {
  for (; path.size() > root_.size() && path.size() > 1;
       path = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)))
    if (is_mounted(std::string(path))) return true;
  return false;
}

}  // namespace live_update
