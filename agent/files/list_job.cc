#include "agent/files/list_job.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/files/mount_points.h"

namespace live_update::agent {
namespace {

constexpr std::size_t kWorthSending = 64 << 10;
constexpr std::string_view kOurs = ".live-update-";

}  // namespace

ListJob::ListJob(List list)
    : list_(std::move(list)), root_(std::make_unique<SyncRoot>(list_.root)), mounts_(mount_points()) {
  found_.request = list_.request;
}

Try<ListJob> ListJob::start(List list) {
  const auto refuse = [](const std::string& path) {
    return failed({Code::BadRequest, EINVAL, path, "\"" + path + "\" is no path of plain parts",
                   "let the sync lead to a path without such parts"});
  };
  if (!valid_root(list.root)) return refuse(list.root);
  for (const auto& folder : list.folders)
    if (!valid_path(folder)) return refuse(folder);
  return ListJob(std::move(list));
}

void ListJob::step(std::size_t names) {
  for (; !done() && names > 0 && found_bytes_ < kWorthSending; --names) stream_ ? read_one() : open_next();
}

std::optional<Listing> ListJob::take() {
  if (!done() && found_bytes_ < kWorthSending) return std::nullopt;
  Listing result{list_.request, std::exchange(found_.entries, {}), done()};
  found_bytes_ = 0;
  return result;
}

void ListJob::add(std::string name, Listed kind) {
  found_bytes_ += name.size() + 9;
  found_.entries.push_back({static_cast<std::uint32_t>(next_ - 1), std::move(name), kind});
}

// Where it cannot be known what is mounted, nothing is listed.
void ListJob::open_next() {
  const auto& folder = list_.folders[next_++];
  const auto root = root_->open("");
  const auto there = root ? root_->open(folder) : root;
  if (!there) {
    const bool absent = there.error() == ENOENT || there.error() == ENOTDIR || there.error() == ELOOP;
    return say(absent ? Listed::Absent : Listed::Unreadable);
  }
  struct stat top, here;
  const auto top_path = path_of((*root)->get()), path = path_of((*there)->get());
  if (!mounts_ || !top_path || !path || fstat((*root)->get(), &top) != 0 ||
      fstat((*there)->get(), &here) != 0 || top.st_dev != here.st_dev ||
      crosses_mount(*mounts_, *top_path, *path))
    return say(Listed::Unreadable);
  const int fd = openat((*there)->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  stream_.reset(fd < 0 ? nullptr : fdopendir(fd));
  if (!stream_) {
    if (fd >= 0) close(fd);
    return say(Listed::Unreadable);
  }
  here_ = *path == "/" ? "" : *path;
  device_ = here.st_dev;
}

void ListJob::read_one() {
  errno = 0;
  const dirent* entry = readdir(stream_.get());
  if (!entry) {
    if (errno != 0) say(Listed::Unreadable);
    return stream_.reset();
  }
  const std::string_view name = entry->d_name;
  if (name == "." || name == ".." || name.starts_with(kOurs)) return;
  if (listed_ == list_.most) {
    say(Listed::Unreadable);
    return stream_.reset();
  }
  ++listed_;
  add(std::string(name), kind_of(*entry));
}

Listed ListJob::kind_of(const dirent& entry) const {
  if (mounts_->contains(here_ + '/' + entry.d_name)) return Listed::Mount;
  if (entry.d_type == DT_REG) return Listed::File;
  if (entry.d_type == DT_LNK) return Listed::Symlink;
  struct stat there;
  if (fstatat(dirfd(stream_.get()), entry.d_name, &there, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
    return Listed::Other;  // it has gone meanwhile, or nothing can be said of it
  if (there.st_dev != device_) return Listed::Mount;
  return S_ISREG(there.st_mode)   ? Listed::File
         : S_ISDIR(there.st_mode) ? Listed::Directory
         : S_ISLNK(there.st_mode) ? Listed::Symlink
                                  : Listed::Other;
}

}  // namespace live_update::agent
