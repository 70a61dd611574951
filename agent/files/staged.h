// A file's content on its way: written beside its destination under a temporary name, digested while it
// comes.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "agent/files/content.h"
#include "agent/system/failure.h"
#include "agent/system/fd.h"

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
  // All that an open file has.
  Try<> add_all(int from);
  // Checks size and digest. Then, before anybody can see it: the owner of the file that it replaces, if root
  // can give it that (rule 4.4), and the mode.
  Try<> finish(const Inflater& inflater, const struct stat* replaced);
  // Whether another file has the same bytes; while this one is open.
  bool same_as(int other) const;
  // Why it could not be given that owner; empty: it was, or there was no need.
  const std::string& owner_trouble() const { return owner_trouble_; }

  const StagedAt& at() const { return at_; }
  const File& file() const { return file_; }

 private:
  StagedFile(StagedAt at, std::string shown, const File& file)
      : at_(std::move(at)), shown_(std::move(shown)), file_(file) {}
  bool write(std::string_view bytes);
  Try<> result() const;
  void own_like(const struct stat& replaced);
  int fd() const { return at_.memory ? at_.memory->get() : fd_.get(); }

  StagedAt at_;
  std::string shown_;
  File file_;
  Fd fd_;
  Sha256 sha_;
  std::uint64_t size_ = 0;
  int error_ = 0;
  bool too_long_ = false;
  std::string owner_trouble_;
};

// Sets permission bits (never setuid, setgid or sticky, rule 4.4) and, where it is given, the time of an open
// file. An errno, or 0.
int dress(int fd, std::uint16_t mode, const std::optional<Mtime>& mtime);
// All of a file's bytes from one descriptor to another, from the beginning of both; an errno, or 0.
int copy_bytes(int from, int to);

}  // namespace live_update::agent
