#include "watcher/manifest.h"

#include <doctest/doctest.h>

#include <fstream>

#include "test/fakes/temp_tree.h"

using namespace live_update;

namespace {

const ManifestKey kKey{
    .server = "https://a:6443", .ns = "shop", .name = "web", .uid = "u-1", .root = "/src/shop"};

HostManifest example() {
  HostManifest manifest{.session = "7f3a", .sequence = 42, .snapshot = 40, .rules = "sha256:r"};
  manifest.posted.write("a b\n", {.mode = 0755,
                                  .mtime = Time(std::chrono::microseconds(1'700'000'000'123'456)),
                                  .size = 3,
                                  .digest = "sha256:1"});
  manifest.posted.write("d", {.type = FileType::Directory, .mode = 0700});
  manifest.posted.write("l", {.type = FileType::Symlink, .target = "a b"});
  manifest.posted.doubt(Unknowns({{"l"}}));
  manifest.posted.remove("gone", FileType::Directory);
  manifest.posted.remove("gone/x", FileType::File);
  manifest.posted.suspect("perhaps", FileType::File);
  manifest.pending = {{.names = {"web-7f3a-000041", "web-7f3a-000042"},
                       .sequence = 42,
                       .changes = {{.path = "a b\n"}, {.path = "x", .op = Op::Delete}}},
                      {.names = {"web-7f3a-000040"}, .sequence = 40, .snapshot = true, .digests = true}};
  manifest.held = {"gone/1", "gone/2"};
  manifest.head = "sha256:h";
  manifest.known["a b\n"] = {.print = {.device = 1,
                                       .inode = ~0ull,
                                       .size = 3,
                                       .modified_ns = 1'700'000'000'123'456'789,
                                       .changed_ns = -1},
                             .digest = "sha256:1",
                             .racy = true};
  return manifest;
}

bool equal(const HostManifest& a, const HostManifest& b) {
  return a.whole == b.whole && a.session == b.session && a.sequence == b.sequence &&
         a.snapshot == b.snapshot && a.rules == b.rules && a.posted == b.posted && a.known == b.known &&
         a.pending == b.pending && a.held == b.held && a.head == b.head;
}

std::string reason(const Result<HostManifest>& manifest) { return manifest ? "" : manifest.error().message; }

}  // namespace

TEST_CASE("a manifest comes back as it was") {
  auto back = parse_manifest(kKey, manifest_text(kKey, example()));
  REQUIRE(back);
  CHECK(equal(*back, example()));
  CHECK(back->uid == "u-1");
}

TEST_CASE("7.2 notes of an older format are read, and lack what they did not have") {
  const auto back = parse_manifest(
      kKey, seal_notes("live-update manifest 1 ",
                       R"({"key":{"server":"https://a:6443","namespace":"shop","name":"web","uid":"u-1",)"
                       R"("root":"/src/shop"},"session":"7f3a","sequence":42,"snapshot":0,"rules":"",)"
                       R"("posted":[{"path":"a","type":"File","mode":420,"size":1,"digest":"sha256:1"}],)"
                       R"("known":[]})"));
  REQUIRE(back);
  CHECK_FALSE(back->whole);
  CHECK(back->posted.below("") == std::vector<std::string>{"a"});
}

TEST_CASE("7.2 a damaged, foreign or unknown manifest is refused with the reason") {
  const std::string text = manifest_text(kKey, example());
  CHECK(reason(parse_manifest(kKey, "")) == "it has another format");
  CHECK(reason(parse_manifest(kKey, "live-update manifest 2 x\n{}")) == "it has another format");
  CHECK(reason(parse_manifest(kKey, text.substr(0, text.size() - 1))) == "it is damaged");
  std::string flipped = text;
  flipped[flipped.size() / 2] ^= 1;
  CHECK(reason(parse_manifest(kKey, flipped)) == "it is damaged");
  ManifestKey other = kKey;
  other.name = "api";
  CHECK(reason(parse_manifest(other, text)) == "it belongs to another LiveUpdate or root");
}

TEST_CASE("a manifest on the disk: none, stored, replaced, damaged") {
  TempTree disk;
  DiskNotes notes;
  ManifestFile file(notes, disk.at("state/live-update"), kKey);
  auto none = file.load();
  REQUIRE(none);
  CHECK_FALSE(*none);
  REQUIRE(file.store({}));
  REQUIRE(file.store(example()));
  auto stored = file.load();
  REQUIRE(stored);
  REQUIRE(*stored);
  CHECK(equal(**stored, example()));
  std::ofstream(file.path(), std::ios::app) << "x";
  auto damaged = file.load();
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().message == "the notes of the last run in " + file.path() +
                                       " are not used, it is damaged: all files are read again");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(disk.at("state/live-update")))
    ++files;
  CHECK(files == 1);
}

