#include "agent/files/content.h"

#include <unistd.h>
#include <zstd.h>

#include <cerrno>

namespace live_update::agent {
namespace {
// Windows above 8 MiB are refused, as by the operator: memory in the container is not ours.
constexpr int kMaxWindowLog = 23;
}  // namespace

Sha256::Sha256() { SHA256_Init(&state_); }
void Sha256::add(std::string_view bytes) { SHA256_Update(&state_, bytes.data(), bytes.size()); }
Digest Sha256::finish() {
  Digest digest;
  SHA256_Final(digest.data(), &state_);
  SHA256_Init(&state_);
  return digest;
}

std::expected<Digest, int> digest_of(int fd) {
  Sha256 sha;
  std::string block(64 << 10, '\0');
  for (off_t at = 0;;) {
    const auto got = pread(fd, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno);
    if (got == 0) return sha.finish();
    sha.add({block.data(), static_cast<std::size_t>(got)});
    at += got;
  }
}

Inflater::~Inflater() { ZSTD_freeDCtx(context_); }

void Inflater::reset() {
  if (!context_) {
    context_ = ZSTD_createDCtx();
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMaxWindowLog);
    block_.resize(ZSTD_DStreamOutSize());
  }
  ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
  between_frames_ = true;
}

const char* Inflater::feed(std::string_view bytes, const std::function<bool(std::string_view)>& sink) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  bool full = false;
  while (in.pos < in.size || full) {
    ZSTD_outBuffer out{block_.data(), block_.size(), 0};
    const auto left = ZSTD_decompressStream(context_, &out, &in);
    if (ZSTD_isError(left)) return ZSTD_getErrorName(left);
    between_frames_ = left == 0;
    full = out.pos == out.size && !between_frames_;
    if (out.pos > 0 && !sink({block_.data(), out.pos})) return nullptr;
  }
  return nullptr;
}

}  // namespace live_update::agent
