#include "core/agent_protocol.h"

#include <algorithm>
#include <concepts>

namespace live_update::agent {
namespace {

using namespace std::string_literals;

constexpr std::size_t kMaxText = kMaxPayload;  // of strings that are no paths

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
  void text(std::string& value, std::size_t most = kMaxText) {
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

// --- every message, written and read side by side

void put(Encoder& e, const Hello& m) {
  e.number(m.oldest).number(m.newest).number(m.features).text(m.program).text(m.machine);
  e.number(m.uid).number(m.gid).number(m.pid).digest(m.digest);
}
void get(Decoder& d, Hello& m) {
  d.number(m.oldest), d.number(m.newest), d.number(m.features), d.text(m.program, 256),
      d.text(m.machine, 256);
  d.number(m.uid), d.number(m.gid), d.number(m.pid), d.digest(m.digest);
  d.need(m.oldest <= m.newest, "an empty range of versions");
}

void put(Encoder& e, const Begin& m) { e.number(m.request).gate(m.gate).number(m.sequence).texts(m.roots); }
void get(Decoder& d, Begin& m) {
  d.number(m.request), d.gate(m.gate), d.number(m.sequence), d.texts(m.roots, kMaxRoots);
}

void put(Encoder& e, const File& m) {
  e.number(m.root).text(m.path).number(m.mode).mtime(m.mtime).number(m.size).digest(m.digest).byte(m.content);
}
void get(Decoder& d, File& m) {
  d.number(m.root), d.path(m.path), d.mode(m.mode), d.mtime(m.mtime), d.number(m.size), d.digest(m.digest);
  d.choice(m.content, Content::Kept);
}

void put(Encoder& e, const Data& m) { e.byte(m.coding).raw(m.bytes); }
void get(Decoder& d, Data& m) {
  d.choice(m.coding, Coding::Zstd);
  m.bytes = d.rest();
}

void put(Encoder& e, const Copy& m) { e.number(m.root).text(m.path).number(m.offset).number(m.length); }
void get(Decoder& d, Copy& m) { d.number(m.root), d.path(m.path), d.number(m.offset), d.number(m.length); }

void put(Encoder& e, const Symlink& m) { e.number(m.root).text(m.path).text(m.target).mtime(m.mtime); }
void get(Decoder& d, Symlink& m) {
  d.number(m.root), d.path(m.path), d.path(m.target), d.mtime(m.mtime);
  d.need(!m.target.empty(), "a symlink to nothing");
}

void put(Encoder& e, const Directory& m) { e.number(m.root).text(m.path).number(m.mode); }
void get(Decoder& d, Directory& m) { d.number(m.root), d.path(m.path), d.mode(m.mode); }

void put(Encoder& e, const Delete& m) { e.number(m.root).text(m.path).byte(m.how); }
void get(Decoder& d, Delete& m) { d.number(m.root), d.path(m.path), d.choice(m.how, DeleteHow::Whole); }

void put(Encoder& e, const Commit& m) { e.number(m.sequence); }
void get(Decoder& d, Commit& m) { d.number(m.sequence); }

void put(Encoder& e, const Abort& m) { e.number(m.sequence); }
void get(Decoder& d, Abort& m) { d.number(m.sequence); }

void put(Encoder& e, const Run& m) {
  e.number(m.request).gate(m.gate).texts(m.argv).text(m.cwd).texts(m.env);
  e.number(m.timeout_ms).number(m.grace_ms).number(m.credit);
}
void get(Decoder& d, Run& m) {
  d.number(m.request), d.gate(m.gate), d.texts(m.argv, 1 << 16), d.path(m.cwd), d.texts(m.env, 1 << 16);
  d.number(m.timeout_ms), d.number(m.grace_ms), d.number(m.credit);
  const auto has_nul = [](const std::string& text) { return text.find('\0') != text.npos; };
  d.need(!m.argv.empty() && !m.argv[0].empty(), "a run without a command");
  d.need(std::ranges::none_of(m.argv, has_nul) && std::ranges::none_of(m.env, has_nul), "a word with a NUL");
}

void put(Encoder& e, const Credit& m) { e.number(m.request).number(m.bytes); }
void get(Decoder& d, Credit& m) { d.number(m.request), d.number(m.bytes); }

void put(Encoder& e, const Kill& m) { e.number(m.request); }
void get(Decoder& d, Kill& m) { d.number(m.request); }

void put(Encoder& e, const Restart& m) {
  e.number(m.request)
      .gate(m.gate)
      .byte(m.how)
      .number(m.signal)
      .number(m.pid)
      .number(m.grace_ms)
      .number(m.alive_ms);
}
void get(Decoder& d, Restart& m) {
  d.number(m.request), d.gate(m.gate), d.choice(m.how, RestartHow::Container), d.number(m.signal),
      d.number(m.pid);
  d.number(m.grace_ms), d.number(m.alive_ms);
  d.need(m.signal >= 1 && m.signal <= 64, "a signal that is none");
  d.need(m.pid <= 1u << 22, "a process number that is none");
}

void put(Encoder& e, const Have& m) {
  e.number(m.request).text(m.root).byte(m.below).number(static_cast<std::uint32_t>(m.paths.size()));
  for (const auto& wanted : m.paths) e.text(wanted.path).number(wanted.size);
}
void get(Decoder& d, Have& m) {
  std::uint32_t count = 0;
  d.number(m.request), d.path(m.root), d.flag(m.below), d.number(count);
  if (!d.need(count <= d.left() / 12, "a list above its bound")) return;
  m.paths.resize(count);
  for (auto& wanted : m.paths) d.path(wanted.path), d.number(wanted.size);
}

void put(Encoder& e, const Ping& m) { e.number(m.request); }
void get(Decoder& d, Ping& m) { d.number(m.request); }

void put(Encoder& e, const Confirmed& m) {
  e.number(m.request).number(m.sequence).number(m.changed).number(m.microseconds);
}
void get(Decoder& d, Confirmed& m) {
  d.number(m.request), d.number(m.sequence), d.number(m.changed), d.number(m.microseconds);
}

void put(Encoder& e, const Failed& m) {
  e.number(m.request).byte(m.code).number(m.error).text(m.path).text(m.reason).text(m.remedy);
}
void get(Decoder& d, Failed& m) {
  d.number(m.request), d.choice(m.code, Code::NotRestarted), d.number(m.error), d.text(m.path, 2 * kMaxPath);
  d.text(m.reason), d.text(m.remedy);
}

void put(Encoder& e, const Skipped& m) { e.number(m.request); }
void get(Decoder& d, Skipped& m) { d.number(m.request); }

void put(Encoder& e, const RunOutput& m) { e.number(m.request).byte(m.stream).raw(m.bytes); }
void get(Decoder& d, RunOutput& m) {
  d.number(m.request), d.choice(m.stream, Stream::Err);
  m.bytes = d.rest();
}

void put(Encoder& e, const RunExit& m) {
  e.number(m.request).byte(m.how).number(m.code).number(m.milliseconds);
}
void get(Decoder& d, RunExit& m) {
  d.number(m.request), d.choice(m.how, RunHow::Killed), d.number(m.code), d.number(m.milliseconds);
}

void put(Encoder& e, const Restarted& m) { e.number(m.request).number(m.pid); }
void get(Decoder& d, Restarted& m) { d.number(m.request), d.number(m.pid); }

void put(Encoder& e, const HaveEntry& m) {
  e.text(m.path).byte(m.kind).number(m.mode).number(m.size).mtime(m.mtime).byte(m.digest.has_value());
  if (m.digest) e.digest(*m.digest);
  e.text(m.target);
}
void get(Decoder& d, HaveEntry& m) {
  bool digest = false;
  d.path(m.path), d.choice(m.kind, Kind::Unreadable), d.mode(m.mode), d.number(m.size), d.mtime(m.mtime);
  d.flag(digest);
  if (digest) d.digest(m.digest.emplace());
  d.path(m.target);
}
void put(Encoder& e, const HaveResult& m) {
  e.number(m.request).number(static_cast<std::uint32_t>(m.entries.size()));
  for (const auto& entry : m.entries) put(e, entry);
}
void get(Decoder& d, HaveResult& m) {
  std::uint32_t count = 0;
  d.number(m.request), d.number(count);
  if (!d.need(count <= d.left() / 32, "a list above its bound")) return;
  m.entries.resize(count);
  for (auto& entry : m.entries) get(d, entry);
}

void put(Encoder& e, const Warning& m) { e.number(m.request).text(m.path).text(m.text); }
void get(Decoder& d, Warning& m) { d.number(m.request), d.text(m.path, 2 * kMaxPath), d.text(m.text); }

void put(Encoder& e, const Pong& m) { e.number(m.request).number(m.confirmed); }
void get(Decoder& d, Pong& m) { d.number(m.request), d.number(m.confirmed); }

// The mark `last` travels in the header.
template <typename Message>
constexpr bool kHasLast = requires(Message message) { message.last; };

template <typename Message>
bool last_of(const Message& message) {
  if constexpr (kHasLast<Message>) {
    return message.last;
  } else {
    return false;
  }
}

template <typename Message>
const char* decode_as(const Frame& frame, Message& message) {
  Decoder decoder(frame.payload);
  get(decoder, message);
  if constexpr (kHasLast<Message>) {
    message.last = frame.last;
  } else {
    decoder.need(!frame.last, "the mark `last`, which it cannot have");
  }
  // A later version may have more to say in its Hello.
  return decoder.finish(std::same_as<Message, Hello>);
}

// Tries the alternatives one after another; the compiler makes a chain of comparisons of it.
template <typename Variant, std::size_t I = 0>
Result<Variant> decode(const Frame& frame) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return fail(ErrorKind::Invalid,
                "agent protocol: a frame of the unknown type " + std::to_string(frame.type));
  } else {
    using Message = std::variant_alternative_t<I, Variant>;
    if (frame.type != Message::kType) return decode<Variant, I + 1>(frame);
    Result<Variant> result(std::in_place, std::in_place_index<I>);
    if (const char* wrong = decode_as(frame, *std::get_if<I>(&*result)))
      return fail(ErrorKind::Invalid,
                  "agent protocol: a frame of type " + std::to_string(frame.type) + " has " + wrong);
    return result;
  }
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
  std::visit(
      [&](const auto& message) {
        Encoder payload;
        put(payload, message);
        frame(out, message.kType, last_of(message), payload.out(), 0);
      },
      request);
}

void FrameWriter::append(std::string& out, const Answer& answer) {
  std::visit(
      [&](const auto& message) {
        Encoder payload;
        put(payload, message);
        frame(out, message.kType, last_of(message), payload.out(), 0);
      },
      answer);
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

Result<Request> decode_request(const Frame& frame) { return decode<Request>(frame); }
Result<Answer> decode_answer(const Frame& frame) { return decode<Answer>(frame); }

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
