// Content unpacked as a whole, for tests that look at it.
#pragma once

#include "run/content.h"

namespace live_update {

inline Result<std::string> decode_content(Encoding encoding, std::string_view bytes, std::uint64_t limit) {
  ContentReader reader(encoding, bytes, limit);
  for (std::string all;;) {
    const auto block = reader.next();
    if (!block) return std::unexpected(block.error());
    all += block->bytes;
    if (block->last) return all;
  }
}

}  // namespace live_update
