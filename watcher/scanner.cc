#include "watcher/scanner.h"

#include <dirent.h>
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "core/base/path.h"
#include "core/base/text.h"
#include "run/content.h"
#include "watcher/links.h"

namespace live_update {
namespace {

constexpr int kReadAttempts = 3;
constexpr std::string_view kNotUtf8 = "skipped: the name is not UTF-8 and cannot be sent; rename it";
constexpr std::int64_t kRacyNs = 1'000'000'000;

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

Fingerprint fingerprint(const struct stat& info) {
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size = static_cast<std::uint64_t>(info.st_size),
          .modified_ns = nanoseconds(info.st_mtim),
          .changed_ns = nanoseconds(info.st_ctim)};
}

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

Entry entry_of(const struct stat& info, FileType type) {
  const auto since_epoch = std::chrono::nanoseconds(nanoseconds(info.st_mtim));
  return {.type = type,
          .mode = info.st_mode & 0777u,
          .mtime = Time(std::chrono::floor<std::chrono::microseconds>(since_epoch)),
          .size = type == FileType::File ? static_cast<std::uint64_t>(info.st_size) : 0};
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

// All bytes of an open file; false: it grew beyond `limit` or could not be read.
bool read_all(int fd, std::uint64_t size, std::uint64_t limit, std::string& bytes) {
  bytes.resize(size);
  std::size_t filled = 0;
  for (;;) {
    if (filled == bytes.size()) bytes.resize(filled + (filled == size ? 1 : 64 * 1024));
    const ssize_t count = ::read(fd, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
    if (filled > limit) return false;
  }
  bytes.resize(filled);
  return true;
}

const char* special_name(mode_t mode) {
  return S_ISSOCK(mode) ? "a socket" : S_ISFIFO(mode) ? "a FIFO" : "a device";
}

// Stands for the bytes of a file that is too large to read: it differs whenever the file does.
std::string unread_digest(const Fingerprint& print) {
  return sha256(
      fmt::format("not read: {} bytes, inode {}, modified {}", print.size, print.inode, print.modified_ns));
}

bool parent_is_no_directory(const std::string& path, const Tree& tree) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const Entry* parent = tree.find(path.substr(0, slash));
    if (parent && parent->type != FileType::Directory) return true;
  }
  return false;
}

}  // namespace

// What a scan came across; whatever the tree has besides is gone.
struct Scanner::Walk {
  std::set<std::string> seen;
  std::vector<std::string> unreadable;  // directories, which keep their state
};

Scanner::Scanner(std::string root, const PathFilter& filter, KnownFiles& known, Warn warn)
    : root_(std::move(root)), filter_(filter), known_(known), warn_(std::move(warn)) {}

// Whether no link is on the way to a path but those that are followed. Behind others there is nothing of ours.
bool Scanner::reachable(const std::string& path) const {
  struct stat info{};
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string up = path.substr(0, slash);
    if (lstat(absolute(up).c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) continue;
    if (!filter_.follows(up) || link_end(root_, up).where != LinkEnd::Inside) return false;
  }
  return true;
}

