// A directory of its own for one test, with the verbs of somebody who edits files there. Removed at the end.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace live_update {

class TempTree {
 public:
  TempTree() {
    std::string name = (std::filesystem::temp_directory_path() / "live-update-test-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~TempTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  const std::string& root() const { return root_; }
  std::string at(const std::string& path) const { return root_ + '/' + path; }

  // Parent directories are made as needed.
  void write(const std::string& path, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(at(path)).parent_path());
    std::ofstream(at(path), std::ios::binary) << bytes;
  }
  void append(const std::string& path, const std::string& bytes) const {
    std::ofstream(at(path), std::ios::binary | std::ios::app) << bytes;
  }
  void mkdir(const std::string& path) const { std::filesystem::create_directories(at(path)); }
  void remove(const std::string& path) const { std::filesystem::remove_all(at(path)); }
  void rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(at(from), at(to));
  }
  void link(const std::string& path, const std::string& target) const {
    std::filesystem::create_symlink(target, at(path));
  }
  void chmod(const std::string& path, unsigned mode) const { ::chmod(at(path).c_str(), mode); }
  std::string read(const std::string& path) const {
    std::ostringstream text;
    text << std::ifstream(at(path), std::ios::binary).rdbuf();
    return text.str();
  }

 private:
  std::string root_;
};

}  // namespace live_update
