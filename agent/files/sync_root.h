// A sync's remote root, and directories below it: the only way in which the agent reaches a path (rule 4.3).
//
// The root itself is reached as any program would reach it. Below it no symlink is ever followed: openat2
// with RESOLVE_BENEATH, NO_SYMLINKS and NO_MAGICLINKS, or, where the kernel or a seccomp profile does not
// have it, one component after another with O_NOFOLLOW, each from the descriptor of the one before.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "agent/system/failure.h"
#include "agent/system/fd.h"

namespace live_update::agent {

class SyncRoot {
 public:
  // `path` is a valid_root.
  explicit SyncRoot(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string absolute(std::string_view path) const;

  // O_PATH descriptor of a directory, "": the root. Else an errno: ENOENT there is none, ENOTDIR something
  // else is in the way, ELOOP a symlink is. The last one is remembered: forget() when directories may have
  // changed.
  std::expected<SharedFd, int> open(std::string_view directory);
  void forget();

  // Makes the root with its parents if it is not there; those made are added to `made`, outermost first.
  Try<> create(std::vector<std::string>& made);

 private:
  std::expected<SharedFd, int> open_root();

  std::string path_;
  SharedFd root_;
  std::string last_;
  SharedFd last_fd_;
};

// O_PATH descriptor of a directory below `root`, without following a symlink; or, with `Inside`, with `root`
// as the root that symlinks lead from, where the kernel can do that. An errno as SyncRoot::open has it.
enum class Links { Refused, Inside };
std::expected<Fd, int> open_below(int root, const std::string& directory, Links links);

// "a/b" of "a/b/c", "" of "c"; "c" of both.
std::string_view parent_of(std::string_view path);
std::string_view name_of(std::string_view path);

}  // namespace live_update::agent
