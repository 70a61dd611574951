// Host: the port to the developer's machine, as a session sees it: the files below one root, what happens to them,
// what git has checked out, and the watcher's own notes. LocalHost is the machine that this runs on.
#pragma once

#include <memory>
#include <string>

#include "watcher/file_system.h"
#include "watcher/git_head.h"
#include "watcher/inotify_watch.h"
#include "watcher/notes_file.h"
#include "watcher/tree_watch.h"

namespace live_update {

class Host {
 public:
  virtual ~Host() = default;
  virtual const HostFiles& files() const = 0;
  // `filter` outlives it.
  virtual std::unique_ptr<TreeWatch> watch(const PathFilter& filter, TreeWatch::Callbacks callbacks) = 0;
  virtual GitState git() const = 0;
  virtual Notes& notes() = 0;
};

class LocalHost : public Host {
 public:
  // `root` is absolute, without symlinks.
  explicit LocalHost(std::string root) : files_(std::move(root)) {}
  const HostFiles& files() const override { return files_; }
  std::unique_ptr<TreeWatch> watch(const PathFilter& filter, TreeWatch::Callbacks callbacks) override {
    return std::make_unique<InotifyWatch>(files_.root(), filter, std::move(callbacks));
  }
  GitState git() const override { return git_state(files_.root()); }
  Notes& notes() override { return notes_; }

 private:
  const PosixFileSystem files_;
  DiskNotes notes_;
};

}  // namespace live_update