int Scanner::open_file(const std::string& path) const {
  const int fd = open_without_links(absolute(path));
  if (fd >= 0 || errno != ELOOP) return fd;
  const bool itself = filter_.follows(path);
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const LinkEnd end = link_end(root_, itself || name == path ? (itself ? path : "") : path.substr(0, slash));
  if (!reachable(path) || end.where != LinkEnd::Inside) return errno = ELOOP, -1;
  const std::string real = itself ? end.path : end.path.empty() ? name : end.path + '/' + name;
  return open(absolute(real).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

Result<> Scanner::scan(const std::string& directory, Tree& tree) {
  struct stat info{};
  if (stat(root_.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return fail(ErrorKind::NotFound, fmt::format("the root {} is gone", root_));
  if (!reachable(directory)) return {};
  Walk walk;
  if (directory.empty())
    visit_directory("", tree, walk);
  else
    visit(directory, tree, walk);
  auto old = tree.below(directory);
  if (!directory.empty() && tree.find(directory)) old.push_back(directory);
  for (const std::string& path : old) {
    auto keeps = [&](const std::string& d) { return d.empty() || path == d || path.starts_with(d + '/'); };
    if (!walk.seen.contains(path) && std::ranges::none_of(walk.unreadable, keeps)) forget(path, tree);
  }
  return {};
}

void Scanner::look(const std::string& path, Tree& tree) {
  if (!is_utf8(path)) return warn_(path, std::string(kNotUtf8));
  if (parent_is_no_directory(path, tree)) return forget(path, tree);
  if (!reachable(path)) return;
  struct stat info{};
  const std::string name = absolute(path);
  const bool there = (filter_.follows(path) ? stat(name.c_str(), &info) : lstat(name.c_str(), &info)) == 0;
  const bool is_directory = there && S_ISDIR(info.st_mode);
  const bool was_directory = tree.type(path) == FileType::Directory;
  if (is_directory && was_directory) return;
  if (is_directory || was_directory) {
    (void)scan(path, tree);  // without a root there is nothing to look at, and the next scan says so
    return;
  }
  Walk walk;
  visit(path, tree, walk);
  if (!walk.seen.contains(path)) forget(path, tree);
}

// A sync's own link: what it leads to takes its place. It is never sent as a link, and one that leads to nothing
// is no word that the files are gone.
bool Scanner::follow(const std::string& path, struct stat& info, Walk& walk) {
  const LinkEnd end = link_end(root_, path);
  if (end.where == LinkEnd::Inside && filter_.holds_back(end.path)) {
    held_back_.push_back(path);
  } else if (end.where != LinkEnd::Inside) {
    warn_(path, "not synced: " + say_refused(end) + "; only what is inside can be synced");
  } else if (stat(absolute(path).c_str(), &info) == 0) {
    return true;
  }
  walk.unreadable.push_back(path);
  return false;
}

void Scanner::visit(const std::string& path, Tree& tree, Walk& walk) {
  struct stat info{};
  if (lstat(absolute(path).c_str(), &info) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) warn_errno(path, errno), walk.unreadable.push_back(path);
    return;
  }
  if (S_ISLNK(info.st_mode) && filter_.follows(path) && !follow(path, info, walk)) return;
  if (S_ISDIR(info.st_mode)) {
    if (filter_.counts(path)) put(path, entry_of(info, FileType::Directory), tree), walk.seen.insert(path);
    if (filter_.enters(path))
      visit_directory(path, tree, walk);
    else if (filter_.holds_back(path))
      held_back_.push_back(path);
    return;
  }
  if (!filter_.counts(path)) {
    if (filter_.holds_back(path)) held_back_.push_back(path);
    return;
  }
  if (S_ISLNK(info.st_mode)) {
    std::string target(4096, '\0');
    const ssize_t size = readlink(absolute(path).c_str(), target.data(), target.size());
    if (size < 0) return;
    target.resize(static_cast<std::size_t>(size));
    if (!is_utf8(target)) return warn_(path, "skipped: the link's target is not UTF-8");
    Entry entry = entry_of(info, FileType::Symlink);
    entry.target = std::move(target);
    put(path, std::move(entry), tree);
    walk.seen.insert(path);
  } else if (S_ISREG(info.st_mode)) {
    walk.seen.insert(path);
    visit_file(path, info, tree);
  } else {
    warn_(path, fmt::format("skipped: {} is not synced", special_name(info.st_mode)));
  }
}

void Scanner::visit_directory(const std::string& path, Tree& tree, Walk& walk) {
  DIR* directory = opendir(absolute(path).c_str());
  if (!directory) {
    if (errno != ENOENT && errno != ENOTDIR) warn_errno(path, errno), walk.unreadable.push_back(path);
    return;
  }
  std::vector<std::string> names;
  while (const dirent* item = readdir(directory))
    if (std::strcmp(item->d_name, ".") != 0 && std::strcmp(item->d_name, "..") != 0)
      names.emplace_back(item->d_name);
  closedir(directory);
  for (const std::string& name : names) {
    const std::string child = path.empty() ? name : path + '/' + name;
    if (!is_utf8(name))
      warn_(child, std::string(kNotUtf8));
    else
      visit(child, tree, walk);
  }
}

void Scanner::visit_file(const std::string& path, const struct stat& info, Tree& tree) {
  const Fingerprint print = fingerprint(info);
  auto known = known_.find(path);
  if (known != known_.end() && known->second.print == print && !known->second.racy) {
    const Entry* old = tree.find(path);
    if (old && old->type == FileType::File && old->digest == known->second.digest &&
        old->mode == (info.st_mode & 0777u))
      return;
    Entry entry = entry_of(info, FileType::File);
    entry.digest = known->second.digest;
    return put(path, std::move(entry), tree);
  }
  auto loaded = load(path);
  if (loaded) {
    if (loaded->size > content_budget_)
      loaded->pieces.clear();
    else
      content_budget_ -= loaded->size, kept_.push_back(path);
    return put(path, std::move(*loaded), tree);
  }
  if (loaded.error().kind == ErrorKind::NotFound) return forget(path, tree);
  if (loaded.error().kind == ErrorKind::Io) warn_(path, loaded.error().message);
  if (loaded.error().kind != ErrorKind::TooLarge) return;
  Entry entry = entry_of(info, FileType::File);
  entry.digest = unread_digest(print);
  known_[path] = {.print = print, .digest = entry.digest};
  put(path, std::move(entry), tree);
}

Result<Entry> Scanner::load(const std::string& path) {
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    const std::int64_t begin = now_ns();
    const Descriptor file(open_file(path));
    if (file.get() < 0) {
      const int error = errno;
      if (error == ENOENT || error == ENOTDIR || error == ELOOP) return fail(ErrorKind::NotFound, "gone");
      return fail(ErrorKind::Io,
                  fmt::format("not synced: cannot be read ({}); make it readable for you, or ignore it",
                              std::strerror(error)));
    }
    struct stat before{}, after{};
    if (fstat(file.get(), &before) != 0 || !S_ISREG(before.st_mode))
      return fail(ErrorKind::NotFound, "no regular file");
    if (static_cast<std::uint64_t>(before.st_size) > kMaxFileSize)
      return fail(ErrorKind::TooLarge,
                  fmt::format("not synced: it has {:.1f} MB, and files above {} MB are refused; ignore it",
                              static_cast<double>(before.st_size) / (1 << 20), kMaxFileSize >> 20));
    auto bytes = std::make_shared<std::string>();
    const bool whole = read_all(file.get(), static_cast<std::uint64_t>(before.st_size), kMaxFileSize, *bytes);
    if (!whole && errno == EIO)
      return fail(ErrorKind::Io, "not synced: the disk reports an error while it is read");
    ++files_read_;
    if (fstat(file.get(), &after) != 0 || !whole || !(fingerprint(before) == fingerprint(after)) ||
        bytes->size() != static_cast<std::uint64_t>(after.st_size))
      continue;
    Entry entry = entry_of(after, FileType::File);
    entry.digest = sha256(*bytes);
    const Fingerprint print = fingerprint(after);
    known_[path] = {.print = print,
                    .digest = entry.digest,
                    .racy = begin - std::max(print.modified_ns, print.changed_ns) < kRacyNs};
    entry.pieces.push_back({0, Encoding::Identity, std::move(bytes)});
    return entry;
  }
  return fail(ErrorKind::Conflict, "it is being written");
}

void Scanner::put(const std::string& path, Entry entry, Tree& tree) {
  if (entry.type != FileType::Directory) tree.forget_below(path);
  if (entry.type != FileType::File) known_.erase(path);
  tree.write(path, std::move(entry));
}

void Scanner::forget(const std::string& path, Tree& tree) {
  tree.forget(path);
  known_.erase(path);
  known_.erase(known_.lower_bound(path + '/'), known_.lower_bound(path + '0'));
}

void Scanner::warn_errno(const std::string& path, int error) {
  warn_(path, fmt::format("not synced: {}; make it readable for you, or ignore it", std::strerror(error)));
}

}  // namespace live_update
