#include "core/wire/agent_protocol.h"

#include <algorithm>

#include "core/wire/agent_codec.h"
#include "core/wire/agent_notes.h"

namespace live_update::agent {
namespace {

using namespace std::string_literals;

// CRC-32C, a byte at a time: only headers and small payloads pass through it.
constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}();

std::uint32_t crc(std::string_view bytes, std::uint32_t before = 0) {
  std::uint32_t value = ~before;
  for (const char byte : bytes)
    value = kCrcTable[(value ^ static_cast<std::uint8_t>(byte)) & 0xff] ^ (value >> 8);
  return ~value;
}

// The bytes of a file are covered by its digest already: of Data, only the coding.
std::uint32_t payload_check(std::uint8_t type, std::string_view payload) {
  return crc(type == Data::kType ? payload.substr(0, 1) : payload);
}

// Covers size, type, flags and number, so that a damaged size is not waited for.
std::uint16_t header_check(std::string_view header) {
  return static_cast<std::uint16_t>(crc(header.substr(8, 4), crc(header.substr(0, 6))));
}

template <std::unsigned_integral T>
T read(std::string_view bytes, std::size_t at) {
  T value = 0;
  Decoder(bytes.substr(at, sizeof(T))).number(value);
  return value;
}

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 200)) text.push_back(c >= ' ' && c < 127 ? c : '.');
  return text;
}

bool valid_components(std::string_view path) {
  if (path.size() > kMaxPath || path.find('\0') != path.npos) return false;
  for (std::size_t from = 0; from <= path.size();) {
    const auto to = std::min(path.find('/', from), path.size());
    const auto component = path.substr(from, to - from);
    if (component.empty() || component == "." || component == "..") return false;
    from = to + 1;
  }
  return true;
}

}  // namespace

std::string digest_text(const Digest& digest) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "sha256:";
  for (const auto byte : digest) (text += kHex[byte >> 4]) += kHex[byte & 15];
  return text;
}

std::string program_file_name(const Digest& digest) {
  constexpr std::size_t kDigits = 16;
  return std::string(kProgramPrefix) + digest_text(digest).substr(7, kDigits);
}

std::optional<Digest> digest_from(std::string_view text) {
  if (text.size() != 71 || !text.starts_with("sha256:")) return std::nullopt;
  Digest digest{};
  for (std::size_t i = 0; i < 64; ++i) {
    const char c = text[7 + i];
    const bool letter = c >= 'a' && c <= 'f';
    if (!letter && !(c >= '0' && c <= '9')) return std::nullopt;
    digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] << 4 | (letter ? c - 'a' + 10 : c - '0'));
  }
  return digest;
}

void FrameWriter::frame(std::string& out, std::uint8_t type, bool last, std::string_view payload,
                        std::size_t more) {
  if (number_ == 0) out.append(kMagic);
  Encoder header;
  header.number(static_cast<std::uint32_t>(payload.size() + more)).number(type).byte(last);
  const auto number = Encoder().number(number_++).out();
  header.number(header_check(header.out() + "\0\0"s + number))
      .raw(number)
      .number(payload_check(type, payload));
  out.append(header.out()).append(payload);
}

void FrameWriter::append(std::string& out, const Request& request) {
  const auto message = encode(request);
  frame(out, message.type, message.last, message.payload, 0);
}

void FrameWriter::append(std::string& out, const Answer& answer) {
  const auto message = encode(answer);
  frame(out, message.type, message.last, message.payload, 0);
}

std::string FrameWriter::data_header(Coding coding, std::size_t size, bool last) {
  std::string out;
  const char byte = static_cast<char>(coding);
  frame(out, Data::kType, last, {&byte, 1}, size);
  return out;
}

void FrameReader::feed(std::string_view bytes) {
  if (error_) return;
  buffer_.erase(0, used_);
  used_ = 0;
  buffer_.append(bytes);
}

std::unexpected<Error> FrameReader::broken(std::string why) {
  error_ = Error{ErrorKind::Invalid, "agent protocol: " + std::move(why)};
  buffer_.clear();
  used_ = 0;
  return std::unexpected(*error_);
}

Result<bool> FrameReader::find_magic() {
  const auto begin = std::string_view(buffer_).substr(0, kMagic.size());
  if (max_noise_ == 0 && !kMagic.starts_with(begin))
    return broken("the other end does not begin with its magic");
  const auto at = buffer_.find(kMagic);
  const bool found = at != buffer_.npos;
  // Whatever cannot be the beginning of the magic is noise.
  const auto noise = found ? at : buffer_.size() - std::min(buffer_.size(), kMagic.size() - 1);
  if (noise > max_noise_)
    return broken("the other end does not begin with its magic, but with \"" + printable(buffer_) + "\"");
  if (!found) return false;
  noise_ = buffer_.substr(0, at);
  used_ = at + kMagic.size();
  return true;
}

Result<std::optional<Frame>> FrameReader::next() {
  if (error_) return std::unexpected(*error_);
  if (!started_) {
    const auto found = find_magic();
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
    started_ = true;
  }
  const auto bytes = std::string_view(buffer_).substr(used_);
  if (bytes.size() < kHeaderSize) return std::nullopt;
  const auto size = read<std::uint32_t>(bytes, 0), number = read<std::uint32_t>(bytes, 8);
  const auto type = read<std::uint8_t>(bytes, 4), flags = read<std::uint8_t>(bytes, 5);
  if (read<std::uint16_t>(bytes, 6) != header_check(bytes) || flags > 1)
    return broken("the header of frame " + std::to_string(number_) + " is damaged");
  if (size > kMaxPayload)
    return broken("frame " + std::to_string(number_) + " claims " + std::to_string(size) +
                  " bytes; at most " + std::to_string(kMaxPayload) + " are allowed");
  if (number != number_)
    return broken("frame " + std::to_string(number_) + " is due, but " + std::to_string(number) +
                  " came: one is lost, repeated or out of order");
  if (bytes.size() < kHeaderSize + size) return std::nullopt;
  const auto payload = bytes.substr(kHeaderSize, size);
  if (payload_check(type, payload) != read<std::uint32_t>(bytes, 12))
    return broken("the content of frame " + std::to_string(number_) + " is damaged");
  used_ += kHeaderSize + size;
  ++number_;
  return Frame{type, flags == 1, payload};
}

bool valid_path(std::string_view path) { return path.empty() || valid_components(path); }
bool valid_root(std::string_view root) {
  return root == "/" || (root.size() > 1 && root[0] == '/' && valid_components(root.substr(1)));
}

std::optional<std::uint16_t> common_version(const Hello& ours, const Hello& theirs) {
  const auto newest = std::min(ours.newest, theirs.newest);
  if (newest < std::max(ours.oldest, theirs.oldest)) return std::nullopt;
  return newest;
}

}  // namespace live_update::agent
