// One end of the agent protocol, fed by somebody who means no good.
//
// The first byte of an input says how the rest is taken: 0 as the stream itself, whole and byte by byte,
// which must come to the same end; 0x7f as messages of a stream that is whole, or damaged in one bit, and
// then read as the other end reads it; else as the payload of a frame of that type, past the checksums that a
// mutation can hardly repair. What is understood must survive being written and read again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/wire/agent_protocol.h"
#include "test/fuzz/input_frames.h"

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

// A byte each: in which pieces the stream comes, the bit that is damaged (8 and above: none), what was
// printed before; two bytes: where the damage is; then frames.
template <typename Decode>
void take_stream(std::string_view bytes, std::size_t noise, Decode decode) {
  using Message = typename decltype(decode(Frame{}))::value_type;
  if (bytes.size() < 5) return;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
  const auto frames = input_frames(bytes.substr(5));
  std::vector<Message> sent;
  FrameWriter writer;
  std::string stream(std::min<std::size_t>(byte(2), noise), ' ');
  for (const auto& frame : frames) {
    auto message = decode(Frame{frame.type, frame.last, frame.payload});
    if (message) writer.append(stream, *message), sent.push_back(std::move(*message));
  }
  if (sent.empty()) return;
  const bool damaged = byte(1) < 8;
  auto& there = stream[(byte(3) | byte(4) << 8) % stream.size()];
  if (damaged) there = static_cast<char>(there ^ (1 << byte(1)));
  FrameReader reader(noise);
  std::size_t read = 0;
  for (std::string_view rest = stream;;) {
    const auto frame = reader.next();
    if (!frame) return must(damaged);
    if (*frame) {
      const auto message = decode(**frame);
      // Data is guarded by its file's digest instead.
      const bool same = read < sent.size() && message && *message == sent[read];
      must(same || (damaged && (*frame)->type == Data::kType));
      ++read;
    } else if (rest.empty()) {
      break;
    } else {
      const std::size_t step = byte(0) + 1u;
      reader.feed(rest.substr(0, step));
      rest.remove_prefix(std::min(step, rest.size()));
    }
  }
  must(read == sent.size() || damaged);
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
  if (data[0] == 0x7f) {
    take_stream(bytes, noise, decode);
    return 0;
  }
  const auto message = decode(Frame{static_cast<std::uint8_t>(data[0] & 0x7f), (data[0] & 0x80) != 0, bytes});
  if (message) again(*message, decode);
  return 0;
}

}  // namespace live_update::agent
