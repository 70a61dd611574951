// One end of the agent protocol, fed by somebody who means no good.
//
// The first byte of an input says how the rest is taken: 0 as the stream itself, whole and byte by byte,
// which must come to the same end; else as the payload of a frame of that type, past the checksums that a
// mutation can hardly repair. What is understood must survive being written and read again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/agent_protocol.h"

namespace live_update::agent {

inline void must(bool holds) {
  if (!holds) std::abort();
}

// What a reader makes of a stream: types and sizes, and the error.
inline std::string story(std::string_view bytes, std::size_t step, std::size_t noise) {
  FrameReader reader(noise);
  std::string told;
  while (true) {
    const auto frame = reader.next();
    if (!frame) return told + frame.error().message;
    if (*frame) {
      told += std::to_string((*frame)->type) + ":" + std::to_string((*frame)->payload.size()) + " ";
      continue;
    }
    if (bytes.empty()) return told;
    reader.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
}

template <typename Message, typename Decode>
void again(const Message& message, Decode decode) {
  FrameWriter writer;
  std::string bytes;
  writer.append(bytes, message);
  FrameReader reader(0);
  reader.feed(bytes);
  const auto frame = reader.next();
  must(frame && *frame);
  const auto copy = decode(**frame);
  must(copy && *copy == message);
}

template <typename Decode>
int take(const std::uint8_t* data, std::size_t size, std::size_t noise, Decode decode) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 0) {
    const auto whole = story(bytes, bytes.size() + 1, noise), single = story(bytes, 1, noise);
    // How much noise a message quotes depends on what had come; where it ends does not.
    must(whole == single ||
         (noise > 0 && whole.find("its magic") != whole.npos && single.find("its magic") != single.npos));
    return 0;
  }
  const auto message = decode(Frame{static_cast<std::uint8_t>(data[0] & 0x7f), (data[0] & 0x80) != 0, bytes});
  if (message) again(*message, decode);
  return 0;
}

}  // namespace live_update::agent
