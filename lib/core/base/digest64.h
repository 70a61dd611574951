// Tells whether values are what they were, after they themselves are gone: a digest of 64 bits that is the same
// in every program and version (FNV-1a). For what people write and nobody gains from forging; contents have
// SHA-256.
#pragma once

#include <cstdint>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>

namespace live_update {

class Digest64 {
 public:
  // Each value is told from its neighbours: "ab", "c" is not "a", "bc".
  Digest64& add(std::string_view text) {
    add(static_cast<std::int64_t>(text.size()));
    for (const char it : text) take(static_cast<unsigned char>(it));
    return *this;
  }
  template <typename Number>
    requires std::is_integral_v<Number> || std::is_enum_v<Number>
  Digest64& add(Number value) {
    const auto number = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
    for (int shift = 0; shift < 64; shift += 8) take(static_cast<unsigned char>(number >> shift));
    return *this;
  }
  Digest64& add_all(const std::ranges::sized_range auto& texts) {
    add(static_cast<std::int64_t>(std::ranges::size(texts)));
    for (const auto& it : texts) add(std::string_view(it));
    return *this;
  }

  // 16 hex digits.
  std::string text() const {
    std::string out(16, '0');
    for (int i = 0; i < 16; ++i)
      out[static_cast<std::size_t>(i)] = "0123456789abcdef"[(state_ >> (60 - 4 * i)) & 15];
    return out;
  }

 private:
  void take(unsigned char byte) { state_ = (state_ ^ byte) * 0x100000001B3u; }
  std::uint64_t state_ = 0xCBF29CE484222325u;
};

}  // namespace live_update
