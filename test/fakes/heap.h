// How much memory a test takes.
#pragma once

#include <malloc.h>

#include <cstdint>
#include <string>

namespace live_update {

// Bytes of this thread's heap that are in use; what the allocator keeps for the next time is among them, so a
// difference may be below 0, too.
inline std::int64_t heap_in_use() {
  const auto heap = mallinfo2();
  return static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
}

// Not with a sanitizer's own heap.
inline bool can_measure_heap() {
  const std::int64_t before = heap_in_use();
  const std::string text(100'000, 'x');
  return heap_in_use() >= before + 100'000;
}

}  // namespace live_update
