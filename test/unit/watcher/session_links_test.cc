// A sync.from that is a link (rule 3.3), and rules that speak of what it leads to (rules 2.2, 2.8).
#include <doctest/doctest.h>

#include "test/unit/watcher/session_world.h"

using namespace live_update;
using Given = SessionWorld;

namespace {

bool any(const std::vector<std::string>& lines, const std::string& part) {
  return std::ranges::any_of(lines, [&](const std::string& it) { return it.contains(part); });
}

void relink(Given& g, const std::string& path, const std::string& target) {
  if (!std::filesystem::is_symlink(g.disk.at(path))) g.disk.remove(path);
  g.disk.link("new-link", target);
  g.disk.rename("new-link", path);
}

}  // namespace

TEST_CASE("2.2, 3.3 a link to what is ignored is refused at the start, with the pattern") {
  for (const char* target : {"build/out", "build", ".git/hooks", "other"}) {
    CAPTURE(target);
    Given g;
    g.disk.write(".dockerignore", "build\n");
    for (const char* path : {"build/out/x", ".git/hooks/x"}) g.disk.write(path, "1");
    g.disk.link("other", "build/out");
    relink(g, "src", target);
    g.start();
    CHECK(g.exit_code == 1);
    CHECK(any(g.console.problems, "spec.steps[0].sync.from: src is a link that leads to "));
    CHECK(any(g.console.problems, std::string(target).starts_with(".git")
                                      ? "which is ignored (built in: **/.git)"
                                      : "which is ignored (.dockerignore:1: build)"));
    CHECK(g.sent() == Texts{});
  }
}

TEST_CASE("2.2, 2.8, 3.3 a link that is moved to what is ignored sends nothing of it, and deletes nothing") {
  for (const char* target : {"build/out", ".git/hooks", ".ssh", "home/.ssh/sub", "other"}) {
    CAPTURE(target);
    Given g;
    g.disk.write(".dockerignore", "build\n");
    for (const char* path : {"good/a", "build/out/x", ".git/hooks/x", ".ssh/id", "home/.ssh/sub/x"})
      g.disk.write(path, "1");
    g.disk.link("other", "build/out");
    relink(g, "src", "good");
    g.start();
    CHECK_FALSE(g.exit_code);
    g.disk.write("good/a", "2");
    g.until([&] { return g.posted().size() == 1; });
    relink(g, "src", target);
    g.until([&] { return !g.console.problems.empty(); });
    g.disk.write(std::string(target) + "/y", "1");
    g.settle();
    CHECK(g.sent() == Texts{"1: +src/a"});
    relink(g, "src", "good");
    g.disk.write("good/a", "3");
    g.until([&] { return g.posted().size() == 2; });
    CHECK(g.sent()[1].ends_with("+src/a"));
  }
}

TEST_CASE("2.2, 3.3 what is below a link is judged by its own path, too") {
  Given g;
  g.disk.write(".dockerignore", "data/secret\ndata/*.log\nmore/b\n");
  for (const char* path : {"data/secret/x", "data/a", "data/b.log", "more/a", "more/b"})
    g.disk.write(path, "1");
  relink(g, "src", "data");
  g.start();
  CHECK_FALSE(g.exit_code);
  for (const char* path : {"data/secret/x", "data/a", "data/b.log", "data/secret/y"}) g.disk.write(path, "2");
  g.until([&] { return !g.posted().empty(); });
  g.settle();
  CHECK(g.sent() == Texts{"1: +src/a"});

  relink(g, "src", "more");  // where another name is ignored
  g.until([&] { return g.posted().size() == 2; });
  g.disk.write("more/b", "2");
  g.settle();
  CHECK(g.sent()[1] == "2: +src/a");
  CHECK(g.posted().size() == 2);
}

TEST_CASE("3.3 push: what is below a link is judged by its own path, too") {
  Given g;
  g.disk.write(".dockerignore", "data/secret\n");
  for (const char* path : {"data/secret/x", "data/a"}) g.disk.write(path, "1");
  relink(g, "src", "data");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
}
