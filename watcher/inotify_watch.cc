#include "watcher/inotify_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "watcher/file_system.h"
#include "watcher/links.h"

namespace live_update {
namespace {

using Kind = FileEvent::Kind;

constexpr unsigned kMask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM |
                           IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_EXCL_UNLINK | IN_ONLYDIR;

std::string join_path(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + '/' + name;
}

long read_limit(const char* name) {
  long value = 0;
  std::ifstream(std::string("/proc/sys/fs/inotify/") + name) >> value;
  return value;
}

}  // namespace

InotifyWatch::InotifyWatch(std::string root, const PathFilter& filter, Callbacks callbacks)
    : root_(std::move(root)), filter_(filter), callbacks_(std::move(callbacks)) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
}

InotifyWatch::~InotifyWatch() {
  if (inotify_ >= 0) close(inotify_);
  if (epoll_ >= 0) close(epoll_);
}

std::string InotifyWatch::absolute(const std::string& path) const {
  return path.empty() ? root_ : root_ + '/' + path;
}

// A new descriptor forgets all watches at once, and with them the events of watches that are no longer of
// interest.
Result<> InotifyWatch::open_inotify() {
  if (inotify_ >= 0) close(inotify_);
  ++generation_;
  paths_.clear();
  watch_of_.clear();
  targets_.clear();
  unwatched_.clear();
  unseen_.clear();
  inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify_ < 0) return fail(ErrorKind::Io, std::strerror(errno));
  epoll_event event{.events = EPOLLIN, .data = {}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, inotify_, &event);
  return {};
}

Result<> InotifyWatch::restart() {
  root_watched_ = false;
  struct stat info{};
  const int error = stat(root_.c_str(), &info) == 0 ? 0 : errno;
  if (error != 0 && why_not(error) != Added::NotThere)
    return fail(ErrorKind::Io, fmt::format("the root {}: {}", root_, std::strerror(error)));
  if (error != 0 || !S_ISDIR(info.st_mode))
    return fail(ErrorKind::NotFound,
                fmt::format("the root {}: {}; give an existing directory with --root", root_,
                            error == 0 ? "not a directory" : std::strerror(error)));
  if (auto opened = open_inotify(); !opened) {
    cannot_watch("", EMFILE);
    root_watched_ = true;
    return {};
  }
  root_watched_ = true;
  add_recursive("");
  say_all_watched();
  if (auto found = watch_of_.find(""); found != watch_of_.end()) root_wd_ = found->second;
  return {};
}

InotifyWatch::Added InotifyWatch::why_not(int error) {
  if (error == ENOSPC || error == ENOMEM) return Added::NoSpace;
  return says_absent(error) ? Added::NotThere : Added::Failed;
}

InotifyWatch::Added InotifyWatch::add(const std::string& path) {
  if (paths_.size() >= limit_) return Added::NoSpace;
  const bool follow = path.empty() || filter_.follows(path);
  if (follow && !path.empty())
    if (const auto added = add_link(path)) return *added;
  const int wd = inotify_add_watch(inotify_, absolute(path).c_str(), kMask | (follow ? 0 : IN_DONT_FOLLOW));
  if (wd < 0) return why_not(errno);
  bind(wd, path);
  return Added::Yes;
}

