#include "core/wire/agent_protocol.h"

#include <doctest/doctest.h>

namespace live_update::agent {
namespace {

using namespace std::string_literals;

TEST_SUITE_BEGIN("agent protocol");

Digest some_digest() {
  Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(i * 7);
  return digest;
}

std::vector<Request> all_requests() {
  return {Hello{.features = 3, .program = "live-update-operator 0.1.0"},
          Begin{1, {.fresh = true}, 42, {"/app", "/srv/a b"}},
          File{1, "src/a.py", 0755, Mtime{-5, 999'999'999}, 5, some_digest(), Content::Sent},
          Data{Coding::Zstd, std::string_view("ab\0c", 4), true},
          File{.path = "src/b.py", .content = Content::Kept},
          Symlink{0, "latest", "v2", std::nullopt},
          Directory{0, "", 0700},
          Delete{0, "new\nline", DeleteHow::Tracked},
          Commit{42},
          Run{2, {.if_ok = true, .keep_going = true}, {"sh", "-c", ""}, "/app", {"A=b=c"}, 1, 2, 3},
          Credit{2, 77},
          Restart{3, {}, RestartHow::Container, 64, 17, 4, 5},
          Have{4, "/app", true, {{"", kAnySize}, {"src", 12}}},
          Changed{false, {"/app/a", "/app/b c"}},
          Changed{.forget = true},
          Subject{"containerd://0123", "b7c6-uid"},
          List{5, "/app", 1000, {"", "src/a b", "new\nline"}}};
}

std::vector<Answer> all_answers() {
  return {Hello{.oldest = 1,
                .newest = 9,
                .features = ~0ull,
                .program = "p",
                .machine = "x86_64",
                .uid = 1000,
                .gid = 7,
                .pid = 1 << 22,
                .digest = some_digest()},
          Confirmed{1, 42, 1000, 12},
          Failed{1, Code::NoSpace, 28, "/app/a", "no space left", "make some"},
          Skipped{2},
          RunOutput{2, Stream::Err, std::string_view("boo\0m", 5)},
          RunExit{2, RunHow::Signalled, 9, 12},
          Restarted{3, 17},
          HaveResult{4,
                     {{"a", Kind::File, 0644, 3, {1, 2}, some_digest(), ""},
                      {"l", Kind::Symlink, 0777, 2, {}, {}, "v2"},
                      {}},
                     true},
          HaveResult{4, {}, false},
          Warning{1, "/app/x", "in place"},
          Listing{5, {{0, "a\nb", Listed::Directory}, {1, "", Listed::Absent}}, true},
          Listing{5, {}, false}};
}

template <typename Message>
std::string stream(const std::vector<Message>& messages) {
  FrameWriter writer;
  std::string out;
  for (const auto& message : messages) writer.append(out, message);
  return out;
}

template <typename Message>
Result<Message> decode(const Frame& frame) {
  if constexpr (std::is_same_v<Message, Request>) {
    return decode_request(frame);
  } else {
    return decode_answer(frame);
  }
}

// What a reader makes of these bytes, fed in steps: as text of the first error, or the number of messages.
template <typename Message>
std::string read(std::string_view bytes, std::size_t step, std::size_t noise = 0,
                 const std::vector<Message>& expected = {}) {
  FrameReader reader(noise);
  std::size_t count = 0;
  while (true) {
    const auto frame = reader.next();
    if (!frame) return frame.error().message;
    if (!*frame) {
      if (bytes.empty()) return std::to_string(count) + (reader.at_boundary() ? "" : " and a part");
      reader.feed(bytes.substr(0, step));
      bytes.remove_prefix(std::min(step, bytes.size()));
      continue;
    }
    const auto message = decode<Message>(**frame);
    if (!message) return message.error().message;
    if (count < expected.size()) CHECK(*message == expected[count]);
    ++count;
  }
}

TEST_CASE("every message comes out as it went in, whatever the pieces") {
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{1000}, std::size_t{1} << 20}) {
    CHECK(read<Request>(stream(all_requests()), step, 0, all_requests()) ==
          std::to_string(all_requests().size()));
    CHECK(read<Answer>(stream(all_answers()), step, 0, all_answers()) ==
          std::to_string(all_answers().size()));
  }
}

TEST_CASE("the bytes are those of docs/agent-protocol.md") {
  const auto bytes = stream<Request>({Credit{0x01020304, 5}});
  CHECK(bytes.substr(0, 16) == kMagic);
  CHECK(bytes.substr(16, 6) == "\x8\0\0\0\xc\0"s);
  CHECK(bytes.substr(24, 4) == "\0\0\0\0"s);
  CHECK(bytes.substr(32) == "\4\3\2\1\5\0\0\0"s);
}

TEST_CASE("noise before the magic is skipped and reported") {
  const std::string noise = "Welcome to \x89live-upd the shop!\n";
  const auto bytes = noise + stream(all_answers());
  FrameReader reader(kMaxNoise);
  for (const char byte : bytes) {
    reader.feed({&byte, 1});
    REQUIRE(reader.next().has_value());
  }
  CHECK(reader.noise() == noise);
  CHECK(read<Answer>(bytes, 7, kMaxNoise, all_answers()) == std::to_string(all_answers().size()));
  CHECK(read<Answer>(bytes, 7, 10) ==
        "agent protocol: the other end does not begin with its magic, but with \"Welcome to .live-upd the "
        "sho\"");
  CHECK(read<Request>("hello", 1) == "agent protocol: the other end does not begin with its magic");
}

TEST_CASE("a reader without a magic in sight does not collect for ever") {
  FrameReader reader(kMaxNoise);
  reader.feed(std::string(kMaxNoise + 100, 'x'));
  CHECK_FALSE(reader.next().has_value());
  reader.feed(stream(all_answers()));
  CHECK_FALSE(reader.next().has_value());
  CHECK(reader.buffered() == 0);
}

