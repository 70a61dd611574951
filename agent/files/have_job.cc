#include "agent/files/have_job.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "agent/files/temp_name.h"
#include "agent/files/tree_ops.h"

namespace live_update::agent {
namespace {

constexpr std::size_t kWorthSending = 64 << 10;

HaveEntry describe(std::string path, const struct stat& there) {
  HaveEntry entry{.path = std::move(path)};
  entry.kind = S_ISREG(there.st_mode)   ? Kind::File
               : S_ISDIR(there.st_mode) ? Kind::Directory
               : S_ISLNK(there.st_mode) ? Kind::Symlink
                                        : Kind::Other;
  entry.mode = there.st_mode & 07777;
  entry.size = static_cast<std::uint64_t>(there.st_size);
  entry.mtime = {there.st_mtim.tv_sec, static_cast<std::uint32_t>(there.st_mtim.tv_nsec)};
  return entry;
}

bool virtual_file_system(const std::string& path) {
  return path == "/proc" || path == "/sys" || path == "/dev";
}

}  // namespace

HaveJob::HaveJob(const Have& have)
    : request_(have.request),
      below_(have.below),
      root_(std::make_unique<SyncRoot>(have.root)),
      pending_(have.paths) {
  std::ranges::reverse(pending_);
}

Try<HaveJob> HaveJob::start(const Have& have) {
  const auto refuse = [](const std::string& path) {
    return failed({Code::BadRequest, EINVAL, path, "\"" + path + "\" is no path of plain parts",
                   "let the sync lead to a path without such parts"});
  };
  if (!valid_root(have.root)) return refuse(have.root);
  for (const auto& wanted : have.paths) {
    if (!valid_path(wanted.path)) return refuse(wanted.path);
  }
  return HaveJob(have);
}

void HaveJob::step(std::size_t bytes) {
  // What only costs a system call counts, too.
  constexpr std::size_t kLook = 4096;
  while (!done() && bytes > 0 && found_bytes_ < kWorthSending) {
    if (reading_) {
      read_on(bytes);
      continue;
    }
    auto wanted = std::move(pending_.back());
    pending_.pop_back();
    look(std::move(wanted));
    bytes -= std::min(bytes, kLook);
  }
}

std::optional<HaveResult> HaveJob::take() {
  if (!done() && found_bytes_ < kWorthSending) return std::nullopt;
  HaveResult result{request_, std::exchange(found_.entries, {}), done()};
  found_bytes_ = 0;
  return result;
}

void HaveJob::add(HaveEntry entry) {
  found_bytes_ += entry.path.size() + entry.target.size() + 72;
  found_.entries.push_back(std::move(entry));
}

void HaveJob::look(Wanted wanted) {
  // The root may be a directory reached over a symlink, or one single file.
  if (wanted.path.empty()) {
    if (auto root = root_->open("")) {
      HaveEntry entry{.path = "", .kind = Kind::Directory};
      if (below_) list(*root, "", entry);
      return add(std::move(entry));
    }
  }
  const auto& top = root_->path();
  SyncRoot above{wanted.path.empty() && parent_of(top).empty() ? "/" : std::string(parent_of(top))};
  const std::string name(wanted.path.empty() ? name_of(top) : name_of(wanted.path));
  const auto directory = wanted.path.empty() ? above.open("") : root_->open(parent_of(wanted.path));
  struct stat there;
  if (!directory || fstatat((*directory)->get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
    const int error = directory ? errno : directory.error();
    const bool missing = error == ENOENT || error == ENOTDIR || error == ELOOP;
    return add({.path = std::move(wanted.path), .kind = missing ? Kind::Missing : Kind::Unreadable});
  }
  auto entry = describe(std::move(wanted.path), there);
  if (entry.kind == Kind::Symlink) {
    entry.target.resize(kMaxPath);
    const auto size = readlinkat((*directory)->get(), name.c_str(), entry.target.data(), entry.target.size());
    entry.target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  } else if (entry.kind == Kind::Directory && below_) {
    Fd fd(openat((*directory)->get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    const auto path = entry.path;
    list(std::make_shared<const Fd>(std::move(fd)), path, entry);
  } else if (entry.kind == Kind::File && (wanted.size == kAnySize || wanted.size == entry.size)) {
    Fd fd(openat((*directory)->get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd) {
      reading_ = Reading{std::move(fd), std::move(entry), {}};
      return;
    }
    entry.kind = errno == ENOENT ? Kind::Missing : Kind::Unreadable;
  }
  add(std::move(entry));
}

void HaveJob::list(SharedFd directory, const std::string& path, HaveEntry& entry) {
  int error = 0;
  auto names = names_in(directory->get(), error);
  if (error != 0) entry.kind = Kind::Unreadable;
  std::ranges::sort(names, std::greater());
  for (const auto& name : names) {
    auto child = path.empty() ? name : path + '/' + name;
    if (is_temp_name(name) || child.size() > kMaxPath || virtual_file_system(root_->absolute(child)))
      continue;
    pending_.push_back({std::move(child), kAnySize});
  }
}

void HaveJob::read_on(std::size_t& bytes) {
  char block[64 << 10];
  const auto got = read(reading_->fd.get(), block, sizeof block);
  if (got < 0 && errno == EINTR) return;
  if (got > 0) {
    reading_->sha.add({block, static_cast<std::size_t>(got)});
    bytes -= std::min(bytes, static_cast<std::size_t>(got));
    return;
  }
  auto entry = std::move(reading_->entry);
  if (got == 0) entry.digest = reading_->sha.finish();
  if (got < 0) entry.kind = Kind::Unreadable;
  reading_.reset();
  add(std::move(entry));
}

}  // namespace live_update::agent
