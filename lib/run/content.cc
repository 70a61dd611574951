#include "run/content.h"

#include <openssl/evp.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace live_update {
namespace {

constexpr int kLevel = 1;          // saves are small and in a hurry
constexpr int kWindowLogMax = 23;  // 8 MiB: what a hostile frame may make us allocate
constexpr std::size_t kBlock = 64 * 1024;
constexpr std::size_t kInput = 128 * 1024;  // that one call looks at: blocks may be empty

std::string hex_digest(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "sha256:";
  for (std::size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::unexpected<Error> not_zstd(std::size_t code) {
  if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
    return fail(ErrorKind::Invalid,
                "needs a window of more than 8 MiB to be unpacked: compress it with zstd -19 or less");
  return fail(ErrorKind::Invalid, std::string("is not zstd: ") + ZSTD_getErrorName(code));
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

std::uint64_t zstd_window(std::string_view bytes) {
  constexpr std::array<std::size_t, 4> kDictionary{0, 1, 2, 4}, kSize{1, 2, 4, 8};
  const auto byte = [&](std::size_t i) -> std::uint64_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  if (!bytes.starts_with("\x28\xb5\x2f\xfd")) return 0;
  const std::uint64_t flags = byte(4);
  if ((flags & 0x20) == 0) {
    const std::uint64_t base = 1ull << (10 + (byte(5) >> 3));
    return base + base / 8 * (byte(5) & 7);
  }
  // A single segment: its window is its size.
  const std::size_t at = 5 + kDictionary[flags & 3], length = kSize[flags >> 6];
  std::uint64_t size = length == 2 ? 256 : 0;
  for (std::size_t i = 0; i < length; ++i) size += byte(at + i) << (8 * i);
  return size;
}

struct ContentReader::State {
  Encoding encoding;
  std::string_view bytes;
  std::uint64_t left;  // of the limit
  std::uint64_t limit;
  std::size_t at = 0;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context{nullptr, ZSTD_freeDCtx};
  std::string block;

  Result<Block> plain() {
    const auto part = bytes.substr(at, kBlock);
    at += part.size();
    return Block{part, at == bytes.size()};
  }

  void begin() {
    context.reset(ZSTD_createDCtx());
    ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax);
    block.resize(kBlock);
  }

  Result<Block> unpack() {
    if (!context) begin();
    ZSTD_inBuffer in{bytes.data() + at, std::min(kInput, bytes.size() - at), 0};
    ZSTD_outBuffer out{block.data(), block.size(), 0};
    std::size_t hint = 0;
    do {
      hint = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(hint)) return not_zstd(hint);
    } while (hint != 0 && in.pos < in.size && out.pos < out.size);
    at += in.pos;
    const bool whole = hint == 0;
    if (whole && at < bytes.size()) return fail(ErrorKind::Invalid, "is not zstd: something follows its end");
    if (!whole && at == bytes.size() && out.pos < out.size)
      return fail(ErrorKind::Invalid, "is not zstd: it ends too early");
    return Block{std::string_view(block).substr(0, out.pos), whole};
  }
};

ContentReader::ContentReader(Encoding encoding, std::string_view bytes, std::uint64_t limit)
    : state_(std::make_unique<State>(State{encoding, bytes, limit, limit})) {}
ContentReader::~ContentReader() = default;
ContentReader::ContentReader(ContentReader&&) noexcept = default;
ContentReader& ContentReader::operator=(ContentReader&&) noexcept = default;

Result<ContentReader::Block> ContentReader::next() {
  const bool zstd = state_->encoding == Encoding::Zstd;
  auto block = zstd ? state_->unpack() : state_->plain();
  if (!block) return block;
  if (block->bytes.size() > state_->left)
    return fail(ErrorKind::TooLarge,
                "is more than " + std::to_string(state_->limit) + " bytes" + (zstd ? " when unpacked" : ""));
  state_->left -= block->bytes.size();
  return block;
}

}  // namespace live_update
