#include "run/content.h"

#include <openssl/evp.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace live_update {
namespace {

constexpr int kLevel = 1;          // saves are small and in a hurry
constexpr int kWindowLogMax = 25;  // 32 MiB: what a hostile frame may make us allocate
constexpr std::size_t kBlock = 64 * 1024;

std::string hex_digest(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "sha256:";
  for (std::size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

Result<std::string> decompress(std::string_view bytes, std::uint64_t limit) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string out;
  std::string block(kBlock, '\0');
  for (;;) {
    ZSTD_outBuffer to{block.data(), block.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left))
      return fail(ErrorKind::Invalid, std::string("is not zstd: ") + ZSTD_getErrorName(left));
    if (out.size() + to.pos > limit) {
      return fail(ErrorKind::TooLarge, "is more than " + std::to_string(limit) + " bytes when unpacked");
    }
    out.append(block, 0, to.pos);
    if (left == 0) break;
    if (in.pos == in.size && to.pos < to.size)
      return fail(ErrorKind::Invalid, "is not zstd: it ends too early");
  }
  if (in.pos != in.size) return fail(ErrorKind::Invalid, "is not zstd: something follows its end");
  return out;
}

}  // namespace

struct Sha256::State {
  State() { restart(); }
  ~State() { EVP_MD_CTX_free(context); }
  void restart() const {
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
      throw std::runtime_error("SHA-256 is not available in this OpenSSL");
    }
  }
  EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(state_->context, digest.data(), &size);
  state_->restart();
  return hex_digest(digest.data(), size);
}

std::string sha256(std::string_view bytes) {
  Sha256 digest;
  digest.add(bytes);
  return digest.finish();
}

Encoded encode_content(std::string_view bytes) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size) || size > bytes.size() - bytes.size() / 8)
    return {Encoding::Identity, std::string(bytes)};
  packed.resize(size);
  return {Encoding::Zstd, std::move(packed)};
}

Result<std::string> decode_content(Encoding encoding, std::string_view bytes, std::uint64_t limit) {
  if (encoding == Encoding::Zstd) return decompress(bytes, limit);
  if (bytes.size() > limit)
    return fail(ErrorKind::TooLarge, "is more than " + std::to_string(limit) + " bytes");
  return std::string(bytes);
}

}  // namespace live_update
