#include "watcher/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/path.h"

namespace live_update {
namespace {

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

Fingerprint fingerprint(const struct stat& info) {
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size = static_cast<std::uint64_t>(info.st_size),
          .modified_ns = nanoseconds(info.st_mtim),
          .changed_ns = nanoseconds(info.st_ctim)};
}

FileKind kind_of(const struct stat& info) {
  if (S_ISREG(info.st_mode)) return FileKind::File;
  if (S_ISDIR(info.st_mode)) return FileKind::Directory;
  return S_ISLNK(info.st_mode) ? FileKind::Symlink : FileKind::Special;
}

FileKind kind_of_error(int error) { return says_absent(error) ? FileKind::Missing : FileKind::Unknown; }

const char* special_name(mode_t mode) {
  return S_ISSOCK(mode) ? "a socket" : S_ISFIFO(mode) ? "a FIFO" : "a device";
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// All bytes of an open file; false: it grew beyond `limit`. Else the errno of why it cannot be read.
std::expected<bool, int> read_all(int fd, std::uint64_t size, std::uint64_t limit, std::string& bytes) {
  bytes.resize(size);
  std::size_t filled = 0;
  for (;;) {
    if (filled == bytes.size()) bytes.resize(filled + (filled == size ? 1 : 64 * 1024));
    const ssize_t count = ::read(fd, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
    if (filled > limit) return false;
  }
  bytes.resize(filled);
  return true;
}

FileStatus status_of(const struct stat& info) {
  const FileKind kind = kind_of(info);
  return {.kind = kind,
          .mode = info.st_mode & 0777u,
          .special = kind == FileKind::Special ? special_name(info.st_mode) : "",
          .print = fingerprint(info)};
}

}  // namespace

bool says_absent(int error) { return error == ENOENT || error == ENOTDIR; }

FileKind PosixFileSystem::look(const std::string& path) const {
  struct stat info{};
  return lstat(absolute(path).c_str(), &info) == 0 ? kind_of(info) : kind_of_error(errno);
}

FileKind PosixFileSystem::follow(const std::string& path) const {
  struct stat info{};
  return stat(absolute(path).c_str(), &info) == 0 ? kind_of(info) : kind_of_error(errno);
}

LinkEnd PosixFileSystem::end(const std::string& path) const {
  std::error_code error;
  const auto root = std::filesystem::canonical(root_, error);
  return error ? LinkEnd{} : link_end(root, path);
}

std::vector<std::string> PosixFileSystem::list(const std::string& directory) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(absolute(directory), error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<std::string> PosixFileSystem::read(const std::string& path) const {
  const FileKind kind = follow(path);
  if (kind == FileKind::Missing) return fail(ErrorKind::NotFound, path + " does not exist in " + root_);
  if (kind == FileKind::Unknown)
    return fail(ErrorKind::Io, path + " cannot be looked at: " + std::strerror(errno));
  if (kind != FileKind::File) return fail(ErrorKind::Io, path + " is no file");
  errno = 0;
  std::ifstream in(absolute(path), std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad() || !in.is_open())
    return fail(ErrorKind::Io, path + " cannot be read: " + std::strerror(errno));
  return text;
}

std::expected<FileStatus, int> PosixFileSystem::status(const std::string& path) const {
  struct stat info{};
  if (lstat(absolute(path).c_str(), &info) != 0) return std::unexpected(errno);
  return status_of(info);
}

std::expected<FileStatus, int> PosixFileSystem::status_behind(const std::string& path) const {
  struct stat info{};
  if (stat(absolute(path).c_str(), &info) != 0) return std::unexpected(errno);
  return status_of(info);
}

std::expected<std::string, int> PosixFileSystem::link_target(const std::string& path) const {
  std::string target(4096, '\0');
  const ssize_t size = readlink(absolute(path).c_str(), target.data(), target.size());
  if (size < 0) return std::unexpected(errno);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

HostFiles::Listing PosixFileSystem::names(const std::string& path) const {
  DIR* directory = opendir(absolute(path).c_str());
  if (!directory) return {.names = {}, .error = errno};
  Listing listing{.names = {}, .opened = true};
  errno = 0;
  while (const dirent* item = readdir(directory)) {
    if (std::strcmp(item->d_name, ".") != 0 && std::strcmp(item->d_name, "..") != 0)
      listing.names.emplace_back(item->d_name);
    errno = 0;
  }
  listing.error = errno;
  closedir(directory);
  return listing;
}

std::expected<HostFiles::Reading, int> PosixFileSystem::read(const std::string& path, Links links,
                                                             std::uint64_t limit) const {
  const std::string name = absolute(path);
  const Descriptor file(links == Links::NoneOnTheWay
                            ? open_without_links(name)
                            : open(name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat before{}, after{};
  if (file.get() < 0 || fstat(file.get(), &before) != 0) return std::unexpected(errno);
  Reading reading{.before = status_of(before), .after = {}, .bytes = {}};
  if (reading.before.kind != FileKind::File || reading.before.print.size > limit) return reading;
  const auto whole = read_all(file.get(), reading.before.print.size, limit, reading.bytes);
  reading.error = whole ? 0 : whole.error();
  reading.whole = whole && *whole && fstat(file.get(), &after) == 0;
  reading.after = status_of(after);
  return reading;
}

std::int64_t PosixFileSystem::now_ns() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

std::string root_of(const std::string& file, const std::string& given) {
  if (!given.empty()) return given;
  if (file.empty() || file == "-") return ".";
  return std::string(parent_path(file));
}

}  // namespace live_update
