// The port to the host's files: FileSystem for what reads little (explain, validate, the ignore file), HostFiles
// for what reads all of them.
//
// Paths are clean and relative to the root ("." is the root), bytes as on the disk. Nothing is cached.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
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

// Whether an error of the disk says that there is nothing at a path. Any other leaves it open (rule 7.6): also
// ELOOP, as a link that leads in a circle may stand for a moment on the way to files that are meant to be there.
bool says_absent(int error);

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // What is at the path itself; a symlink there is not followed.
  virtual FileKind look(const std::string& path) const = 0;
  // What a symlink leads to; Missing if to nothing, Unknown if in a circle. Else as `look`.
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

// A file as it was at one moment: equal ones have the same bytes, but for what was modified in the second before
// (see Scanner).
struct Fingerprint {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  // st_mtim, st_ctim since the epoch
  bool operator==(const Fingerprint&) const = default;
};
struct FileStatus {
  FileKind kind = FileKind::Missing;
  unsigned mode = 0;              // the permission bits
  std::string_view special = {};  // what a Special one is: "a socket"
  Fingerprint print;
};

// The same files for whoever keeps a tree equal to them (Scanner): also why something cannot be looked at, as
// errno has it. The root is "" here. A change of a file that goes on while it is read shows in the status after.
class HostFiles : public FileSystem {
 public:
  virtual std::expected<FileStatus, int> status(const std::string& path) const = 0;  // of a link itself
  virtual std::expected<FileStatus, int> status_behind(const std::string& path) const = 0;
  virtual std::expected<std::string, int> link_target(const std::string& path) const = 0;

  struct Listing {
    std::vector<std::string> names;
    int error = 0;        // why there may be more
    bool opened = false;  // else there is nothing but the error
  };
  virtual Listing names(const std::string& directory) const = 0;

  enum class Links { NoneOnTheWay, NotAtTheEnd };
  struct Reading {
    FileStatus before, after;
    std::string bytes;   // none of what is no file, or larger than the limit
    bool whole = false;  // it did not grow beyond that
    int error = 0;       // while it was read
  };
  // ELOOP: a link that is not allowed is there.
  virtual std::expected<Reading, int> read(const std::string& path, Links links,
                                           std::uint64_t limit) const = 0;
  using FileSystem::read;

  // The clock that gives files their times.
  virtual std::int64_t now_ns() const = 0;
};

class PosixFileSystem : public HostFiles {
 public:
  explicit PosixFileSystem(std::string root) : root_(std::move(root)) {}
  FileKind look(const std::string& path) const override;
  FileKind follow(const std::string& path) const override;
  LinkEnd end(const std::string& path) const override;
  std::vector<std::string> list(const std::string& directory) const override;
  Result<std::string> read(const std::string& path) const override;
  const std::string& root() const override { return root_; }

  std::expected<FileStatus, int> status(const std::string& path) const override;
  std::expected<FileStatus, int> status_behind(const std::string& path) const override;
  std::expected<std::string, int> link_target(const std::string& path) const override;
  Listing names(const std::string& directory) const override;
  std::expected<Reading, int> read(const std::string& path, Links links, std::uint64_t limit) const override;
  std::int64_t now_ns() const override;

 private:
  std::string absolute(const std::string& path) const { return path.empty() ? root_ : root_ + '/' + path; }
  const std::string root_;
};

// The root of a LiveUpdate file: `given` (--root), else the directory of `file`, else (stdin) the current
// one.
std::string root_of(const std::string& file, const std::string& given);

}  // namespace live_update