TEST_CASE("each single damaged bit is noticed, but for the content of files, which has its digest") {
  const auto good = stream<Request>({Hello{}, Begin{1, {}, 1, {"/app"}}, Delete{0, "a"}, Commit{1}});
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    INFO("bit ", bit);
    CHECK(read<Request>(bad, bad.size()).starts_with("agent protocol: "));
  }
}

TEST_CASE("truncated at each byte: a part is missing, nothing is made up") {
  const auto good = stream(all_requests());
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto result = read<Request>(good.substr(0, size), 1 << 20);
    CHECK_FALSE(result.starts_with("agent protocol"));
    CHECK(result != std::to_string(all_requests().size()));
  }
}

TEST_CASE("lost, repeated and swapped frames") {
  FrameWriter writer;
  std::vector<std::string> frames(3);
  for (auto& frame : frames) writer.append(frame, Request(Credit{1, 1}));
  CHECK(read<Request>(frames[0] + frames[2], 99) ==
        "agent protocol: frame 1 is due, but 2 came: one is lost, repeated or out of order");
  CHECK(read<Request>(frames[0] + frames[1] + frames[1], 99) ==
        "agent protocol: frame 2 is due, but 1 came: one is lost, repeated or out of order");
  CHECK(read<Request>(frames[0] + frames[2] + frames[1], 99).starts_with("agent protocol: frame 1 is due"));
}

TEST_CASE("an oversized frame is refused by its header alone") {
  FrameWriter writer;
  std::string bytes;
  writer.append(bytes, Request(Hello{}));
  bytes += writer.data_header(Coding::Identity, kMaxPayload, true);
  CHECK(read<Request>(bytes, bytes.size()) ==
        "agent protocol: frame 1 claims 1048577 bytes; at most 1048576 are allowed");
}

TEST_CASE("content that the caller sends itself") {
  FrameWriter one, other;
  std::string whole, pieces;
  one.append(whole, Request(Hello{}));
  one.append(whole, Request(Data{Coding::Zstd, "content", true}));
  other.append(pieces, Request(Hello{}));
  pieces += other.data_header(Coding::Zstd, 7, true) + "content";
  CHECK(whole == pieces);
}

TEST_CASE("values out of bounds are errors") {
  const auto refused = [](const Request& request) {
    return read<Request>(stream<Request>({request}), 1 << 21);
  };
  CHECK(refused(Run{.argv = {}}) == "agent protocol: a frame of type 11 has a run without a command");
  CHECK(refused(Run{.argv = {"a\0b"s}}) == "agent protocol: a frame of type 11 has a word with a NUL");
  CHECK(refused(Delete{.path = "a\0b"s}) == "agent protocol: a frame of type 8 has a path with a NUL");
  CHECK(refused(Delete{.path = std::string(kMaxPath + 1, 'a')}) ==
        "agent protocol: a frame of type 8 has a text above its bound");
  CHECK(refused(Restart{.signal = 0}) == "agent protocol: a frame of type 14 has a signal that is none");
  CHECK(refused(Symlink{.path = "a"}) == "agent protocol: a frame of type 6 has a symlink to nothing");
  CHECK(refused(File{.mode = 010000}) == "agent protocol: a frame of type 3 has a mode above 07777");
  CHECK(refused(Begin{.roots = std::vector<std::string>(kMaxRoots + 1)}) ==
        "agent protocol: a frame of type 2 has a list above its bound");
  CHECK(read<Answer>(stream<Request>({Credit{}}), 99) == "agent protocol: a frame of the unknown type 12");
}

TEST_CASE("the numbers of what nobody sent are not used again") {
  const auto refused = [](const auto& message) {
    return !message && message.error().message.starts_with("agent protocol: a frame of the unknown type ");
  };
  for (const auto type : kReservedTypes) {
    CHECK(refused(decode_request(Frame{type, false, ""})));
    CHECK(refused(decode_answer(Frame{type, false, ""})));
  }
}

TEST_CASE("versions: a longer Hello of a later program is read, and none in common is known") {
  Hello later{.oldest = 1, .newest = 7, .program = "later"};
  std::string payload;
  {
    FrameWriter writer;
    std::string bytes;
    writer.append(bytes, Request(later));
    payload = bytes.substr(kMagic.size() + kHeaderSize) + "more to say";
  }
  const auto hello = decode_request(Frame{Hello::kType, false, payload});
  REQUIRE(hello.has_value());
  CHECK(std::get<Hello>(*hello) == later);
  CHECK(common_version(Hello{}, later) == 1);
  CHECK(common_version(Hello{}, Hello{.oldest = 2, .newest = 3}) == std::nullopt);
}

TEST_CASE("paths and roots (rule 4.3)") {
  for (const auto* good : {"", "a", "a/b", "..a", "a..", ".git", "new\nline"}) CHECK(valid_path(good));
  for (const auto* bad : {"/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a/.."})
    CHECK_FALSE(valid_path(bad));
  for (const auto* good : {"/", "/app", "/a/b"}) CHECK(valid_root(good));
  for (const auto* bad : {"", "app", "//", "/app/", "/..", "/a/../b"}) CHECK_FALSE(valid_root(bad));
}

TEST_CASE("digests as text") {
  CHECK(digest_from(digest_text(some_digest())) == some_digest());
  for (const auto& bad : {""s, "sha256:"s, "sha256:" + std::string(64, 'g'), "sha256:" + std::string(63, 'a'),
                          "sha512:" + std::string(64, 'a'), "sha256:" + std::string(64, 'A')})
    CHECK_FALSE(digest_from(bad).has_value());
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
