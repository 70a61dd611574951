#include "agent/files/staged.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

namespace live_update::agent {
namespace {

// From this size on it is worth asking whether it fits: a full disk is told at once. Nothing is reserved, as
// the size is only what somebody says.
constexpr std::uint64_t kWorthAsking = 1 << 20;

bool cannot_fit(int fd, std::uint64_t size) {
  struct statvfs there;
  if (size < kWorthAsking || fstatvfs(fd, &there) != 0 || there.f_blocks == 0 || there.f_frsize == 0)
    return false;
  return size / there.f_frsize > (geteuid() == 0 ? there.f_bfree : there.f_bavail);
}

Failure wrong_content(const std::string& path, const std::string& what) {
  return {Code::Digest, 0, path, "the content that came for " + path + " " + what, "send it again"};
}

}  // namespace

Try<StagedFile> StagedFile::create(int directory, StagedAt at, std::string shown, const File& file) {
  StagedFile staged(std::move(at), std::move(shown), file);
  if (!staged.at_.memory) {
    staged.fd_ = Fd(
        openat(directory, staged.at_.name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!staged.fd_) return failed(errno_failure(errno, "cannot create a file beside", staged.shown_));
    if (cannot_fit(staged.fd(), file.size)) {
      unlinkat(directory, staged.at_.name.c_str(), 0);
      return failed(errno_failure(ENOSPC, "cannot write", staged.shown_));
    }
  }
  return staged;
}

bool StagedFile::write(std::string_view bytes) {
  size_ += bytes.size();
  too_long_ = size_ > file_.size;
  if (too_long_) return false;
  sha_.add(bytes);
  while (!bytes.empty()) {
    const auto written = ::write(fd(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error_ = errno, false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Try<> StagedFile::result() const {
  if (error_ != 0) return failed(errno_failure(error_, "cannot write", shown_));
  if (too_long_) return failed(wrong_content(shown_, "is longer than was promised"));
  return {};
}

Try<> StagedFile::add(const Data& data, Inflater& inflater) {
  if (data.coding == Coding::Zstd) {
    const char* wrong = inflater.feed(data.bytes, [&](auto bytes) { return write(bytes); });
    if (wrong) return failed(wrong_content(shown_, "cannot be decompressed: " + std::string(wrong)));
  } else if (!inflater.between_frames()) {
    return failed(wrong_content(shown_, "has a zstd frame without an end"));
  } else {
    write(data.bytes);
  }
  return result();
}

Try<> StagedFile::add_all(int from) {
  std::string block(64 << 10, '\0');
  for (off_t at = 0;;) {
    const auto got = pread(from, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno_failure(errno, "cannot read the old content for", shown_));
    if (got == 0 || !write({block.data(), static_cast<std::size_t>(got)})) return result();
    at += got;
  }
}

Try<> StagedFile::finish(const Inflater& inflater, const struct stat* replaced) {
  if (!inflater.between_frames()) return failed(wrong_content(shown_, "has a zstd frame without an end"));
  if (size_ != file_.size) return failed(wrong_content(shown_, "is shorter than was promised"));
  if (sha_.finish() != file_.digest)
    return failed(wrong_content(shown_, "does not have the promised digest"));
  if (at_.memory) return {};
  if (replaced) own_like(*replaced);
  const int error = dress(fd(), file_.mode, {});
  if (error != 0) return failed(errno_failure(error, "cannot set the mode of", shown_));
  return {};
}

void StagedFile::own_like(const struct stat& replaced) {
  struct stat ours;
  if (geteuid() != 0 || fstat(fd(), &ours) != 0) return;
  if (ours.st_uid == replaced.st_uid && ours.st_gid == replaced.st_gid) return;
  if (fchown(fd(), replaced.st_uid, replaced.st_gid) == 0) return;
  const auto said = [](const struct stat& it) {
    return std::to_string(it.st_uid) + ":" + std::to_string(it.st_gid);
  };
  owner_trouble_ = "belonged to " + said(replaced) + " and belongs to " + said(ours) +
                   " now: its owner could not be kept: " + errno_text(errno);
}

bool StagedFile::same_as(int other) const {
  std::string ours(64 << 10, '\0'), theirs(64 << 10, '\0');
  for (off_t at = 0;;) {
    const auto got = pread(fd(), ours.data(), ours.size(), at);
    if (got < 0 || pread(other, theirs.data(), theirs.size(), at) != got) return false;
    if (got == 0) return true;
    if (memcmp(ours.data(), theirs.data(), static_cast<std::size_t>(got)) != 0) return false;
    at += got;
  }
}

int dress(int fd, std::uint16_t mode, const std::optional<Mtime>& mtime) {
  if (fchmod(fd, mode & 0777) != 0) return errno;
  if (!mtime) return 0;
  const timespec times[2] = {{0, UTIME_NOW}, {mtime->seconds, static_cast<long>(mtime->nanoseconds)}};
  return futimens(fd, times) == 0 ? 0 : errno;
}

int copy_bytes(int from, int to) {
  std::string block(64 << 10, '\0');
  for (off_t at = 0;;) {
    const auto got = pread(from, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return ftruncate(to, at) == 0 ? 0 : errno;
    for (ssize_t done = 0; done < got;) {
      const auto wrote = pwrite(to, block.data() + done, static_cast<std::size_t>(got - done), at + done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return errno;
      done += wrote;
    }
    at += got;
  }
}

}  // namespace live_update::agent