TEST_CASE("two LiveUpdates and two roots have manifests of their own") {
  ManifestKey other_root = kKey, other_name = kKey;
  other_root.root = "/src/other";
  other_name.name = "api";
  DiskNotes notes;
  const std::string path = ManifestFile(notes, "/s", kKey).path();
  CHECK(path != ManifestFile(notes, "/s", other_root).path());
  CHECK(path != ManifestFile(notes, "/s", other_name).path());
  CHECK(path == ManifestFile(notes, "/s", kKey).path());
}

TEST_CASE("where the state is kept") {
  CHECK(state_directory("/x", "/home/ada") == "/x/live-update");
  CHECK(state_directory("", "/home/ada") == "/home/ada/.local/state/live-update");
  CHECK(state_directory("relative", "/home/ada") == "/home/ada/.local/state/live-update");
  CHECK(state_directory("", "") == "");
}

TEST_CASE("5.8 a LiveUpdate that was made again finds the notes of the one before") {
  TempTree disk;
  DiskNotes notes;
  ManifestKey again = kKey;
  again.uid = "u-2";
  REQUIRE(ManifestFile(notes, disk.root(), kKey).store(example()));
  const auto found = ManifestFile(notes, disk.root(), again).load();
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->uid == "u-1");
  CHECK((*found)->posted == example().posted);
}

TEST_CASE(
    "7.2 a file of an older watcher, which has the uid in its name, is found; the newer one comes first") {
  TempTree disk;
  DiskNotes notes;
  const std::string old = notes_path(disk.root(), "https://a:6443\nshop\nu-1\n/src/shop", "manifest");
  REQUIRE(replace_notes(old, manifest_text(kKey, example())));
  ManifestFile file(notes, disk.root(), kKey);
  auto found = file.load();
  REQUIRE(found);
  REQUIRE(*found);
  CHECK(equal(**found, example()));
  ManifestKey before = kKey;
  before.uid = "u-0";
  REQUIRE(ManifestFile(notes, disk.root(), before).store({}));
  CHECK((*file.load())->session == "7f3a");
  REQUIRE(file.store({.session = "newer"}));
  CHECK((*file.load())->session == "newer");
}

TEST_CASE("5.8 what was told for the first time is known to the next LiveUpdate before it is in the notes") {
  TempTree disk;
  DiskNotes notes;
  ManifestKey again = kKey;
  again.uid = "u-2";
  const auto paths = [&] {
    const auto found = ManifestFile(notes, disk.root(), again).load();
    REQUIRE(found);
    REQUIRE(*found);
    for (const auto& [path, entry] : (*found)->posted.entries()) CHECK(entry.doubted);
    return (*found)->posted.below("");
  };
  ManifestFile file(notes, disk.root(), kKey);
  REQUIRE(file.store({}));
  file.add_new({{.path = "d", .type = FileType::Directory}, {.path = "d/a\nb"}});
  file.add_new({{.path = "x"}});
  REQUIRE(
      append_notes(file.path().substr(0, file.path().rfind('.')) + ".new", R"({"uid":"u-1","new":[{"pa)"));
  CHECK(paths() == std::vector<std::string>{"d", "d/a\nb", "x"});
  CHECK((*file.load())->posted.below("") == paths());  // its ChangeSets may be gone
  REQUIRE(file.store({}, {{.path = "x"}}));
  CHECK(paths() == std::vector<std::string>{"x"});
  REQUIRE(file.store({}));
  CHECK(paths().empty());
}
