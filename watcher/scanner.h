// Scanner: what is on the disk, as a Tree.
//
// Reads only what may have changed: a file whose inode, size, mtime and ctime are those of the last time has
// the same bytes, unless it was modified within the second before that look (git calls this racily clean).
// Links are not followed, but for filter.follows, and never out of the root. Sockets, FIFOs and devices are
// never opened (rule 4.4). What cannot be looked at, or does not hold still, is unknown, not absent (rule 7.6):
// it keeps the state that the tree has of it, and `unknown` names it. Only ENOENT and ENOTDIR say that something
// is gone. Problems are told once for as long as they last, and the scan goes on. Not thread-safe.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/api/limits.h"
#include "core/base/result.h"
#include "core/desired/tree.h"
#include "core/desired/unknown.h"
#include "watcher/file_system.h"
#include "watcher/path_filter.h"

namespace live_update {

struct KnownFile {
  Fingerprint print;
  std::string digest;
  bool racy = false;  // it could have changed after we looked without a trace: read it again
  bool operator==(const KnownFile&) const = default;
};
using KnownFiles = std::map<std::string, KnownFile>;

class Scanner {
 public:
  // `path` is relative to the root; the message is a sentence without it, or empty: what was unknown is known
  // again.
  using Warn = std::function<void(const std::string& path, const std::string& message)>;

  // `files`, `filter` and `known` outlive this; `known` is brought up to date by every look. Files of more than
  // `largest` bytes are refused, with a message.
  Scanner(const HostFiles& files, const PathFilter& filter, KnownFiles& known, Warn warn,
          std::uint64_t largest = Limits().file);

  // Brings the tree up to date below a directory ("": the root), itself included. NotFound: the root is not
  // there.
  Result<> scan(const std::string& directory, Tree& tree);

  // Brings one path up to date, and what is below it if that became or ceased to be a directory.
  void look(const std::string& path, Tree& tree);

  // Whether entries of files that are read keep their bytes, as one Identity piece, up to `budget` bytes in
  // all (0: none).
  void keep_content(std::uint64_t budget) { content_budget_ = budget; }
  // The paths whose entries kept them since the last call.
  std::vector<std::string> take_kept() { return std::exchange(kept_, {}); }

  // The file as it is now: entry with its bytes in one Identity piece. NotFound; TooLarge; Forbidden, Io:
  // unreadable; Conflict: it is being written, and an event will follow.
  Result<Entry> load(const std::string& path);
  // Takes note of why `load` failed, and tells it: too large, or unknown.
  void cannot_load(const std::string& path, const Error& error);

  // What could not be looked at the last time it was tried.
  const Unknowns& unknown() const { return unknown_; }
  // What is wrong with a path where `warn` was not told, because it is expected to pass; else empty.
  std::string untold(const std::string& path) const;
  // Unknown paths for which no event tells when they can be looked at: to be tried again.
  std::vector<std::string> to_try_again() const;

  // Credentials that looks came across and left alone since the last call (rule 2.8).
  std::vector<std::string> take_held_back() { return std::exchange(held_back_, {}); }

  std::uint64_t files_read() const { return files_read_; }

 private:
  struct Walk;
  struct Problem {
    enum Kind { Skipped, TooLarge, Writing, Unreadable } kind = Skipped;
    std::string message;
    bool try_again = false;
    // Of a file that is too large the size may change: that is no news.
    bool same(const Problem& other) const {
      return kind == other.kind && (kind == TooLarge || message == other.message);
    }
  };
  using Problems = std::map<std::string, Problem>;

  bool reachable(const std::string& path) const;
  std::expected<HostFiles::Reading, int> read(const std::string& path) const;
  bool follow(const std::string& path, FileStatus& info, Walk& walk);
  Walk begin(const std::string& path);
  void end(const Walk& walk, const Tree& tree);
  void visit(const std::string& path, Tree& tree, Walk& walk);
  void visit_link(const std::string& path, const FileStatus& info, Tree& tree, Walk& walk);
  void visit_directory(const std::string& path, Tree& tree, Walk& walk);
  void visit_file(const std::string& path, const FileStatus& info, Tree& tree, Walk& walk);
  void put(const std::string& path, Entry entry, Tree& tree);
  void forget(const std::string& path, Tree& tree);
  void note(const std::string& path, Problem problem, const Problems& before);
  void cannot_load(const std::string& path, const Error& error, const Problems& before);
  void cannot_see(const std::string& path, int error, const Walk& walk);

  const HostFiles& files_;
  const PathFilter& filter_;
  KnownFiles& known_;
  const Warn warn_;
  const std::uint64_t largest_;
  std::uint64_t content_budget_ = 0;
  std::vector<std::string> kept_;
  std::vector<std::string> held_back_;
  std::uint64_t files_read_ = 0;
  Problems problems_;
  Unknowns unknown_;  // those of them that are unknown
};

}  // namespace live_update
