#include "agent/files/switch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "agent/files/temp_name.h"
#include "agent/files/tree_ops.h"

namespace live_update::agent {
namespace {

bool nothing_there(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

std::string name_in(const Spot& spot) { return std::string(name_of(spot.path)); }
std::string directory_of(const Spot& spot) { return std::string(parent_of(spot.path)); }

// The kernel tells of the first name's new content last, and that is what counts for whoever watches it.
int exchange(int directory, const std::string& name, int other, const std::string& temporary) {
  return renameat2(directory, name.c_str(), other, temporary.c_str(), RENAME_EXCHANGE);
}

int set_mode(int directory, const char* name, std::uint16_t mode) {
  return fchmodat(directory, name, mode & 0777, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

// Just before it is seen: what somebody built from the old content while the batch was staged has to be older.
void set_time(int directory, const char* name, const std::optional<Mtime>& time) {
  const timespec then{time ? time->seconds : 0, time ? static_cast<long>(time->nanoseconds) : UTIME_NOW};
  const timespec times[2] = {{0, UTIME_NOW}, then};
  utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW);
}

}  // namespace

Try<SharedFd> Switch::parent(const Spot& spot) { return ensure(*spot.root, parent_of(spot.path)); }

Try<SharedFd> Switch::ensure(SyncRoot& root, std::string_view directory) {
  auto there = root.open(directory);
  if (there) return *there;
  if (directory.empty())
    return failed(errno_failure(there.error(), "cannot open the directory", root.path()));
  const Spot spot{&root, std::string(directory)};
  const auto above = parent(spot);
  if (!above) return above;
  if (auto made = ensure_one((*above)->get(), spot); !made) return failed(made.error());
  root.forget();
  there = root.open(directory);
  if (!there) return failed(errno_failure(there.error(), "cannot open the directory", spot.shown()));
  return *there;
}

// Makes one directory. A file at its place gives way (rule 4.3); a symlink only if the batch says so.
Try<> Switch::ensure_one(int parent, const Spot& spot) {
  const auto name = name_in(spot);
  if (mkdirat(parent, name.c_str(), 0755) == 0) {
    undo_.push_back({.how = How::RemoveDirectory, .spot = spot});
    return {};
  }
  struct stat there;
  if (errno != EEXIST || fstatat(parent, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0)
    return failed(errno_failure(errno, "cannot make the directory", spot.shown()));
  if (S_ISDIR(there.st_mode)) return {};
  if (S_ISLNK(there.st_mode) && !replaces_(spot.shown()))
    return failed(errno_failure(ELOOP, "nothing is written through", spot.shown()));
  const StagedAt fresh{directory_of(spot), next_temp_name(), {}};
  if (mkdirat(parent, fresh.name.c_str(), 0755) != 0)
    return failed(errno_failure(errno, "cannot make the directory", spot.shown()));
  auto put_there = put(spot, fresh, nullptr);
  if (!put_there) unlinkat(parent, fresh.name.c_str(), AT_REMOVEDIR);
  return put_there;
}

void Switch::keep(const Spot& spot, int error) {
  auto failure = errno_failure(error, "cannot delete", spot.shown());
  failure.code = failure.code == Code::NoSpace ? Code::Io : failure.code;
  failure.reason = "cannot be deleted and stays: " + errno_text(error);
  kept_.take(failure);
}

void Switch::move_away(int directory, const Spot& spot) {
  const StagedAt away{directory_of(spot), next_temp_name(), {}};
  if (renameat(directory, name_in(spot).c_str(), directory, away.name.c_str()) != 0) {
    if (errno != ENOENT) keep(spot, errno);
    return;
  }
  ++changed_;
  undo_.push_back({.how = How::RenameBack, .spot = spot, .other = away});
  deleted_.push_back({spot.root, away.directory, away.name});
}

// What is there decides, not what it was on the host.
void Switch::remove(const Spot& spot, DeleteHow how, bool stays) {
  const auto directory = spot.root->open(parent_of(spot.path));
  struct stat there;
  int error = directory ? 0 : directory.error();
  if (directory && fstatat((*directory)->get(), name_in(spot).c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0)
    error = errno;
  // What is behind a symlink is not what was put here: there is nothing of ours.
  if (nothing_there(error)) return;
  if (error != 0) return keep(spot, error);
  if (!S_ISDIR(there.st_mode)) return move_away((*directory)->get(), spot);
  if (!stays) directories_.emplace_back(spot, how);
}

Try<> Switch::make_directory(const Spot& spot, std::uint16_t mode) {
  if (spot.root->open(spot.path)) return {};
  const auto made = ensure(*spot.root, spot.path);
  if (!made) return failed(made.error());
  ++changed_;
  modes_.emplace_back(spot, mode);
  return {};
}

Try<> Switch::put(const Spot& spot, const StagedAt& staged, const File* file,
                  const std::optional<Mtime>& time) {
  const auto to = parent(spot);
  if (!to) return failed(to.error());
  if (staged.memory) return put_in_place(staged.memory->get(), (*to)->get(), spot, file);
  const auto from = staged.directory == parent_of(spot.path) ? *to : spot.root->open(staged.directory);
  if (!from) return failed(errno_failure(from.error(), "cannot open what was staged for", spot.shown()));
  const int source = (*from)->get(), target = (*to)->get();
  set_time(source, staged.name.c_str(), time);
  if (exchange(target, name_in(spot), source, staged.name) == 0) {
    ++changed_;
    undo_.push_back({.how = How::ExchangeBack, .spot = spot, .other = staged});
    old_.push_back({spot.root, staged.directory, staged.name});
    return {};
  }
  switch (errno) {
    case ENOENT:
      return put_new(source, target, spot, staged);
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EPERM:
      return put_over(source, target, spot, staged);
    case EBUSY: {
      const Fd content(openat(source, staged.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
      if (!content) return failed(errno_failure(EBUSY, "cannot replace", spot.shown()));
      return put_in_place(content.get(), target, spot, file);
    }
    default:
      return failed(errno_failure(errno, "cannot replace", spot.shown()));
  }
}

Try<> Switch::put_new(int from, int to, const Spot& spot, const StagedAt& staged) {
  if (renameat(from, staged.name.c_str(), to, name_in(spot).c_str()) != 0)
    return failed(errno_failure(errno, "cannot put in its place", spot.shown()));
  ++changed_;
  undo_.push_back({.how = How::Remove, .spot = spot});
  return {};
}

// Without exchange: the old one gets a second name, or, as a directory, another one.
Try<> Switch::put_over(int from, int to, const Spot& spot, const StagedAt& staged) {
  const auto name = name_in(spot);
  struct stat there;
  if (fstatat(to, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return put_new(from, to, spot, staged);
  struct stat fresh;
  const bool directories =
      S_ISDIR(there.st_mode) ||
      (fstatat(from, staged.name.c_str(), &fresh, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(fresh.st_mode));
  const StagedAt backup{directory_of(spot), next_temp_name(), {}};
  const int kept = directories ? renameat(to, name.c_str(), to, backup.name.c_str())
                               : linkat(to, name.c_str(), to, backup.name.c_str(), 0);
  if (kept != 0 && directories) return failed(errno_failure(errno, "cannot replace", spot.shown()));
  if (kept == 0) {
    undo_.push_back({.how = How::RenameBack, .spot = spot, .other = backup});
    old_.push_back({spot.root, backup.directory, backup.name});
  }
  if (renameat(from, staged.name.c_str(), to, name.c_str()) == 0) {
    ++changed_;
    if (kept != 0) undo_.push_back({.how = How::Nothing, .spot = spot});
    return {};
  }
  if (errno != EBUSY) return failed(errno_failure(errno, "cannot replace", spot.shown()));
  const Fd content(openat(from, staged.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  return put_in_place(content.get(), to, spot, nullptr);
}

Try<> Switch::put_in_place(int source, int directory, const Spot& spot, const File* file) {
  const auto give_up = [&](int error) {
    return failed(errno_failure(error, "cannot write in place", spot.shown()));
  };
  struct stat there;
  if (fstatat(directory, name_in(spot).c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(there.st_mode))
    return failed(errno_failure(EBUSY, "cannot replace", spot.shown()));
  const Fd target(openat(directory, name_in(spot).c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!target) return give_up(errno);
  auto old = std::make_shared<const Fd>(memfd_create("live-update", MFD_CLOEXEC));
  if (!*old) return give_up(errno);
  if (const int error = copy_bytes(target.get(), old->get())) return give_up(error);
  if (const int error = copy_bytes(source, target.get())) {
    copy_bytes(old->get(), target.get());
    return give_up(error);
  }
  const Mtime before{there.st_mtim.tv_sec, static_cast<std::uint32_t>(there.st_mtim.tv_nsec)};
  undo_.push_back(
      {How::WriteBack, spot, {{}, {}, old}, static_cast<std::uint16_t>(there.st_mode & 0777), before});
  if (file) dress(target.get(), file->mode, {});
  ++changed_;
  warn(spot,
       "is mounted by itself and cannot be replaced: it was written in place, so a reader may see a part of "
       "it");
  return {};
}

void Switch::drop(const Spot& spot, const StagedAt& staged) {
  if (!staged.memory) old_.push_back({spot.root, staged.directory, staged.name});
}

Try<> Switch::retouch(const Spot& spot, std::uint16_t mode) {
  const auto directory = spot.root->open(parent_of(spot.path));
  if (!directory) return failed(errno_failure(directory.error(), "cannot change the mode of", spot.shown()));
  const auto name = name_in(spot);
  struct stat there;
  if (fstatat((*directory)->get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0)
    return failed(errno_failure(errno, "cannot change the mode of", spot.shown()));
  if ((there.st_mode & 07777) == (mode & 0777)) return {};
  if (const int error = set_mode((*directory)->get(), name.c_str(), mode))
    return failed(errno_failure(error, "cannot change the mode of", spot.shown()));
  ++changed_;
  undo_.push_back({How::Retouch, spot, {}, static_cast<std::uint16_t>(there.st_mode & 0777), {}});
  return {};
}

int Switch::undo(const Undo& step) {
  if (step.how == How::Nothing) return EIO;
  const auto directory = step.spot.root->open(parent_of(step.spot.path));
  if (!directory) return directory.error();
  const int fd = (*directory)->get();
  const auto name = name_in(step.spot);
  int done = 0;
  switch (step.how) {
    case How::ExchangeBack:
    case How::RenameBack: {
      const auto from = step.spot.root->open(step.other.directory);
      if (!from) return from.error();
      const bool both = step.how == How::ExchangeBack;
      done = both ? exchange(fd, name, (*from)->get(), step.other.name)
                  : renameat((*from)->get(), step.other.name.c_str(), fd, name.c_str());
      if (done == 0 || both || (errno != ENOTDIR && errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST))
        break;
      // A directory gives way to nothing but an empty one.
      if (const int error = remove_tree(fd, name)) return error;
      done = renameat((*from)->get(), step.other.name.c_str(), fd, name.c_str());
      break;
    }
    case How::Remove:
      return remove_tree(fd, name);
    case How::RemoveDirectory:
      done = unlinkat(fd, name.c_str(), AT_REMOVEDIR);
      break;
    case How::WriteBack: {
      const Fd target(openat(fd, name.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
      if (!target) return errno;
      if (const int error = copy_bytes(step.other.memory->get(), target.get())) return error;
      return dress(target.get(), step.mode, step.mtime);
    }
    case How::Retouch:
      return set_mode(fd, name.c_str(), step.mode);
    case How::Nothing:
      break;
  }
  return done == 0 ? 0 : errno;
}

std::vector<std::string> Switch::roll_back() {
  std::vector<std::string> lost;
  for (auto step = undo_.rbegin(); step != undo_.rend(); ++step) {
    step->spot.root->forget();
    if (undo(*step) != 0) lost.push_back(step->spot.shown());
  }
  // Old bytes that could not be put back stay where they are, for somebody to rescue.
  if (lost.empty()) clean();
  undo_.clear();
  changed_ = 0;
  return lost;
}

void Switch::remove(const std::vector<Leftover>& all) {
  for (const auto& leftover : all) {
    const auto directory = leftover.root->open(leftover.directory);
    const int error = directory ? remove_tree((*directory)->get(), leftover.name) : 0;
    if (error == 0) continue;
    const Spot spot{leftover.root,
                    leftover.directory.empty() ? leftover.name : leftover.directory + '/' + leftover.name};
    warn(spot, "is what was replaced or deleted, and could not be removed entirely: " + errno_text(error));
  }
}

void Switch::finish() {
  remove(deleted_);
  deleted_.clear();
  remove_directories();
  for (const auto& [spot, mode] : modes_) {
    const auto directory = spot.root->open(parent_of(spot.path));
    if (directory) fchmodat((*directory)->get(), name_in(spot).c_str(), mode & 0777, 0);
  }
  if (!kept_.any()) return;
  const auto kept = kept_.failure();
  warnings_.push_back({0, kept.path, kept.reason + (kept.remedy.empty() ? "" : "; " + kept.remedy)});
}

void Switch::remove_directories() {
  std::ranges::sort(directories_, std::greater(), [](const auto& it) { return it.first.path.size(); });
  for (const auto& [spot, how] : directories_) {
    const auto directory = spot.root->open(parent_of(spot.path));
    if (!directory) continue;
    const auto name = name_in(spot);
    int done = unlinkat((*directory)->get(), name.c_str(), AT_REMOVEDIR);
    if (done != 0 && (errno == ENOTEMPTY || errno == EEXIST)) {
      // What a killed agent left must not keep it.
      const Fd inside(
          openat((*directory)->get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (inside) clean_directory(inside.get());
      done = unlinkat((*directory)->get(), name.c_str(), AT_REMOVEDIR);
    }
    const bool filled = done != 0 && (errno == ENOTEMPTY || errno == EEXIST);
    if (done == 0) {
      ++changed_;
      spot.root->forget();
    } else if (filled && how == DeleteHow::File) {
      warn(
          spot,
          "is a directory in the container, not the file that was to be deleted, and what only the container "
          "has is in it: it stays");
    } else if (!filled && !nothing_there(errno)) {
      keep(spot, errno);
    }
  }
}

void Switch::clean() {
  remove(old_);
  old_.clear();
}

}  // namespace live_update::agent
