// A host tree in memory: paths and what they are. Parents of a path are directories without being named.
#pragma once

#include <map>
#include <string>

#include "core/base/path.h"
#include "core/rules/plan.h"

namespace live_update {

class FakeHostTree : public HostTree {
 public:
  void add(const std::string& path, FileType type = FileType::File) {
    entries_[path] = type;
    for (std::string up(parent_path(path)); up != "."; up = parent_path(up))
      entries_.try_emplace(up, FileType::Directory);
  }
  std::optional<FileType> type(const std::string& path) const override {
    if (path == ".") return FileType::Directory;
    const auto it = entries_.find(path);
    return it == entries_.end() ? std::nullopt : std::optional(it->second);
  }
  std::vector<std::string> files_below(const std::string& directory) const override {
    std::vector<std::string> out;
    for (const auto& [path, type] : entries_) {
      if (type != FileType::Directory && strictly_below(path, directory)) out.push_back(path);
    }
    return out;
  }

 private:
  std::map<std::string, FileType> entries_;
};

}  // namespace live_update
