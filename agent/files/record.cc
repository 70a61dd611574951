#include "agent/files/record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "agent/files/content.h"
#include "agent/files/own_program.h"
#include "agent/system/fd.h"

namespace live_update::agent {
namespace {

constexpr std::int64_t kFormat = 0x6c75'7265'636f'0001;

Digest key_of(const Subject& subject) {
  Sha256 digest;
  digest.add(subject.container);
  digest.add("\n");
  digest.add(subject.live_update);
  return digest.finish();
}

// Of this program, if it lies under the name that only a safe place has.
std::string safe_directory() {
  const std::string program = own_program();
  const std::size_t slash = program.rfind('/');
  if (slash == program.npos || program.substr(slash + 1) != program_file_name(own_digest())) return {};
  return program.substr(0, slash + 1);
}

// Ours alone, and of its full size on the disk: what is mapped must not lack a block later.
Fd open_file(const std::string& directory, std::size_t size) {
  const std::string name = directory + kRecordPrefix + std::to_string(geteuid());
  Fd file(::open(name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  struct stat there;
  if (!file || fstat(file.get(), &there) != 0) return {};
  const bool ours = S_ISREG(there.st_mode) && there.st_uid == geteuid() && there.st_nlink == 1 &&
                    (there.st_mode & 0077) == 0;
  if (!ours) return {};
  if (there.st_size == static_cast<off_t>(size)) return file;
  if (ftruncate(file.get(), 0) != 0 || posix_fallocate(file.get(), 0, static_cast<off_t>(size)) != 0) {
    unlink(name.c_str());
    return {};
  }
  return file;
}

}  // namespace

Record::~Record() {
  if (mapped_)
    munmap(file_, sizeof(File));
  else
    delete file_;
}

void Record::open() {
  const std::string directory = safe_directory();
  if (const Fd file = directory.empty() ? Fd() : open_file(directory, sizeof(File))) {
    void* place = mmap(nullptr, sizeof(File), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (place != MAP_FAILED) {
      file_ = static_cast<File*>(place);
      mapped_ = true;
    }
  }
  if (!file_) file_ = new File;
  // What the container's own programs wrote there is no number that we would have come to.
  const bool sound =
      std::ranges::all_of(file_->entries, [](const Entry& it) { return it.used >= 0 && it.used < kFormat; });
  if (file_->format == kFormat && sound) return;
  std::fill(std::begin(file_->entries), std::end(file_->entries), Entry{});
  file_->format = kFormat;
}

void Record::about(const Subject& subject) {
  if (!file_) open();
  const Digest key = key_of(subject);
  const auto begin = std::begin(file_->entries), end = std::end(file_->entries);
  const auto newest = std::max_element(begin, end, [](auto& a, auto& b) { return a.used < b.used; });
  const std::int64_t use = newest->used + 1;
  auto entry = std::find_if(begin, end, [&](const Entry& it) { return it.key == key; });
  if (entry == end) {
    entry = std::min_element(begin, end, [](auto& a, auto& b) { return a.used < b.used; });
    entry->sequence = 0;  // first: half of an entry is one that says nothing
    entry->key = key;
  }
  entry->used = use;
  entry_ = entry;
}

void Record::confirm(std::int64_t sequence) {
  if (entry_) entry_->sequence = std::max(entry_->sequence, sequence);
}

}  // namespace live_update::agent
