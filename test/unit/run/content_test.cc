#include "run/content.h"

#include <doctest/doctest.h>

#include <random>

#include "test/fakes/decode_content.h"

using namespace live_update;

TEST_CASE("sha256 is the well-known one, whole and in pieces") {
  CHECK(sha256("") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 digest;
  digest.add("a");
  digest.add("bc");
  CHECK(digest.finish() == sha256("abc"));
  CHECK(digest.finish() == sha256(""));
}

TEST_CASE("content is packed only where that saves an eighth") {
  const std::string text(100'000, 'a');
  const Encoded packed = encode_content(text);
  CHECK(packed.encoding == Encoding::Zstd);
  CHECK(packed.bytes.size() < 1000);
  CHECK(*decode_content(packed.encoding, packed.bytes, text.size()) == text);

  std::mt19937 random(1);
  std::string noise;
  for (int i = 0; i < 10'000; ++i) noise += static_cast<char>(random());
  const Encoded plain = encode_content(noise);
  CHECK(plain.encoding == Encoding::Identity);
  CHECK(*decode_content(plain.encoding, plain.bytes, noise.size()) == noise);
  CHECK(encode_content("").encoding == Encoding::Identity);
}

TEST_CASE("a small ChangeSet does not become gigabytes") {
  const Encoded bomb = encode_content(std::string(50'000'000, '\0'));
  CHECK(bomb.bytes.size() < 10'000);
  const auto out = decode_content(bomb.encoding, bomb.bytes, 1'000'000);
  REQUIRE_FALSE(out);
  CHECK(out.error().kind == ErrorKind::TooLarge);
  CHECK(out.error().message == "is more than 1000000 bytes when unpacked");
  CHECK(decode_content(Encoding::Identity, "abc", 2).error().message == "is more than 2 bytes");
}

TEST_CASE("content is unpacked block by block, whatever it claims to be") {
  const Encoded bomb = encode_content(std::string(64'000'000, '\0'));
  ContentReader reader(Encoding::Zstd, bomb.bytes, 1'000'000'000);
  std::uint64_t size = 0;
  for (;;) {
    const auto block = reader.next();
    REQUIRE(block);
    REQUIRE(block->bytes.size() <= 64 * 1024);
    size += block->bytes.size();
    if (block->last) break;
  }
  CHECK(size == 64'000'000);
  // Blocks of nothing do not keep one call busy: 1,000,000 raw ones of size 0, none the last.
  std::string idle("\x28\xb5\x2f\xfd\x00\x58", 6);
  for (int i = 0; i < 1'000'000; ++i) idle.append("\0\0\0", 3);
  idle.append("\x01\0\0", 3);
  ContentReader slow(Encoding::Zstd, idle, 1'000);
  int calls = 0;
  for (auto block = slow.next();; block = slow.next(), ++calls) {
    REQUIRE(block);
    CHECK(block->bytes.empty());
    if (block->last) break;
  }
  CHECK(calls > 10);
}

TEST_CASE("a frame that wants more than 8 MiB of memory is refused") {
  // Magic, no flags, window descriptors of 8 MiB and of 9, one last empty block.
  const auto frame = [](char window) {
    return std::string("\x28\xb5\x2f\xfd\0", 5) + window + std::string("\x01\0\0", 3);
  };
  CHECK(*decode_content(Encoding::Zstd, frame('\x68'), 10) == "");
  CHECK(decode_content(Encoding::Zstd, frame('\x69'), 10).error().message ==
        "needs a window of more than 8 MiB to be unpacked: compress it with zstd -19 or less");
}

TEST_CASE("the window that a frame wants is in its header") {
  CHECK(zstd_window(encode_content(std::string(64'000'000, '\0')).bytes) == 512 * 1024);
  CHECK(zstd_window(encode_content(std::string(1'000, '\0')).bytes) == 1'000);
  CHECK(zstd_window(encode_content(std::string(200, '\0')).bytes) == 200);
  CHECK(zstd_window(encode_content(std::string(100'000, '\0')).bytes) == 100'000);
  CHECK(zstd_window(std::string("\x28\xb5\x2f\xfd\0\x69", 6)) == 9 << 20);
  CHECK(zstd_window("\x28\xb5\x2f\xfd") == 1024);
  CHECK(zstd_window("text") == 0);
}

TEST_CASE("damaged zstd is refused") {
  const Encoded packed = encode_content(std::string(1000, 'a') + std::string(1000, 'b'));
  CHECK(decode_content(Encoding::Zstd, "", 100).error().message == "is not zstd: it ends too early");
  CHECK(
      decode_content(Encoding::Zstd, packed.bytes.substr(0, packed.bytes.size() - 1), 10'000).error().kind ==
      ErrorKind::Invalid);
  CHECK(decode_content(Encoding::Zstd, packed.bytes + "x", 10'000).error().message ==
        "is not zstd: something follows its end");
  CHECK(decode_content(Encoding::Zstd, "no zstd", 100).error().kind == ErrorKind::Invalid);
  for (std::size_t i = 0; i < packed.bytes.size(); ++i) {
    std::string damaged = packed.bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    (void)decode_content(Encoding::Zstd, damaged, 10'000);
  }
}
