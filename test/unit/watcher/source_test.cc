#include "watcher/source.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "core/api/limits.h"
#include "test/fakes/temp_tree.h"

using namespace live_update;

namespace {

// "src" is synced, and "docs" only watched.
struct Given {
  TempTree disk;
  PosixFileSystem files{std::filesystem::canonical(disk.root())};
  LiveUpdateSpec spec;
  std::vector<std::string> warnings;

  Given() {
    spec.target.workload = WorkloadRef{"Deployment", "web"};
    spec.steps = {Sync{.from = "src", .to = "/app"}};
    spec.source.context = {"src", "docs"};
    disk.mkdir("src");
  }
  void write_large(const std::string& path, std::uint64_t size) {
    disk.write(path, "");
    REQUIRE(truncate(disk.at(path).c_str(), static_cast<off_t>(size)) == 0);
  }
  std::unique_ptr<Source> source() {
    auto rules = load_rules(files, spec, spec);
    REQUIRE(rules);
    auto source = std::make_unique<Source>(files, std::move(*rules), KnownFiles{},
                                           [this](const std::string& path, const std::string& message) {
                                             warnings.push_back(path + ": " + message);
                                           });
    REQUIRE(source->scan_all());
    return source;
  }
};

std::string paths_of(const Source::Everything& all) {
  std::string text;
  for (const Change& change : all.changes)
    if (change.type != FileType::Directory) text += change.path + ' ';
  for (const UnknownPath& it : all.unknown.list()) text += '?' + it.path + ' ';
  return text;
}

}  // namespace

TEST_CASE(
    "7.6 a Snapshot names files that are too large as unknown: above 32 MiB below a sync, above 1 GiB "
    "anywhere") {
  Given g;
  g.disk.write("src/a", "1");
  g.write_large("src/sent", Limits().file + 1);
  g.write_large("docs/digest", Limits().file + 1);
  g.write_large("docs/vast", kLargestFile + 1);
  const auto source = g.source();
  CHECK(paths_of(source->everything()) == "docs/digest src/a ?docs/vast ?src/sent ");
}

TEST_CASE("7.6 a Delta leaves them out, and the rest goes") {
  Given g;
  g.disk.write("src/a", "1");
  g.write_large("src/sent", Limits().file + 1);
  g.write_large("docs/vast", kLargestFile + 1);
  const auto source = g.source();
  std::vector<std::string> too_large;
  const auto filled = source->fill(g.spec, diff(Tree(), source->tree()), Tree(), too_large);
  std::string text;
  for (const Change& change : filled)
    if (change.type != FileType::Directory) text += change.path + ' ';
  CHECK(text == "src/a ");
}

TEST_CASE("7.6 a file that cannot be read when its turn comes is unknown, not gone") {
  Given g;
  g.disk.write("src/a", "1");
  g.disk.write("src/d/b", "1");
  const auto source = g.source();
  g.disk.rename("src/d", "src/kept");
  g.disk.link("src/d", "d");  // a circle
  CHECK(paths_of(source->everything()) == "src/a ?src/d/b ");
}

TEST_CASE("3.3 with a save of a file that another one covers goes that one: nobody may have heard of it") {
  Given g;
  g.spec.steps = {Sync{.from = "src", .to = "/app"}, Sync{.from = "docs", .to = "/app"}};
  g.disk.write("src/a", "there from the start");
  g.disk.write("docs/a", "saved");
  g.disk.write("docs/b", "saved");
  const auto source = g.source();
  auto saved = diff(Tree(), source->tree());
  std::erase_if(saved, [](const Change& it) { return it.path != "docs/a" && it.path != "docs/b"; });
  std::string text;
  std::vector<std::string> too_large;
  for (const Change& it : source->fill(g.spec, std::move(saved), Tree(), too_large))
    text += it.path + (it.content ? " " : "(without content) ");
  CHECK(text == "docs/a docs/b src/a ");
}

TEST_CASE("3.3 what cannot be sent takes nothing along: it would go each time that is tried") {
  Given g;
  g.spec.steps = {Sync{.from = "src", .to = "/app"}, Sync{.from = "docs", .to = "/app"}};
  g.disk.write("src/a", "there from the start");
  g.write_large("docs/a", Limits().file + 1);
  const auto source = g.source();
  auto saved = diff(Tree(), source->tree());
  std::erase_if(saved, [](const Change& it) { return it.path != "docs/a"; });
  std::vector<std::string> too_large;
  CHECK(source->fill(g.spec, std::move(saved), Tree(), too_large).empty());
  CHECK(too_large == std::vector<std::string>{"docs/a"});
}
