// Frames as a fuzzer's input: type (the high bit: `last`), u16 size (little-endian), payload, one after
// another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace live_update::agent {

struct InputFrame {
  std::uint8_t type = 0;
  bool last = false;
  std::string payload;
};

inline std::vector<InputFrame> input_frames(std::string_view input) {
  std::vector<InputFrame> all;
  while (input.size() >= 3) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(input[at]); };
    const auto size = static_cast<std::size_t>(byte(1) | byte(2) << 8);
    all.push_back({static_cast<std::uint8_t>(byte(0) & 0x7f), (byte(0) & 0x80) != 0,
                   std::string(input.substr(3, size))});
    input.remove_prefix(std::min(input.size(), 3 + size));
  }
  return all;
}

inline std::string text_of(const std::vector<InputFrame>& all) {
  std::string text;
  for (const auto& [type, last, payload] : all) {
    text.push_back(static_cast<char>(type | (last ? 0x80 : 0)));
    text.push_back(static_cast<char>(payload.size() & 0xff));
    text.push_back(static_cast<char>(payload.size() >> 8));
    text += payload;
  }
  return text;
}

// One change: of the order of frames, or within one of them, which keeps its size in step.
inline std::size_t mutate_frames(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed,
                                 std::size_t (*mutate)(std::uint8_t*, std::size_t, std::size_t)) {
  std::minstd_rand random(seed);
  auto all = input_frames({reinterpret_cast<const char*>(data), size});
  if (all.empty()) return mutate(data, size, most);
  const auto any = [&] { return random() % all.size(); };
  const auto at = any();
  switch (random() % 8) {
    case 0:
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      all.insert(all.begin() + static_cast<std::ptrdiff_t>(at), InputFrame(all[any()]));
      break;
    case 2:
      std::swap(all[at], all[any()]);
      break;
    case 3:
      all[at].last = !all[at].last;
      break;
    default: {
      auto& payload = all[at].payload;
      const auto before = payload.size();
      payload.resize(std::min<std::size_t>(before + 64, 4000));
      payload.resize(mutate(reinterpret_cast<std::uint8_t*>(payload.data()), std::min(before, payload.size()),
                            payload.size()));
    }
  }
  const auto text = text_of(all);
  const auto kept = std::min(text.size(), most);
  std::memcpy(data, text.data(), kept);
  return kept;
}

}  // namespace live_update::agent
