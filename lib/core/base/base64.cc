#include <array>
#include <cstdint>

#include "core/base/base64.h"

namespace live_update {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> values() {
  std::array<std::uint8_t, 256> out{};
  out.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) out[static_cast<unsigned char>(kAlphabet[i])] = i;
  return out;
}
constexpr auto kValues = values();

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += kAlphabet[word >> 18];
    out += kAlphabet[word >> 12 & 63];
    out += i + 1 < bytes.size() ? kAlphabet[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kAlphabet[word & 63] : '=';
  }
  return out;
}

Result<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return fail(ErrorKind::Invalid, "is not base64: its length is not a multiple of 4");
  }
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::string_view digits = text.substr(0, text.size() - padding);
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t word = 0;
  int bits = 0;
  for (const char c : digits) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
    if (value == kNone) {
      return fail(ErrorKind::Invalid,
                  "is not base64: bad character at position " + std::to_string(&c - digits.data()));
    }
    word = (word << 6 | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) out += static_cast<char>(word >> (bits -= 8) & 0xff);
  }
  if (word & ((1u << bits) - 1)) return fail(ErrorKind::Invalid, "is not base64: its last bits are not zero");
  return out;
}

}  // namespace live_update
