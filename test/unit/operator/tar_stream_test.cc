#include "operator/tar/tar_stream.h"
#include "core/desired/delivery.h"

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>

#include <map>

using namespace live_update;

namespace {

Piece piece(std::uint64_t offset, std::string_view text, bool packed = false) {
  if (!packed) return {offset, Encoding::Identity, std::make_shared<std::string>(text)};
  Encoded encoded = encode_content(text);
  return {offset, encoded.encoding, std::make_shared<std::string>(std::move(encoded.bytes))};
}

DeliveryWrite file(const std::string& to, std::string_view text) {
  DeliveryWrite write{to, "/app", FileType::File, 0644, {}, text.size(), sha256(text), "", {}};
  if (!text.empty()) write.pieces = {piece(0, text)};
  return write;
}
DeliveryWrite directory(const std::string& to, std::uint32_t mode = 0755) {
  return {to, "/app", FileType::Directory, mode, {}, 0, "", "", {}};
}

std::shared_ptr<const Delivery> delivery(std::vector<DeliveryWrite> writes) {
  auto it = std::make_shared<Delivery>();
  it->writes = std::move(writes);
  return it;
}

std::string read_all(TarStream stream, std::size_t* largest = nullptr) {
  std::string all;
  for (;;) {
    const auto chunk = stream.next();
    REQUIRE(chunk);
    if (largest) *largest = std::max(*largest, chunk->bytes.size());
    all += chunk->bytes;
    if (chunk->then == Chunk::End) return all;
  }
}

// "d 755 app/src/" or "f 644 app/a 12", in the order of the archive.
std::vector<std::string> listing(const std::string& bytes) {
  archive* in = archive_read_new();
  archive_read_support_format_tar(in);
  REQUIRE(archive_read_open_memory(in, bytes.data(), bytes.size()) == ARCHIVE_OK);
  std::vector<std::string> lines;
  archive_entry* entry = nullptr;
  while (archive_read_next_header(in, &entry) == ARCHIVE_OK) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%o", archive_entry_perm(entry));
    const auto type = archive_entry_filetype(entry);
    std::string line = std::string(type == AE_IFDIR   ? "d "
                                   : type == AE_IFLNK ? "l "
                                                      : "f ") +
                       mode + " " + archive_entry_pathname(entry);
    if (type == AE_IFREG) line += " " + std::to_string(archive_entry_size(entry));
    if (type == AE_IFLNK) line += std::string(" -> ") + archive_entry_symlink(entry);
    lines.push_back(line + " @" + std::to_string(archive_entry_mtime(entry)));
  }
  archive_read_free(in);
  return lines;
}

