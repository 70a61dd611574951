// Every message of agent_protocol.h, written and read side by side.
#include "core/wire/agent_codec.h"

namespace live_update::agent {
namespace {

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

void put(Encoder& e, const Symlink& m) { e.number(m.root).text(m.path).text(m.target).mtime(m.mtime); }
void get(Decoder& d, Symlink& m) {
  d.number(m.root), d.path(m.path), d.path(m.target), d.mtime(m.mtime);
  d.need(!m.target.empty(), "a symlink to nothing");
}

void put(Encoder& e, const Directory& m) { e.number(m.root).text(m.path).number(m.mode); }
void get(Decoder& d, Directory& m) { d.number(m.root), d.path(m.path), d.mode(m.mode); }

void put(Encoder& e, const Delete& m) { e.number(m.root).text(m.path).byte(m.how); }
void get(Decoder& d, Delete& m) { d.number(m.root), d.path(m.path), d.choice(m.how, DeleteHow::Tracked); }

void put(Encoder& e, const Commit& m) { e.number(m.sequence); }
void get(Decoder& d, Commit& m) { d.number(m.sequence); }

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

void put(Encoder& e, const Changed& m) { e.byte(m.forget).texts(m.paths); }
void get(Decoder& d, Changed& m) {
  d.flag(m.forget), d.texts(m.paths, kMaxPayload);
  const auto breaks = [](const std::string& path) { return path.find_first_of({"\0\n", 2}) != path.npos; };
  d.need(std::ranges::none_of(m.paths, breaks), "a path with a NUL or a line break");
}

void put(Encoder& e, const Subject& m) { e.text(m.container).text(m.live_update); }
void get(Decoder& d, Subject& m) {
  d.text(m.container, kMaxIdentity), d.text(m.live_update, kMaxIdentity);
  const auto is_word = [](const std::string& it) {
    return !it.empty() && std::ranges::all_of(it, [](char c) { return c > ' ' && c < 127; });
  };
  d.need(is_word(m.container) && is_word(m.live_update), "an identity that is none");
}

void put(Encoder& e, const List& m) { e.number(m.request).text(m.root).number(m.most).texts(m.folders); }
void get(Decoder& d, List& m) {
  std::uint32_t count = 0;
  d.number(m.request), d.path(m.root), d.number(m.most), d.number(count);
  if (!d.need(count <= d.left() / 4, "a list above its bound")) return;
  m.folders.resize(count);
  for (auto& folder : m.folders) d.path(folder);
}

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
  d.number(m.request), d.choice(m.code, Code::Outdated), d.number(m.error), d.text(m.path, 2 * kMaxPath);
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
  d.number(m.request), d.choice(m.how, RunHow::TimedOut), d.number(m.code), d.number(m.milliseconds);
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

void put(Encoder& e, const Listing& m) {
  e.number(m.request).number(static_cast<std::uint32_t>(m.entries.size()));
  for (const auto& entry : m.entries) e.number(entry.folder).text(entry.name).byte(entry.kind);
}
void get(Decoder& d, Listing& m) {
  std::uint32_t count = 0;
  d.number(m.request), d.number(count);
  if (!d.need(count <= d.left() / 9, "a list above its bound")) return;
  m.entries.resize(count);
  for (auto& entry : m.entries)
    d.number(entry.folder), d.path(entry.name), d.choice(entry.kind, Listed::Absent);
}

void put(Encoder& e, const Warning& m) { e.number(m.request).text(m.path).text(m.text); }
void get(Decoder& d, Warning& m) { d.number(m.request), d.text(m.path, 2 * kMaxPath), d.text(m.text); }

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

template <typename Variant>
Encoded encode_any(const Variant& any) {
  return std::visit(
      [](const auto& message) {
        Encoder payload;
        put(payload, message);
        return Encoded{message.kType, last_of(message), payload.take()};
      },
      any);
}

}  // namespace

Encoded encode(const Request& request) { return encode_any(request); }
Encoded encode(const Answer& answer) { return encode_any(answer); }

Result<Request> decode_request(const Frame& frame) { return decode<Request>(frame); }
Result<Answer> decode_answer(const Frame& frame) { return decode<Answer>(frame); }

}  // namespace live_update::agent
