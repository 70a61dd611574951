#include "watcher/scanner.h"

#include <dirent.h>
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <expected>
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

// Whether an error says that there is nothing; any other leaves it open (rule 7.6).
bool says_absent(int error) { return error == ENOENT || error == ENOTDIR; }

Error unreadable(int error) {
  // Of a missing right an event tells when it is given.
  const ErrorKind kind = error == EACCES ? ErrorKind::Forbidden : ErrorKind::Io;
  return {kind, fmt::format("not synced: cannot be read ({}); make it readable for you, or ignore it",
                            std::strerror(error))};
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

// What a look came across. Whatever the tree has besides at these paths is gone, if it is not unknown.
struct Scanner::Walk {
  std::string top;  // with everything below
  std::set<std::string> seen;
  Problems before;  // that were known of these paths
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

Scanner::Walk Scanner::begin(const std::string& path) {
  Walk walk{.top = path, .seen = {}, .before = {}};
  const auto move_out = [&](Problems::iterator from, Problems::iterator to) {
    while (from != to) walk.before.insert(problems_.extract(from++));
  };
  if (path.empty()) {
    move_out(problems_.begin(), problems_.end());
  } else {
    if (const auto own = problems_.find(path); own != problems_.end()) move_out(own, std::next(own));
    move_out(problems_.lower_bound(path + '/'), problems_.lower_bound(path + '0'));
  }
  unknown_.forget(path);
  return walk;
}

void Scanner::end(const Walk& walk, const Tree& tree) {
  for (const auto& [path, problem] : walk.before)
    if (problem.kind == Problem::Unreadable && !problems_.contains(path) && (path.empty() || tree.type(path)))
      warn_(path, "");
}

Result<> Scanner::scan(const std::string& directory, Tree& tree) {
  struct stat info{};
  const int error = stat(root_.c_str(), &info) == 0 ? 0 : errno;
  if (says_absent(error) || (error == 0 && !S_ISDIR(info.st_mode)))
    return fail(ErrorKind::NotFound, fmt::format("the root {} is gone", root_));
  if (!reachable(directory)) return {};
  Walk walk = begin(directory);
  if (error != 0)
    cannot_see(directory, error, walk);
  else if (directory.empty())
    visit_directory("", tree, walk);
  else
    visit(directory, tree, walk);
  auto old = tree.below(directory);
  if (!directory.empty() && tree.find(directory)) old.push_back(directory);
  for (const std::string& path : old)
    if (!walk.seen.contains(path) && !unknown_.spares(path)) forget(path, tree);
  end(walk, tree);
  return {};
}

void Scanner::look(const std::string& path, Tree& tree) {
  if (!is_utf8(path))
    return note(path, {.kind = Problem::Skipped, .message = std::string(kNotUtf8)}, problems_);
  if (parent_is_no_directory(path, tree)) return forget(path, tree);
  if (!reachable(path)) return;
  struct stat info{};
  const std::string name = absolute(path);
  const bool there = (filter_.follows(path) ? stat(name.c_str(), &info) : lstat(name.c_str(), &info)) == 0;
  const bool is_directory = there && S_ISDIR(info.st_mode);
  const bool was_directory = tree.type(path) == FileType::Directory;
  if (is_directory && was_directory && !unknown_.names(path)) return;
  if (is_directory || was_directory) {
    (void)scan(path, tree);  // without a root there is nothing to look at, and the next scan says so
    return;
  }
  Walk walk = begin(path);
  visit(path, tree, walk);
  if (!walk.seen.contains(path) && !unknown_.spares(path)) forget(path, tree);
  end(walk, tree);
}

// A sync's own link: what it leads to takes its place. It is never sent as a link, and one that leads to nothing
// is no word that the files are gone.
bool Scanner::follow(const std::string& path, struct stat& info, Walk& walk) {
  const LinkEnd end = link_end(root_, path);
  if (end.where == LinkEnd::Inside && filter_.holds_back(end.path)) {
    held_back_.push_back(path);
  } else if (end.where != LinkEnd::Inside) {
    note(path,
         {.kind = Problem::Unreadable,
          .message = "not synced: " + say_refused(end) + "; only what is inside can be synced",
          .try_again = end.where == LinkEnd::Nowhere},
         walk.before);
  } else if (stat(absolute(path).c_str(), &info) == 0) {
    return true;
  } else {
    cannot_see(path, errno, walk);
  }
  unknown_.add(path, true);
  return false;
}

void Scanner::visit(const std::string& path, Tree& tree, Walk& walk) {
  struct stat info{};
  if (lstat(absolute(path).c_str(), &info) != 0) {
    if (!says_absent(errno)) cannot_see(path, errno, walk);
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
    visit_link(path, info, tree, walk);
  } else if (S_ISREG(info.st_mode)) {
    walk.seen.insert(path);
    visit_file(path, info, tree, walk);
  } else {
    note(path,
         {.kind = Problem::Skipped,
          .message = fmt::format("skipped: {} is not synced", special_name(info.st_mode))},
         walk.before);
  }
}

void Scanner::visit_link(const std::string& path, const struct stat& info, Tree& tree, Walk& walk) {
  std::string target(4096, '\0');
  const ssize_t size = readlink(absolute(path).c_str(), target.data(), target.size());
  if (size < 0) {
    if (!says_absent(errno) && errno != EINVAL) cannot_see(path, errno, walk);
    return;
  }
  target.resize(static_cast<std::size_t>(size));
  if (!is_utf8(target))
    return note(path, {.kind = Problem::Skipped, .message = "skipped: the link's target is not UTF-8"},
                walk.before);
  Entry entry = entry_of(info, FileType::Symlink);
  entry.target = std::move(target);
  put(path, std::move(entry), tree);
  walk.seen.insert(path);
}

void Scanner::visit_directory(const std::string& path, Tree& tree, Walk& walk) {
  DIR* directory = opendir(absolute(path).c_str());
  if (!directory) {
    if (!says_absent(errno)) cannot_see(path, errno, walk);
    return;
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* item = readdir(directory)) {
    if (std::strcmp(item->d_name, ".") != 0 && std::strcmp(item->d_name, "..") != 0)
      names.emplace_back(item->d_name);
    errno = 0;
  }
  if (errno != 0) cannot_see(path, errno, walk);  // and yet what was listed is there
  closedir(directory);
  for (const std::string& name : names) {
    const std::string child = path.empty() ? name : path + '/' + name;
    if (!is_utf8(name))
      note(child, {.kind = Problem::Skipped, .message = std::string(kNotUtf8)}, walk.before);
    else
      visit(child, tree, walk);
  }
}

void Scanner::visit_file(const std::string& path, const struct stat& info, Tree& tree, Walk& walk) {
  const Fingerprint print = fingerprint(info);
  auto known = known_.find(path);
  const bool too_large = static_cast<std::uint64_t>(info.st_size) > kMaxFileSize;
  if (auto said = walk.before.find(path);
      too_large && said != walk.before.end() && said->second.kind == Problem::TooLarge)
    problems_.insert(walk.before.extract(said));
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
  if (loaded.error().kind != ErrorKind::TooLarge) return cannot_load(path, loaded.error(), walk.before);
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
      if (says_absent(error)) return fail(ErrorKind::NotFound, "gone");
      return std::unexpected(unreadable(error));
    }
    struct stat before{}, after{};
    if (fstat(file.get(), &before) != 0) return std::unexpected(unreadable(errno));
    if (!S_ISREG(before.st_mode)) return fail(ErrorKind::NotFound, "no regular file");
    if (static_cast<std::uint64_t>(before.st_size) > kMaxFileSize)
      return fail(ErrorKind::TooLarge,
                  fmt::format("not synced: it has {:.1f} MB, and files above {} MB are refused; ignore it",
                              static_cast<double>(before.st_size) / (1 << 20), kMaxFileSize >> 20));
    auto bytes = std::make_shared<std::string>();
    const auto whole = read_all(file.get(), static_cast<std::uint64_t>(before.st_size), kMaxFileSize, *bytes);
    if (!whole && whole.error() == EIO)
      return fail(ErrorKind::Io, "not synced: the disk reports an error while it is read");
    if (!whole) return std::unexpected(unreadable(whole.error()));
    ++files_read_;
    if (fstat(file.get(), &after) != 0 || !*whole || !(fingerprint(before) == fingerprint(after)) ||
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

void Scanner::note(const std::string& path, Problem problem, const Problems& before) {
  const auto said = before.find(path);
  const bool news = said == before.end() || !said->second.same(problem);
  if (problem.kind >= Problem::Writing) unknown_.add(path);
  const std::string message = problem.kind == Problem::Writing ? "" : problem.message;
  problems_[path] = std::move(problem);
  if (news && !message.empty()) warn_(path, message);
}

// Whether it is a file or a folder is not known either, so nothing below it is.
void Scanner::cannot_see(const std::string& path, int error, const Walk& walk) {
  unknown_.add(path, true);
  note(
      path,
      {.kind = Problem::Unreadable,
       .message = fmt::format("not synced: {}; make it readable for you, or ignore it", std::strerror(error)),
       .try_again = true},
      walk.before);
}

void Scanner::cannot_load(const std::string& path, const Error& error) {
  if (error.kind == ErrorKind::NotFound) return;
  cannot_load(path, error, problems_);
}

void Scanner::cannot_load(const std::string& path, const Error& error, const Problems& before) {
  using enum Problem::Kind;
  const auto kind = error.kind == ErrorKind::TooLarge   ? TooLarge
                    : error.kind == ErrorKind::Conflict ? Writing
                                                        : Unreadable;
  const std::string message =
      kind == Writing ? "not synced: it keeps changing while it is read; it is sent when it holds still"
                      : error.message;
  const bool try_again = error.kind == ErrorKind::Io || error.kind == ErrorKind::Conflict;
  note(path, {kind, message, try_again}, before);
}

std::string Scanner::untold(const std::string& path) const {
  const auto found = problems_.find(path);
  return found != problems_.end() && found->second.kind == Problem::Writing ? found->second.message : "";
}

std::vector<std::string> Scanner::to_try_again() const {
  std::vector<std::string> paths;
  for (const auto& [path, problem] : problems_)
    if (problem.try_again) paths.push_back(path);
  return paths;
}

}  // namespace live_update
