#include "agent/files/mount_points.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "agent/system/fd.h"

namespace live_update::agent {
namespace {

std::optional<std::string> read_all(const char* path) {
  const Fd file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  char block[16 << 10];
  ssize_t got = 0;
  while ((got = read(file.get(), block, sizeof block)) > 0) text.append(block, static_cast<std::size_t>(got));
  if (got < 0) return std::nullopt;
  return text;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// Space, tab, line break and backslash are written as \040 and so on.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      out.push_back(
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// proc(5): ID, parent, device, root of the mount, mount point, ...
std::string_view fifth_word(std::string_view line) {
  for (int word = 1; word < 5; ++word) line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
  return line.substr(0, line.find(' '));
}

}  // namespace

std::optional<std::set<std::string>> mount_points() {
  const auto text = read_all("/proc/self/mountinfo");
  if (!text || text->empty()) return std::nullopt;
  std::set<std::string> points;
  for (std::string_view rest = *text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (end > 0) points.insert(unescaped(fifth_word(rest.substr(0, end))));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return points;
}

std::optional<std::string> path_of(int directory) {
  std::string path(PATH_MAX, '\0');
  const auto link = "/proc/self/fd/" + std::to_string(directory);
  const auto size = readlink(link.c_str(), path.data(), path.size());
  if (size <= 0 || static_cast<std::size_t>(size) >= path.size() || path[0] != '/') return std::nullopt;
  path.resize(static_cast<std::size_t>(size));
  return path;
}

bool crosses_mount(const std::set<std::string>& points, std::string_view top, std::string_view path) {
  while (path.size() > top.size() && path.size() > 1) {
    if (points.contains(std::string(path))) return true;
    path = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  }
  return false;
}

}  // namespace live_update::agent
