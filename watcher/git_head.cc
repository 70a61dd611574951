#include "watcher/git_head.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "run/content.h"

namespace live_update {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestLine = 4096;

// The first line of a small file; empty if there is none.
std::string line_of(const fs::path& file) {
  std::ifstream in(file);
  std::string line(kLongestLine, '\0');
  in.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  line.resize(std::min(line.find('\n'), line.size()));
  return line;
}

std::optional<Time> written(const fs::path& file) {
  struct stat info{};
  if (stat(file.c_str(), &info) != 0) return std::nullopt;
  const auto since_epoch =
      std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec);
  return Time(std::chrono::floor<std::chrono::microseconds>(since_epoch));
}

// The folder of the repository that `root` lies in: `.git`, or where that file points (a worktree, a
// submodule).
std::optional<fs::path> git_folder(const fs::path& root) {
  std::error_code ignored;
  for (fs::path at = root;; at = at.parent_path()) {
    const fs::path git = at / ".git";
    if (fs::is_directory(git, ignored)) return git;
    const std::string prefix = "gitdir: ", line = line_of(git);
    if (line.starts_with(prefix)) return (at / line.substr(prefix.size())).lexically_normal();
    if (at == at.parent_path()) return std::nullopt;
  }
}

// A branch that has no file of its own.
std::string packed_commit(const fs::path& common, const std::string& ref) {
  std::ifstream in(common / "packed-refs");
  for (std::string line; std::getline(in, line);)
    if (line.ends_with(' ' + ref)) return line;
  return {};
}

}  // namespace

GitState git_state(const std::string& root) {
  const auto folder = git_folder(root);
  if (!folder) return {};
  const std::string head = line_of(*folder / "HEAD");
  if (head.empty()) return {};
  GitState state{.head = {}, .moved = written(*folder / "HEAD"), .busy = fs::exists(*folder / "index.lock")};
  std::string commit;
  if (const std::string prefix = "ref: "; head.starts_with(prefix)) {
    const std::string shared = line_of(*folder / "commondir");
    const fs::path common = shared.empty() ? *folder : (*folder / shared).lexically_normal();
    const std::string ref = head.substr(prefix.size());
    commit = line_of(common / ref);
    if (commit.empty()) commit = packed_commit(common, ref);
    state.moved = std::max(state.moved, written(common / ref));
  }
  state.head = sha256(head + '\n' + commit);
  return state;
}

}  // namespace live_update
