#include "test/bench/tree_digest.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "test/bench/sealed.h"

namespace live_update::bench {
namespace {

namespace fs = std::filesystem;

class Walk {
 public:
  TreeDigest out;

  void into(const fs::path& directory) {
    std::vector<fs::path> entries;
    for (const auto& it : fs::directory_iterator(directory)) entries.push_back(it.path());
    std::ranges::sort(entries);
    for (const fs::path& it : entries) add(it);
  }

  struct stat look(const fs::path& path) {
    struct stat there;
    if (::lstat(path.c_str(), &there) != 0)
      throw fs::filesystem_error("lstat", path, std::error_code(errno, std::generic_category()));
    out.changed = std::max(out.changed, static_cast<double>(there.st_ctim.tv_sec) +
                                            static_cast<double>(there.st_ctim.tv_nsec) / 1e9);
    return there;
  }

 private:
  void add(const fs::path& path) {
    const struct stat there = look(path);
    ++out.entries;
    note(path.filename().native() + '\0' + std::to_string(there.st_mode & S_IFMT));
    if (S_ISDIR(there.st_mode)) {
      into(path);
      note("/up");
    } else if (S_ISLNK(there.st_mode)) {
      note(fs::read_symlink(path).native());
    } else if (read_file(path, content_, static_cast<std::size_t>(there.st_size) + 1)) {
      note(std::to_string(there.st_mode & 0777) + '\0' + std::to_string(content_.size()));
      note(content_);
    }
  }
  void note(std::string_view text) { out.digest = hash_of(text, out.digest); }

  std::string content_;
};

}  // namespace

TreeDigest digest_of_tree(const std::string& path) try {
  Walk walk;
  walk.look(path);
  walk.into(path);
  return walk.out;
} catch (const fs::filesystem_error&) {
  return {};
}

}  // namespace live_update::bench
