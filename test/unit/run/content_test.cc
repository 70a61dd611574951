#include "run/content.h"

#include <doctest/doctest.h>

#include <random>

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