const Time kNow{std::chrono::seconds(1'000)};

std::string checked(const Delivery& delivery) {
  ContentCheck check(delivery);
  for (;;) {
    const auto result = check.step(1);
    if (!result) return result.error().message;
    if (*result) return "good";
  }
}

}  // namespace

TEST_CASE("4.1 and 4.4: directories first, then files and links; special bits dropped") {
  auto setuid = file("/app/tool", "x");
  setuid.mode = 07755;
  setuid.mtime = Time(std::chrono::microseconds(1'700'000'000'999'999));
  auto old = file("/app/old", "");
  old.mtime = Time(std::chrono::seconds(-5));
  const DeliveryWrite link{"/app/link", "/app", FileType::Symlink, 0777, {}, 0, "", "../a b\n", {}};
  const auto bytes =
      read_all({delivery({setuid, old, link, directory("/app/d/e"), directory("/app/d", 0555)}), kNow});
  CHECK(listing(bytes) == std::vector<std::string>{"d 755 app/d/ @1000", "d 755 app/d/e/ @1000",
                                                   "f 755 app/tool 1 @1000", "f 644 app/old 0 @1000",
                                                   "l 777 app/link -> ../a b\n @1000", "d 555 app/d/ @1000"});
}

TEST_CASE("the root itself and a mode alone are not in the archive") {
  auto mode = file("/app/run.sh", "text");
  mode.pieces.clear();
  auto root = directory("/app");
  CHECK(!is_held(mode));
  CHECK(is_held(file("/app/empty", "")));
  CHECK(listing(read_all({delivery({mode, root}), kNow})).empty());
}

TEST_CASE("4.3: long, odd and non-ASCII names") {
  const std::string deep =
      "/app/" + std::string(255, 'd') + "/" + std::string(255, 'e') + "/" + std::string(255, 'f');
  DeliveryWrite link{"/app/l", "/app", FileType::Symlink, 0777, {}, 0, "", std::string(300, 't'), {}};
  const auto lines = listing(
      read_all({delivery({file(deep, "x"), file("/app/a\nb", ""), file("/app/日本", ""), link}), kNow}));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "f 644 " + deep.substr(1) + " 1 @1000");
  CHECK(lines[1] == "f 644 app/a\nb 0 @1000");
  CHECK(lines[2] == "f 644 app/日本 0 @1000");
  CHECK(lines[3] == "l 777 app/l -> " + std::string(300, 't') + " @1000");
}

TEST_CASE("a large file goes through in small chunks, its pieces joined") {
  std::string text;
  for (int i = 0; i < 2'000'000; ++i) text += static_cast<char>('a' + std::int64_t{i} * 7919 % 26);
  auto write = file("/app/big", text);
  write.pieces = {piece(0, std::string_view(text).substr(0, 700'000), true),
                  piece(700'000, std::string_view(text).substr(700'000, 1)),
                  piece(700'001, std::string_view(text).substr(700'001), true)};
  const auto it = delivery({write, file("/app/after", "end")});
  CHECK(checked(*it) == "good");
  std::size_t largest = 0;
  const std::string bytes = read_all({it, kNow}, &largest);
  CHECK(largest <= 160 * 1024);
  CHECK(bytes.substr(512, text.size()) == text);
  CHECK(listing(bytes) == std::vector<std::string>{"f 644 app/big 2000000 @1000", "f 644 app/after 3 @1000"});
}

TEST_CASE("kilobytes that become gigabytes are looked at, and sent, in steps of bounded work") {
  const std::uint64_t size = 64'000'000;
  const std::string zeros(size, '\0');
  auto bomb = file("/app/zeros", zeros);
  bomb.pieces = {piece(0, zeros, true)};
  CHECK(bomb.pieces[0].content->size() < 10'000);
  const auto it = delivery({bomb});
  ContentCheck check(*it);
  int steps = 0;
  for (auto done = check.step(512 * 1024); !*done; done = check.step(512 * 1024)) {
    REQUIRE(done);
    ++steps;
  }
  CHECK(steps > 100);
  TarStream stream(it, kNow);
  std::uint64_t sent = 0;
  for (bool end = false; !end;) {
    const auto chunk = stream.next();
    REQUIRE(chunk);
    sent += chunk->bytes.size();
    end = chunk->then == Chunk::End;
    if (chunk->bytes.size() > 160 * 1024) FAIL("a large chunk");
  }
  CHECK(sent > size);
}

TEST_CASE("content that is not what was announced is told before anything is sent") {
  auto wrong = file("/app/a", "text");
  wrong.digest = sha256("other");
  CHECK(checked(*delivery({file("/app/good", "g"), wrong})) ==
        "/app/a: its content has the digest " + sha256("text") + ", announced was " + sha256("other"));
  auto lost = file("/app/a", "text");
  lost.size = 9;
  CHECK(checked(*delivery({lost})) == "/app/a: its content has 4 bytes, announced were 9");
  lost.pieces = {piece(0, "te"), piece(3, "t")};
  CHECK(checked(*delivery({lost})) == "/app/a: a piece of its content is missing at byte 2");
  auto large = file("/app/a", "text");
  large.size = 2;
  CHECK(checked(*delivery({large})) == "/app/a: its content is more than 2 bytes");
  auto broken = file("/app/a", "text");
  broken.pieces = {{0, Encoding::Zstd, std::make_shared<std::string>("text")}};
  CHECK(checked(*delivery({broken})).starts_with("/app/a: its content is not zstd: "));
  CHECK(!TarStream(delivery({broken}), kNow).next());
}