// Rule 3.3. A link out of the root is not followed; one to a file has that file's folder watched, as editors
// exchange files; one that leads to nothing is looked at again. Nothing: it is a directory, or no link.
std::optional<InotifyWatch::Added> InotifyWatch::add_link(const std::string& path) {
  struct stat info{}, target{};
  if (lstat(absolute(path).c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return {};
  const LinkEnd end = link_end(root_, path);
  if (end.where == LinkEnd::Nowhere) unseen_.insert(path);
  if (end.where != LinkEnd::Inside || stat(absolute(path).c_str(), &target) != 0) return Added::NotThere;
  if (S_ISDIR(target.st_mode)) return {};
  const auto slash = end.path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : end.path.substr(0, slash);
  const int wd = inotify_add_watch(inotify_, absolute(folder).c_str(), kMask);
  if (wd < 0) return why_not(errno);
  targets_[wd][end.path.substr(slash + 1)].insert(path);
  return Added::Yes;
}

void InotifyWatch::drop_link(const std::string& path) {
  for (auto& [wd, names] : targets_) {
    for (auto& [name, links] : names) links.erase(path);
    std::erase_if(names, [](const auto& it) { return it.second.empty(); });
    if (names.empty() && !paths_.contains(wd)) inotify_rm_watch(inotify_, wd);
  }
  std::erase_if(targets_, [](const auto& it) { return it.second.empty(); });
}

void InotifyWatch::bind(int wd, const std::string& path) {
  if (auto old = watch_of_.find(path); old != watch_of_.end() && old->second != wd) drop_path(path);
  watch_of_[path] = wd;
  auto& paths = paths_[wd];
  if (std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
}

void InotifyWatch::add_recursive(const std::string& path) {
  switch (add(path)) {
    case Added::Yes:
      return add_children(path);
    case Added::NoSpace:
      return cannot_watch(path, ENOSPC);
    case Added::Failed:  // unreadable
      unseen_.insert(path);
      return;
    case Added::NotThere:  // gone again, or a link
      return;
  }
}

void InotifyWatch::add_children(const std::string& path) {
  DIR* directory = opendir(absolute(path).c_str());
  if (!directory) {
    if (why_not(errno) != Added::NotThere) unseen_.insert(path);
    return;
  }
  std::vector<std::string> children;
  errno = 0;
  for (; const dirent* item = readdir(directory); errno = 0) {
    const std::string name = item->d_name;
    if (name == "." || name == "..") continue;
    std::string child = join_path(path, name);
    const bool maybe = item->d_type == DT_DIR || item->d_type == DT_UNKNOWN ||
                       (item->d_type == DT_LNK && filter_.follows(child));
    if (maybe && filter_.enters(child)) children.push_back(std::move(child));
  }
  if (errno != 0) unseen_.insert(path);
  closedir(directory);
  for (const std::string& child : children) add_recursive(child);
}

void InotifyWatch::drop_path(const std::string& path) {
  auto found = watch_of_.find(path);
  if (found == watch_of_.end()) return;
  const int wd = found->second;
  watch_of_.erase(found);
  auto& paths = paths_[wd];
  std::erase(paths, path);
  if (!paths.empty()) return;
  paths_.erase(wd);
  if (!targets_.contains(wd)) inotify_rm_watch(inotify_, wd);
}

void InotifyWatch::drop_below(const std::string& path) {
  std::vector<std::string> gone{path};
  for (auto item = watch_of_.lower_bound(path + '/');
       item != watch_of_.end() && item->first.starts_with(path + '/'); ++item)
    gone.push_back(item->first);
  for (const std::string& each : gone) drop_path(each);
  const auto at_or_below = [&](const std::string& each) {
    return each == path || each.starts_with(path + '/');
  };
  std::erase_if(unwatched_, at_or_below);
  std::erase_if(unseen_, at_or_below);
}

void InotifyWatch::cannot_watch(const std::string& path, int limit_errno) {
  unwatched_.insert(path);
  if (std::exchange(said_limit_, true)) return;
  const char* name = limit_errno == EMFILE ? "max_user_instances" : "max_user_watches";
  const long limit = read_limit(name);
  callbacks_.on_notice(fmt::format(
      "the kernel's limit fs.inotify.{} = {} is reached with {} directories of {} watched: the others are "
      "looked at "
      "every 2 seconds instead; for instant updates raise it: sudo sysctl fs.inotify.{}={}",
      name, limit, paths_.size(), root_, name, limit_errno == EMFILE ? 1024 : std::max(524288L, limit * 2)));
}

void InotifyWatch::poll() {
  std::set<std::string> tops = unwatched_;
  tops.insert(unseen_.begin(), unseen_.end());
  for (const std::string& top : tops) {
    if (inotify_ >= 0) {
      unwatched_.erase(top);
      unseen_.erase(top);
      add_recursive(top);
    }
    emit(top, Kind::Rescan);
  }
  say_all_watched();
}

void InotifyWatch::say_all_watched() {
  if (unwatched_.empty() && std::exchange(said_limit_, false))
    callbacks_.on_notice(fmt::format("all directories of {} are watched again", root_));
}

void InotifyWatch::read() {
  alignas(inotify_event) char buffer[64 * 1024];
  for (;;) {
    const ssize_t size = ::read(inotify_, buffer, sizeof buffer);
    if (size <= 0) return;
    const unsigned source = generation_;
    for (ssize_t at = 0; at < size && generation_ == source;) {
      const auto& event = *reinterpret_cast<const inotify_event*>(buffer + at);
      handle(event, event.len > 0 ? event.name : "");
      at += static_cast<ssize_t>(sizeof(inotify_event) + event.len);
    }
    if (generation_ != source) return;
  }
}

void InotifyWatch::handle(const inotify_event& event, const std::string& name) {
  if (event.mask & IN_Q_OVERFLOW) {
    (void)restart();  // without a root: root_watched() tells
    return emit("", Kind::Rescan);
  }
  if (targets_.contains(event.wd)) handle_target(event.wd, name, event.mask);
  if (name.empty()) return handle_self(event.wd, event.mask);
  auto found = paths_.find(event.wd);
  if (found == paths_.end()) return;
  const std::vector<std::string> directories = found->second;
  for (const std::string& directory : directories) {
    const std::string path = join_path(directory, name);
    if (event.mask & IN_ISDIR)
      handle_directory(path, event.mask);
    else if (filter_.follows(path))
      handle_link(path, event.mask);
    else if (filter_.wants_events(path))
      handle_file(path, event.mask);
  }
}

// What a followed link leads to, or its whole folder (no name), has changed.
void InotifyWatch::handle_target(int wd, const std::string& name, unsigned mask) {
  const auto names = targets_[wd];
  const bool gone = mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF);
  for (const auto& [target, links] : names) {
    if (name.empty() ? !gone : target != name) continue;
    for (const std::string& link : links) {
      if (mask & (IN_CREATE | IN_MODIFY))
        emit(link, Kind::Writing);
      else
        handle_file(link, mask & ~static_cast<unsigned>(IN_CREATE));
      if (gone) unwatched_.insert(link);
    }
  }
  if (gone && name.empty()) targets_.erase(wd);
}

// Something happened to a watched directory itself. For those below the root the parent's event tells more,
// but not if it was unmounted, or reached by a followed link.
void InotifyWatch::handle_self(int wd, unsigned mask) {
  auto found = paths_.find(wd);
  if (found == paths_.end()) return;
  const std::vector<std::string> paths = found->second;
  const bool gone = mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF);
  if (wd == root_wd_ && (gone || mask & IN_MOVE_SELF)) return lose_root();
  if (!gone && !(mask & IN_MOVE_SELF)) return;
  for (const std::string& path : paths) {
    drop_below(path);
    add_recursive(path);
    emit(path, Kind::Rescan);
  }
}

void InotifyWatch::lose_root() {
  root_watched_ = false;
  root_wd_ = -1;
  emit("", Kind::Rescan);
}

void InotifyWatch::handle_directory(const std::string& path, unsigned mask) {
  if (!filter_.enters(path) && !filter_.wants_events(path)) return;
  if (mask & (IN_DELETE | IN_MOVED_FROM)) {
    drop_below(path);
    return emit(path, Kind::Rescan);
  }
  const bool came = mask & (IN_CREATE | IN_MOVED_TO);
  if (mask & IN_ATTRIB && watch_of_.contains(path)) return;  // rule 2.7: a directory's own mode is no change
  if (!came && !(mask & IN_ATTRIB)) return;
  if (came) drop_below(path);
  if (filter_.enters(path)) add_recursive(path);
  emit(path, Kind::Rescan);
}

// A path that is followed if it is a link to a directory; it may as well be a file.
void InotifyWatch::handle_link(const std::string& path, unsigned mask) {
  if (!(mask & (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM))) return handle_file(path, mask);
  const bool was_directory = watch_of_.contains(path);
  if (was_directory) drop_below(path);
  drop_link(path);
  add_recursive(path);
  if (was_directory || watch_of_.contains(path)) return emit(path, Kind::Rescan);
  handle_file(path, mask);
}

void InotifyWatch::handle_file(const std::string& path, unsigned mask) {
  if (mask & IN_CREATE) {
    struct stat info{};
    const bool complete =
        lstat(absolute(path).c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink > 1;
    return emit(path, complete ? Kind::Changed : Kind::Writing);
  }
  if (mask & IN_MODIFY) return emit(path, Kind::Writing);
  if (mask & IN_CLOSE_WRITE) return emit(path, Kind::Closed);
  if (mask & IN_ATTRIB) return emit(path, Kind::Attributes);
  emit(path, Kind::Changed);
}

}  // namespace live_update
