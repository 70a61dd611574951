// What bytes are: SHA-256 and zstd, of the system's libraries.
#pragma once

#include <openssl/sha.h>

#include <functional>
#include <string_view>

#include "agent/system/failure.h"

struct ZSTD_DCtx_s;

namespace live_update::agent {

class Sha256 {
 public:
  Sha256();
  void add(std::string_view bytes);
  Digest finish();  // it starts anew

 private:
  SHA256_CTX state_;
};

// The digest of all that can be read from a descriptor, from its beginning. An errno if reading fails.
std::expected<Digest, int> digest_of(int fd);

// A stream of zstd frames, cut anywhere. Kept from file to file: its memory is taken once.
class Inflater {
 public:
  Inflater() = default;
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void reset();
  // Gives what comes out to `sink` in blocks; stops when that returns false. Null, or what is wrong with the
  // bytes.
  const char* feed(std::string_view bytes, const std::function<bool(std::string_view)>& sink);
  bool between_frames() const { return between_frames_; }

 private:
  ZSTD_DCtx_s* context_ = nullptr;
  std::string block_;
  bool between_frames_ = true;
};

}  // namespace live_update::agent
