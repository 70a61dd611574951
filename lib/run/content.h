// Content of files on its way: SHA-256 digests (OpenSSL) and zstd. Pure functions of their arguments; any
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/api/kinds.h"
#include "core/base/result.h"

namespace live_update {

// "sha256:" and 64 hex digits.
std::string sha256(std::string_view bytes);

// The same, piece by piece, for files that are read in blocks. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void add(std::string_view bytes);
  // The digest of everything added; the object starts anew.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// zstd where that saves at least an eighth, else the bytes as they are.
struct Encoded {
  Encoding encoding = Encoding::Identity;
  std::string bytes;
};
Encoded encode_content(std::string_view bytes);
// Exactly one zstd frame, whole; anything else is Invalid.
// `limit`: no more bytes than this come out, or the error TooLarge (a small ChangeSet must not become
// gigabytes).
Result<std::string> decode_content(Encoding encoding, std::string_view bytes, std::uint64_t limit);

}  // namespace live_update
