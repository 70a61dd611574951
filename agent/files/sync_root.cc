#include "agent/files/sync_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

namespace live_update::agent {
namespace {

constexpr int kDirectory = O_PATH | O_DIRECTORY | O_CLOEXEC;

bool have_openat2 = true;  // until the kernel says otherwise

std::expected<Fd, int> walk(int from, std::string_view directory) {
  Fd at;
  while (!directory.empty()) {
    const auto end = std::min(directory.find('/'), directory.size());
    const std::string name(directory.substr(0, end));
    directory.remove_prefix(std::min(end + 1, directory.size()));
    const int parent = at ? at.get() : from;
    Fd next(openat(parent, name.c_str(), kDirectory | O_NOFOLLOW));
    if (!next) {
      const int error = errno;
      struct stat there;
      const bool link = error == ENOTDIR && fstatat(parent, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISLNK(there.st_mode);
      return std::unexpected(link ? ELOOP : error);
    }
    at = std::move(next);
  }
  return at;
}

}  // namespace

std::expected<Fd, int> open_below(int root, const std::string& directory, Links links) {
  if (have_openat2) {
    open_how how{};
    how.flags = kDirectory;
    how.resolve = RESOLVE_NO_MAGICLINKS |
                  (links == Links::Inside ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    // EAGAIN: something was renamed meanwhile, and the kernel cannot be sure.
    for (int tries = 0; tries < 100; ++tries) {
      Fd fd(static_cast<int>(syscall(SYS_openat2, root, directory.c_str(), &how, sizeof how)));
      if (fd) return fd;
      if (errno != EAGAIN && errno != EINTR) break;
    }
    if (errno != ENOSYS && errno != EPERM) return std::unexpected(errno);
    have_openat2 = false;
  }
  return walk(root, directory);
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::string SyncRoot::absolute(std::string_view path) const {
  auto whole = path_;
  if (path.empty()) return whole;
  if (whole != "/") whole += '/';
  return whole.append(path);
}

void SyncRoot::forget() {
  last_.clear();
  last_fd_.reset();
  root_.reset();
}

std::expected<SharedFd, int> SyncRoot::open_root() {
  if (!root_) {
    Fd fd(::open(path_.c_str(), kDirectory));
    if (!fd) return std::unexpected(errno);
    root_ = std::make_shared<const Fd>(std::move(fd));
  }
  return root_;
}

std::expected<SharedFd, int> SyncRoot::open(std::string_view directory) {
  auto root = open_root();
  if (!root || directory.empty()) return root;
  if (last_fd_ && last_ == directory) return last_fd_;
  auto fd = open_below((*root)->get(), std::string(directory), Links::Refused);
  if (!fd) return std::unexpected(fd.error());
  last_ = directory;
  last_fd_ = std::make_shared<const Fd>(std::move(*fd));
  return last_fd_;
}

Try<> SyncRoot::create(std::vector<std::string>& made) {
  for (std::size_t at = 1; at < path_.size();) {
    at = std::min(path_.find('/', at + 1), path_.size());
    const auto part = path_.substr(0, at);
    if (mkdir(part.c_str(), 0755) == 0) {
      made.push_back(part);
      continue;
    }
    const int error = errno;
    struct stat there;
    if (error != EEXIST && stat(part.c_str(), &there) != 0)
      return failed(errno_failure(error, "cannot make the directory", part));
  }
  return {};
}

}  // namespace live_update::agent
