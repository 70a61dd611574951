#include "watcher/packer.h"

#include <doctest/doctest.h>

#include <random>

#include "run/content.h"
#include "test/fakes/decode_content.h"

using namespace live_update;

namespace {

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

Change file(std::string path, std::string bytes) {
  Change change{.path = std::move(path), .size = bytes.size(), .digest = sha256(bytes)};
  change.content = std::make_shared<const std::string>(std::move(bytes));
  return change;
}

const ChangeSetSpec kHeader{.live_update = "web", .session = "7f3a", .sequence = 42};

std::size_t content_size(const ChangeSetSpec& part) {
  std::size_t size = 0;
  for (const Change& change : part.changes) size += change.content ? change.content->size() : 0;
  return size;
}

// The file as the operator puts it together.
std::string joined(const std::vector<ChangeSetSpec>& parts, const std::string& path) {
  std::string bytes;
  for (const ChangeSetSpec& part : parts)
    for (const Change& change : part.changes) {
      if (change.path != path) continue;
      CHECK(change.offset == bytes.size());
      auto piece = decode_content(change.encoding, *change.content, change.size);
      REQUIRE(piece);
      bytes += *piece;
    }
  return bytes;
}

}  // namespace

TEST_CASE("a small batch is one ChangeSet") {
  const auto parts = pack(kHeader, {file("a", "1"), {.path = "b", .op = Op::Delete}});
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].sequence == 42);
  CHECK(parts[0].part == 1);
  CHECK(parts[0].parts == 1);
  CHECK(parts[0].changes.size() == 2);
}

TEST_CASE("an empty Snapshot is one ChangeSet, too") { CHECK(pack(kHeader, {}).size() == 1); }

TEST_CASE("a larger batch is split over consecutive sequences, none above the limit") {
  std::vector<Change> changes;
  for (int i = 0; i < 20; ++i) changes.push_back(file("f" + std::to_string(i), noise(20'000)));
  const auto parts = pack(kHeader, changes);
  REQUIRE(parts.size() == 4);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CHECK(parts[i].sequence == 42 + static_cast<std::int64_t>(i));
    CHECK(parts[i].part == static_cast<int>(i) + 1);
    CHECK(parts[i].parts == 4);
    CHECK(content_size(parts[i]) <= Limits().inline_content);
    CHECK(parts[i].session == "7f3a");
  }
}

TEST_CASE("many paths without content are split, too") {
  std::vector<Change> changes;
  for (int i = 0; i < 10'000; ++i) changes.push_back({.path = "f" + std::to_string(i), .op = Op::Delete});
  const auto parts = pack(kHeader, changes);
  CHECK(parts.size() > 10);
  std::size_t count = 0;
  for (const auto& part : parts) {
    CHECK(part.changes.size() <= Limits().packed_changes);
    count += part.changes.size();
  }
  CHECK(count == 10'000);
}

TEST_CASE("a large file travels in pieces that give it back") {
  const std::string bytes = noise(1'000'000);
  const auto parts = pack(kHeader, {file("a", "1"), file("big", bytes), file("z", "1")});
  CHECK(parts.size() == 9);
  for (const auto& part : parts) CHECK(content_size(part) <= Limits().inline_content);
  CHECK(joined(parts, "big") == bytes);
  CHECK(joined(parts, "z") == "1");
}

TEST_CASE("a large file that packs well takes few pieces") {
  std::string bytes;
  for (int i = 0; bytes.size() < 8'000'000; ++i)
    bytes += "line " + std::to_string(std::int64_t{i} * i) + "\n";
  const auto parts = pack(kHeader, {file("big", bytes)});
  CHECK(parts.size() < 40);
  for (const auto& part : parts) CHECK(content_size(part) <= Limits().inline_content);
  CHECK(joined(parts, "big") == bytes);
  const std::string mixed = std::string(3'000'000, 'x') + noise(500'000);
  const auto mixed_parts = pack(kHeader, {file("big", mixed)});
  for (const auto& part : mixed_parts) CHECK(content_size(part) <= Limits().inline_content);
  CHECK(joined(mixed_parts, "big") == mixed);
}

TEST_CASE("7.6 unknown paths come with the first parts, each once") {
  ChangeSetSpec header = kHeader;
  for (int i = 0; i < 2500; ++i) header.unknown.push_back({"u" + std::to_string(i), i % 2 == 0});
  const auto parts = pack(header, {file("a", "1")});
  std::vector<UnknownPath> all;
  std::size_t changes = 0;
  for (const auto& part : parts) {
    CHECK(part.unknown.size() + part.changes.size() <= Limits().packed_changes);
    all.insert(all.end(), part.unknown.begin(), part.unknown.end());
    changes += part.changes.size();
  }
  CHECK(all == header.unknown);
  CHECK(changes == 1);
  CHECK(parts.back().parts == static_cast<int>(parts.size()));
}

TEST_CASE("4.5 what the machine ignores comes with the last part") {
  ChangeSetSpec header = kHeader;
  header.type = ChangeSetType::Snapshot;
  header.ignores = HostIgnores{"*.log\n", ""};
  std::vector<Change> changes;
  for (int i = 0; i < 3; ++i) changes.push_back(file("f" + std::to_string(i), noise(800)));
  Limits limits;
  limits.inline_content = 1000;
  const auto parts = pack(header, std::move(changes), limits);
  REQUIRE(parts.size() == 3);
  CHECK_FALSE(parts[0].ignores);
  CHECK_FALSE(parts[1].ignores);
  CHECK(parts[2].ignores == header.ignores);
}
