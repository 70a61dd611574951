// A file's content on its way: written beside its destination under a temporary name, digested while it
// comes.
#pragma once

#include <cstdint>
#include <string>

#include "agent/failure.h"
#include "agent/fd.h"
#include "agent/files/content.h"

namespace live_update::agent {

// Where something staged lies: relative to its root, so that no descriptor is held.
struct StagedAt {
  std::string directory, name;
  // Set instead for a destination that can only be written in place: a file mounted by itself, whose
  // directory may not be ours to write.
  SharedFd memory;
};

class StagedFile {
 public:
  // `shown`: the destination, for messages. Errors: those of creating a file there.
  static Try<StagedFile> create(int directory, StagedAt at, std::string shown, const File& file);

  // Errors: those of writing, and Digest where more comes than was promised.
  Try<> add(const Data& data, Inflater& inflater);
  Try<> add_range(int from, std::uint64_t offset, std::uint64_t length, Inflater& inflater);
  // Checks size and digest, sets mode and time.
  Try<> finish(const Inflater& inflater);

  const StagedAt& at() const { return at_; }
  const File& file() const { return file_; }

 private:
  StagedFile(StagedAt at, std::string shown, const File& file)
      : at_(std::move(at)), shown_(std::move(shown)), file_(file) {}
  bool write(std::string_view bytes);
  Try<> result() const;
  int fd() const { return at_.memory ? at_.memory->get() : fd_.get(); }

  StagedAt at_;
  std::string shown_;
  File file_;
  Fd fd_;
  Sha256 sha_;
  std::uint64_t size_ = 0;
  int error_ = 0;
  bool too_long_ = false;
};

// Sets permission bits (never setuid, setgid or sticky, rule 4.4) and time of an open file. An errno, or 0.
int dress(int fd, std::uint16_t mode, const std::optional<Mtime>& mtime);
// All of a file's bytes from one descriptor to another, from the beginning of both; an errno, or 0.
int copy_bytes(int from, int to);

}  // namespace live_update::agent
