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

// How much memory a zstd frame wants for unpacking (its window, RFC 8878), as its header says; 0 for what is none.
std::uint64_t zstd_window(std::string_view bytes);

// Content unpacked block by block, so that neither memory nor the time of one call depends on what the bytes
// claim: a few KiB of zstd can be gigabytes.
//
// zstd: exactly one frame, whole, with a window of at most 8 MiB (what RFC 8878 asks of decoders); anything
// else is Invalid. More than `limit` bytes are TooLarge.
class ContentReader {
 public:
  // `bytes` outlive it.
  ContentReader(Encoding encoding, std::string_view bytes, std::uint64_t limit);
  ~ContentReader();
  ContentReader(ContentReader&&) noexcept;
  ContentReader& operator=(ContentReader&&) noexcept;

  // At most 64 KiB, valid until the next call. Bytes may be missing that are yet to come: a call looks at a
  // bounded part of the input, too.
  struct Block {
    std::string_view bytes;
    bool last = false;  // the content is whole
  };
  Result<Block> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace live_update
