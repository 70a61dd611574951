// How the payloads of agent_protocol.h are laid out as bytes (docs/agent-protocol.md): numbers little-endian,
// texts and lists behind their size. Of agent_protocol.cc and agent_messages.cc only.
#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "core/wire/agent_protocol.h"

namespace live_update::agent {

// A message without its frame's numbers and checks.
struct Encoded {
  std::uint8_t type = 0;
  bool last = false;
  std::string payload;
};
Encoded encode(const Request& request);
Encoded encode(const Answer& answer);

class Encoder {
 public:
  template <std::unsigned_integral T>
  Encoder& number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Encoder& number(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
  Encoder& number(std::int32_t value) { return number(static_cast<std::uint32_t>(value)); }
  Encoder& byte(auto value) { return number(static_cast<std::uint8_t>(value)); }
  Encoder& raw(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  Encoder& text(std::string_view text) { return number(static_cast<std::uint32_t>(text.size())).raw(text); }
  Encoder& texts(const std::vector<std::string>& all) {
    number(static_cast<std::uint32_t>(all.size()));
    for (const auto& one : all) text(one);
    return *this;
  }
  Encoder& digest(const Digest& digest) {
    return raw({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }
  Encoder& mtime(const Mtime& time) { return number(time.seconds).number(time.nanoseconds); }
  Encoder& mtime(const std::optional<Mtime>& time) {
    byte(time.has_value());
    return time ? mtime(*time) : *this;
  }
  Encoder& gate(const Gate& gate) { return byte(gate.fresh | gate.if_ok << 1 | gate.keep_going << 2); }
  const std::string& out() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads what an Encoder wrote. Stops at the first thing that is wrong; what is read after that is empty.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  template <std::unsigned_integral T>
  void number(T& value) {
    const auto bytes = raw(sizeof(T));
    value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value |= static_cast<T>(static_cast<T>(static_cast<std::uint8_t>(bytes[i])) << (8 * i));
  }
  void number(std::int64_t& value) {
    std::uint64_t bits = 0;
    number(bits);
    value = static_cast<std::int64_t>(bits);
  }
  void number(std::int32_t& value) {
    std::uint32_t bits = 0;
    number(bits);
    value = static_cast<std::int32_t>(bits);
  }
  void flag(bool& value) {
    std::uint8_t byte = 0;
    number(byte);
    need(byte <= 1, "a flag that is neither 0 nor 1");
    value = byte == 1;
  }
  template <typename Enum>
  void choice(Enum& value, Enum most) {
    std::uint8_t byte = 0;
    number(byte);
    if (need(byte <= static_cast<std::uint8_t>(most), "an unknown choice")) value = static_cast<Enum>(byte);
  }
  // Of what is no path, only the frame bounds the size.
  void text(std::string& value, std::size_t most = kMaxPayload) {
    std::uint32_t size = 0;
    number(size);
    if (need(size <= most, "a text above its bound")) value = raw(size);
  }
  void path(std::string& value) {
    text(value, kMaxPath);
    need(value.find('\0') == value.npos, "a path with a NUL");
  }
  void texts(std::vector<std::string>& all, std::size_t most) {
    std::uint32_t count = 0;
    number(count);
    // Each takes four bytes at least: a count that lies costs no memory.
    if (!need(count <= most && count <= bytes_.size() / 4, "a list above its bound")) return;
    all.resize(count);
    for (auto& one : all) text(one);
  }
  void digest(Digest& digest) {
    const auto bytes = raw(digest.size());
    std::ranges::copy(bytes, digest.begin());
  }
  void mtime(Mtime& time) {
    number(time.seconds);
    number(time.nanoseconds);
    need(time.nanoseconds < 1'000'000'000, "a time of more than 999999999 ns");
  }
  void mtime(std::optional<Mtime>& time) {
    bool there = false;
    flag(there);
    if (there) mtime(time.emplace());
  }
  void mode(std::uint16_t& mode) {
    number(mode);
    need(mode <= 07777, "a mode above 07777");
  }
  void gate(Gate& gate) {
    std::uint8_t bits = 0;
    number(bits);
    need(bits < 8, "an unknown gate");
    gate = {.fresh = (bits & 1) != 0, .if_ok = (bits & 2) != 0, .keep_going = (bits & 4) != 0};
  }
  std::string_view rest() { return raw(bytes_.size()); }
  std::size_t left() const { return bytes_.size(); }
  bool need(bool holds, const char* otherwise) {
    if (!holds && !wrong_) wrong_ = otherwise;
    if (wrong_) bytes_ = {};
    return !wrong_;
  }
  const char* finish(bool may_be_longer) {
    if (!may_be_longer) need(bytes_.empty(), "more bytes than it has fields");
    return wrong_;
  }

 private:
  std::string_view raw(std::size_t size) {
    if (!need(size <= bytes_.size(), "fewer bytes than its fields need")) return {};
    const auto part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }

  std::string_view bytes_;
  const char* wrong_ = nullptr;
};

}  // namespace live_update::agent
