// The port to the host's files, for what reads little and must be testable: explain, validate, the ignore
// file.
//
// Paths are clean and relative to the root ("." is the root), bytes as on the disk. Nothing is cached.
#pragma once

#include <string>
#include <vector>

#include "core/base/result.h"
#include "watcher/links.h"

namespace live_update {

enum class FileKind {
  Missing,  // also where a parent is missing or no directory
  File,
  Directory,
  Symlink,
  Special,  // a socket, a FIFO or a device: never opened (rule 4.4)
  Unknown,  // it cannot be looked at, so it may be there (rule 7.6)
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // What is at the path itself; a symlink there is not followed.
  virtual FileKind look(const std::string& path) const = 0;
  // What a symlink leads to; Missing if to nothing. Else as `look`.
  virtual FileKind follow(const std::string& path) const = 0;
  // Where the links on the way of a path lead, and one at its end (watcher/links.h).
  virtual LinkEnd end(const std::string& path) const = 0;
  // Names in a directory, sorted, without "." and ".."; empty if it cannot be read.
  virtual std::vector<std::string> list(const std::string& directory) const = 0;
  // The bytes of a file, symlinks followed. NotFound, or Io with the reason.
  virtual Result<std::string> read(const std::string& path) const = 0;
  // The root as messages should name it.
  virtual const std::string& root() const = 0;
};

class PosixFileSystem : public FileSystem {
 public:
  explicit PosixFileSystem(std::string root) : root_(std::move(root)) {}
  FileKind look(const std::string& path) const override;
  FileKind follow(const std::string& path) const override;
  LinkEnd end(const std::string& path) const override;
  std::vector<std::string> list(const std::string& directory) const override;
  Result<std::string> read(const std::string& path) const override;
  const std::string& root() const override { return root_; }

 private:
  std::string absolute(const std::string& path) const { return root_ + '/' + path; }
  const std::string root_;
};

// The root of a LiveUpdate file: `given` (--root), else the directory of `file`, else (stdin) the current
// one.
std::string root_of(const std::string& file, const std::string& given);

}  // namespace live_update
