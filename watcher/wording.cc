#include "watcher/wording.h"

#include <spdlog/fmt/fmt.h>

#include <set>

#include "core/base/json.h"
#include "core/base/text.h"

namespace live_update {
namespace {

std::string first_two(const std::vector<std::string>& paths) {
  std::string text = paths[0];
  if (paths.size() > 1) text += ", " + paths[1];
  return paths.size() > 2 ? text + ", ..." : text;
}

}  // namespace

std::string say_elapsed(std::chrono::milliseconds elapsed) {
  const auto count = elapsed.count();
  if (count < 1000) return fmt::format("{} ms", count);
  if (count < 120'000) return fmt::format("{:.1f} s", static_cast<double>(count) / 1000);
  return fmt::format("{} min", count / 60'000);
}

std::string say_count(std::int64_t count) {
  std::string digits = std::to_string(count);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string say_count(std::int64_t count, const std::string& noun) {
  return say_count(count) + ' ' + noun + (count == 1 ? "" : "s");
}

std::string say_held_back(const std::vector<std::string>& paths, const std::string& file) {
  constexpr std::size_t kNamed = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(paths.size(), kNamed); ++i)
    text += (i > 0 ? ", " : "") + visible(paths[i]);
  if (paths.size() > kNamed)
    text += " and " + say_count(static_cast<std::int64_t>(paths.size() - kNamed)) + " more";
  const bool one = paths.size() == 1;
  return fmt::format(
      "{}: held back, as {} like {}; what may leave this machine all the same is listed in "
      "spec.source.credentials of {}",
      text, one ? "it looks" : "they look", one ? "a credential" : "credentials",
      file.empty() ? "a file that is given with -f" : file);
}

std::string say_changes(const std::vector<Change>& changes) {
  std::set<std::string> written, deleted, directories, gone_directories;
  for (const Change& change : changes) {
    const bool is_directory = change.type == FileType::Directory;
    auto& group = change.op == Op::Delete ? (is_directory ? gone_directories : deleted)
                  : is_directory          ? directories
                                          : written;
    group.insert(visible(change.path) + (is_directory ? "/" : ""));
  }
  if (deleted.empty() && written.empty()) written.swap(directories), deleted.swap(gone_directories);
  if (written.empty() && deleted.empty()) return "nothing";
  const std::vector<std::string> w(written.begin(), written.end()), d(deleted.begin(), deleted.end());
  auto group = [](const std::vector<std::string>& paths) {
    if (paths.size() == 1) return paths[0];
    const char* noun = paths[0].ends_with('/') ? "directories" : "files";
    return fmt::format("{} {} ({})", say_count(static_cast<std::int64_t>(paths.size())), noun,
                       first_two(paths));
  };
  if (w.empty()) return group(d) + " deleted";
  if (d.empty()) return group(w);
  return fmt::format("{}, {} deleted", group(w),
                     d.size() == 1 ? d[0] : say_count(static_cast<std::int64_t>(d.size())));
}

}  // namespace live_update
