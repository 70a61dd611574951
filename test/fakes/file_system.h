// A root directory in memory.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "core/base/path.h"
#include "watcher/file_system.h"

namespace live_update {

class FakeFileSystem : public FileSystem {
 public:
  FakeFileSystem& file(const std::string& path, std::string text = "") {
    return add(path, {FileKind::File, std::move(text)});
  }
  FakeFileSystem& directory(const std::string& path) { return add(path, {FileKind::Directory, {}}); }
  FakeFileSystem& special(const std::string& path) { return add(path, {FileKind::Special, {}}); }
  // `target` is relative to the root; one that begins with / is outside of it.
  FakeFileSystem& link(const std::string& path, std::string target) {
    return add(path, {FileKind::Symlink, std::move(target)});
  }

  FileKind look(const std::string& path) const override {
    const Entry* it = find(path);
    return it ? it->kind : FileKind::Missing;
  }
  FileKind follow(const std::string& path) const override { return look(resolved(path)); }
  LinkEnd end(const std::string& path) const override {
    const std::string real = resolved(path);
    if (real.starts_with('/')) return {LinkEnd::Outside, real};
    if (!find(real)) return {};
    return {LinkEnd::Inside, real};
  }
  std::vector<std::string> list(const std::string& directory) const override {
    std::vector<std::string> out;
    for (const auto& [path, entry] : entries_) {
      if (path != "." && parent_path(path) == resolved(directory)) out.emplace_back(base_name(path));
    }
    return out;
  }
  Result<std::string> read(const std::string& path) const override {
    const Entry* it = find(resolved(path));
    if (!it) return fail(ErrorKind::NotFound, path + " does not exist in " + root_);
    if (it->kind != FileKind::File) return fail(ErrorKind::Io, path + " is no file");
    return it->text;
  }
  const std::string& root() const override { return root_; }

 private:
  struct Entry {
    FileKind kind;
    std::string text;
  };
  FakeFileSystem& add(const std::string& path, Entry entry) {
    for (std::string up(parent_path(path)); up != "."; up = parent_path(up)) {
      entries_.try_emplace(up, Entry{FileKind::Directory, {}});
    }
    entries_.insert_or_assign(path, std::move(entry));
    return *this;
  }
  // With links in its parents followed.
  const Entry* find(const std::string& path) const {
    if (const auto it = entries_.find(path); it != entries_.end()) return &it->second;
    if (path == "." || path.starts_with('/')) return nullptr;
    const std::string parent(parent_path(path)), real = resolved(parent);
    return real == parent ? nullptr : find(join_path(real, base_name(path)));
  }
  std::string resolved(std::string path) const {
    for (int hops = 0; hops < 8; ++hops) {
      const Entry* it = find(path);
      if (!it || it->kind != FileKind::Symlink) return path;
      path = it->text;
    }
    return "a symlink loop";
  }

  std::map<std::string, Entry> entries_{{".", {FileKind::Directory, {}}}};
  std::string root_ = "the root";
};

}  // namespace live_update
