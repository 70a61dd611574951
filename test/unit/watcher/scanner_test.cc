#include "watcher/scanner.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>

#include "run/content.h"
#include "test/fakes/as_nobody.h"
#include "test/fakes/fake_filter.h"
#include "test/fakes/temp_tree.h"

using namespace live_update;

namespace {

struct Given {
  TempTree disk;
  PosixFileSystem files{disk.root()};
  FakeFilter filter;
  KnownFiles known;
  std::vector<std::string> warnings;
  Tree tree;

  Scanner scanner() {
    return Scanner(files, filter, known, [this](const std::string& path, const std::string& message) {
      warnings.push_back(path + ": " + message);
    });
  }
  void scan(const std::string& below = "") { REQUIRE(scanner().scan(below, tree)); }
  void look(const std::string& path) { scanner().look(path, tree); }
  // "d/ d/file link@"
  std::string text() const {
    std::string result;
    for (const std::string& path : tree.below("")) {
      result += (result.empty() ? "" : " ") + path;
      if (tree.type(path) == FileType::Directory) result += '/';
      if (tree.type(path) == FileType::Symlink) result += '@';
    }
    return result;
  }
  // As if the last looks were long ago.
  void settle() {
    for (auto& [path, file] : known) file.racy = false;
  }
};

}  // namespace

TEST_CASE("a scan finds files, directories and links, and nothing that is ignored") {
  Given g;
  g.disk.write("src/a.py", "print()");
  g.disk.write(".git/HEAD", "x");
  g.disk.write("sub/.git/HEAD", "x");
  g.disk.mkdir("empty");
  g.disk.link("link", "src");
  g.disk.link("broken", "nowhere");
  g.disk.link("src/loop", "..");
  g.disk.chmod("src/a.py", 04755);
  g.scan();
  CHECK(g.text() == "broken@ empty/ link@ src/ src/a.py src/loop@ sub/");
  CHECK(g.tree.find("src/a.py")->digest == sha256("print()"));
  CHECK(g.tree.find("src/a.py")->mode == 0755);
  CHECK(g.tree.find("src/a.py")->size == 7);
  CHECK(g.tree.find("link")->target == "src");
  CHECK(g.warnings.empty());
}

TEST_CASE(
    "names with spaces, newlines and 255 bytes; a name that is not UTF-8 is skipped with a warning (2.1)") {
  Given g;
  const std::string longest(255, 'n');
  g.disk.write("with space", "");
  g.disk.write("new\nline", "");
  g.disk.write(longest, "");
  g.disk.write("d/bad\xff", "");
  g.scan();
  CHECK(g.text() == "d/ new\nline " + longest + " with space");
  REQUIRE(g.warnings.size() == 1);
  CHECK(g.warnings[0] == "d/bad\xff: skipped: the name is not UTF-8 and cannot be sent; rename it");
}

TEST_CASE("4.4 sockets and FIFOs are skipped with a warning and never opened") {
  Given g;
  REQUIRE(mkfifo(g.disk.at("pipe").c_str(), 0644) == 0);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = g.disk.at("sock");
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  g.disk.write("file", "x");
  g.scan();
  CHECK(g.text() == "file");
  CHECK(g.warnings.size() == 2);
  CHECK(std::ranges::count(g.warnings, "pipe: skipped: a FIFO is not synced") == 1);
  CHECK(std::ranges::count(g.warnings, "sock: skipped: a socket is not synced") == 1);
  close(fd);
}

TEST_CASE("a scan reads only what changed since, and again what was written within the second before") {
  Given g;
  g.disk.write("a", "1");
  g.disk.write("b", "1");
  g.scan();
  CHECK(g.known.at("a").racy);
  {
    Scanner again = g.scanner();
    REQUIRE(again.scan("", g.tree));
    CHECK(again.files_read() == 2);
  }
  g.settle();
  g.disk.write("b", "2");
  Scanner once = g.scanner();
  REQUIRE(once.scan("", g.tree));
  CHECK(once.files_read() == 1);
  CHECK(g.tree.find("b")->digest == sha256("2"));
}

TEST_CASE("what vanished is gone from the tree, files and whole directories") {
  Given g;
  g.disk.write("a", "1");
  g.disk.write("d/e/f", "1");
  g.disk.write("d-2/x", "1");
  g.scan();
  g.disk.remove("d");
  g.disk.remove("a");
  g.scan("d");
  CHECK(g.text() == "a d-2/ d-2/x");
  g.look("a");
  CHECK(g.text() == "d-2/ d-2/x");
  CHECK(g.known.size() == 1);
}

TEST_CASE("a file became a directory, a directory a file, a directory a link") {
  Given g;
  g.disk.write("a", "1");
  g.disk.write("b/x", "1");
  g.disk.write("c/x", "1");
  g.scan();
  g.disk.remove("a"), g.disk.write("a/y", "1");
  g.disk.remove("b"), g.disk.write("b", "1");
  g.disk.remove("c"), g.disk.link("c", "a");
  for (const char* path : {"a", "b", "b/x", "c", "c/x", "c/y"}) g.look(path);
  CHECK(g.text() == "a/ a/y b c@");
}

TEST_CASE("an unreadable file or directory keeps its state and is warned of; the rest goes on") {
  const AsNobody nobody;
  Given g;
  g.disk.write("a", "1");
  g.disk.write("d/x", "1");
  g.scan();
  g.settle();
  g.disk.write("a", "22");
  g.disk.write("z", "1");
  g.disk.chmod("a", 0);
  g.disk.chmod("d", 0);
  g.scan();
  g.disk.chmod("d", 0755);
  CHECK(g.text() == "a d/ d/x z");
  CHECK(g.tree.find("a")->digest == sha256("1"));
  CHECK(g.warnings ==
        std::vector<std::string>{
            "a: not synced: cannot be read (Permission denied); make it readable for you, or ignore it",
            "d: not synced: Permission denied; make it readable for you, or ignore it"});
}

TEST_CASE("3.3 a link that is followed is a directory; links below it are not followed") {
  Given g;
  g.filter.ignored_names = {"real"};
  g.disk.write("real/x", "1");
  g.disk.link("real/up", "..");
  g.disk.link("src", "real");
  g.filter.followed = {"src"};
  g.scan();
  CHECK(g.text() == "src/ src/up@ src/x");
  g.disk.write("real/y", "1");
  g.look("src/y");
  CHECK(g.text() == "src/ src/up@ src/x src/y");
  g.disk.remove("src");
  g.disk.link("src", "gone");
  g.look("src");
  CHECK(g.text() == "src/ src/up@ src/x src/y");  // that it leads to nothing does not mean that it is meant
  CHECK(g.warnings.back() ==
        "src: not synced: a link that leads to nothing; only what is inside can be synced");
}

TEST_CASE("3.3 a link to a file is followed, too") {
  Given g;
  g.filter.ignored_names = {"conf"};
  g.disk.write("conf/dev", "1");
  g.disk.link("app.conf", "conf/dev");
  g.filter.followed = {"app.conf"};
  g.scan();
  CHECK(g.text() == "app.conf");
  CHECK(g.tree.find("app.conf")->digest == sha256("1"));
  g.disk.write("conf/dev", "22");
  g.look("app.conf");
  CHECK(g.tree.find("app.conf")->digest == sha256("22"));
  CHECK(g.scanner().load("app.conf")->digest == sha256("22"));
}

TEST_CASE("3.3 nothing is read through a link out of the root, whichever way it is looked at") {
  Given g;
  TempTree elsewhere;
  elsewhere.write("x", "private");
  elsewhere.write("d/y", "private");
  g.filter.followed = {"src", "way"};
  g.disk.write("src/x", "1");
  g.disk.write("src/d/y", "1");
  g.disk.write("way/src/z", "1");
  g.scan();
  const std::string before = g.text();
  g.disk.remove("src"), g.disk.link("src", elsewhere.root());
  g.disk.remove("way"), g.disk.link("way", "src");
  for (const char* path : {"src", "src/x", "src/d", "src/d/y", "src/new", "way", "way/src/z", "way/x"})
    g.look(path);
  for (const char* path : {"src", "src/d", "way", ""}) g.scan(path);
  CHECK(g.text() == before);
  CHECK(g.tree.find("src/x")->digest == sha256("1"));
  for (const char* path : {"src/x", "src/d/y", "way/x"}) CHECK_FALSE(g.scanner().load(path));
  CHECK(g.warnings.front() == "src: not synced: a link that leads out of the root, to " +
                                  std::filesystem::canonical(elsewhere.root()).string() +
                                  "; only what is inside can be synced");
}

TEST_CASE("2.8 credentials that a look comes across are named, not read") {
  Given g;
  struct Holding : FakeFilter {
    bool holds_back(const std::string& path) const override { return !counts(path); }
  } filter;
  filter.ignored_names = {".env", ".ssh"};
  filter.followed = {"settings"};
  g.disk.write("a/.env", "1");
  g.disk.write(".ssh/id", "1");
  g.disk.write("b", "1");
  g.disk.link("settings", "a/.env");
  Scanner scanner(g.files, filter, g.known, [](const std::string&, const std::string&) {});
  REQUIRE(scanner.scan("", g.tree));
  CHECK(g.text() == "a/ b");
  auto held = scanner.take_held_back();
  std::ranges::sort(held);
  CHECK(held == std::vector<std::string>{".ssh", "a/.env", "settings"});
  scanner.look("a/.env", g.tree);
  scanner.look("c/.env", g.tree);
  CHECK(scanner.take_held_back() == std::vector<std::string>{"a/.env"});
  CHECK(scanner.files_read() == 1);
}

TEST_CASE("a file above the limit is not read, but its changes are seen") {
  Given g;
  g.disk.write("big", "");
  REQUIRE(truncate(g.disk.at("big").c_str(), static_cast<off_t>(Limits().file + 1)) == 0);
  Scanner scanner = g.scanner();
  REQUIRE(scanner.scan("", g.tree));
  CHECK(scanner.files_read() == 0);
  const std::string before = g.tree.find("big")->digest;
  auto loaded = scanner.load("big");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message == "not synced: it has 32.0 MB, and files above 32 MB are refused; ignore it");
  REQUIRE(truncate(g.disk.at("big").c_str(), static_cast<off_t>(Limits().file + 2)) == 0);
  g.look("big");
  CHECK(g.tree.find("big")->digest != before);
}

TEST_CASE("content is kept as far as the budget goes") {
  Given g;
  g.disk.write("a", "12345");
  g.disk.write("b", "12345");
  Scanner scanner = g.scanner();
  scanner.keep_content(7);
  REQUIRE(scanner.scan("", g.tree));
  CHECK(g.tree.content_bytes() == 5);
}

TEST_CASE("a root that is gone is an error, not a tree without files (7.4)") {
  Given g;
  g.disk.write("a", "1");
  g.scan();
  g.disk.remove("");
  auto scanned = g.scanner().scan("", g.tree);
  REQUIRE_FALSE(scanned);
  CHECK(scanned.error().kind == ErrorKind::NotFound);
  CHECK(g.text() == "a");
}

namespace {

std::string unknown_of(const Scanner& scanner) {
  std::string text;
  for (const UnknownPath& it : scanner.unknown().list())
    text += (text.empty() ? "" : " ") + it.path + (it.below ? "/..." : "");
  return text;
}

}  // namespace

TEST_CASE("7.6 on a first look, what cannot be read is unknown, not absent") {
  const AsNobody nobody;
  Given g;
  g.disk.write("a", "1");
  g.disk.write("secret", "1");
  g.disk.write("dir/d", "1");
  g.disk.write("listed/x", "1");
  g.disk.chmod("secret", 0);
  g.disk.chmod("dir", 0);
  g.disk.chmod("listed", 0600);  // its names can be read, and nothing else
  Scanner scanner = g.scanner();
  REQUIRE(scanner.scan("", g.tree));
  CHECK(unknown_of(scanner) == "dir/... listed/x/... secret");
  CHECK(g.text() == "a dir/ listed/");
  g.disk.chmod("dir", 0755);
  g.disk.chmod("listed", 0755);
  g.disk.chmod("secret", 0644);
  for (const char* path : {"dir", "listed", "secret"}) scanner.look(path, g.tree);
  CHECK(unknown_of(scanner) == "");
  CHECK(g.text() == "a dir/ dir/d listed/ listed/x secret");
}

TEST_CASE("7.6 a look at one path that cannot be made deletes nothing") {
  const AsNobody nobody;
  Given g;
  g.disk.write("d/x", "1");
  g.disk.write("d/e/y", "1");
  Scanner scanner = g.scanner();
  REQUIRE(scanner.scan("", g.tree));
  g.disk.chmod("d", 0);
  scanner.look("d/x", g.tree);
  scanner.look("d/e", g.tree);
  REQUIRE(scanner.scan("d/e", g.tree));
  CHECK(g.text() == "d/ d/e/ d/e/y d/x");
  g.disk.chmod("d", 0755);
  g.disk.remove("d/x");
  scanner.look("d/x", g.tree);
  CHECK(g.text() == "d/ d/e/ d/e/y");
}

TEST_CASE("7.6 a root that cannot be listed for a moment is not empty") {
  const AsNobody nobody;
  Given g;
  g.disk.write("r/a", "1");
  const PosixFileSystem files(g.disk.at("r"));
  Scanner scanner(files, g.filter, g.known, [](const std::string&, const std::string&) {});
  REQUIRE(scanner.scan("", g.tree));
  g.disk.chmod("r", 0);
  REQUIRE(scanner.scan("", g.tree));
  CHECK(g.text() == "a");
  CHECK(unknown_of(scanner) == "./...");
  g.disk.chmod("r", 0755);
}

TEST_CASE("7.6 a followed link whose target cannot be looked at keeps what is below it") {
  const AsNobody nobody;
  Given g;
  g.filter.ignored_names.insert("in");
  g.disk.write("in/src/x", "1");
  g.disk.link("src", "in/src");
  g.filter.followed = {"src"};
  Scanner scanner = g.scanner();
  REQUIRE(scanner.scan("", g.tree));
  g.disk.chmod("in", 0);
  REQUIRE(scanner.scan("", g.tree));
  scanner.look("src", g.tree);
  g.disk.chmod("in", 0755);
  CHECK(g.text() == "src/ src/x");
  CHECK(unknown_of(scanner) == "src/...");
}

TEST_CASE("each problem of a path is told once for as long as it lasts, its end, and the next one again") {
  const AsNobody nobody;
  Given g;
  g.disk.write("a", "1");
  Scanner scanner = g.scanner();
  for (int i = 0; i < 2; ++i) {
    g.disk.chmod("a", 0);
    scanner.look("a", g.tree);
    scanner.look("a", g.tree);
    REQUIRE(scanner.scan("", g.tree));
    g.disk.chmod("a", 0644);
    scanner.look("a", g.tree);
  }
  const std::string said =
      "a: not synced: cannot be read (Permission denied); make it readable for you, or ignore it";
  CHECK(g.warnings == std::vector<std::string>{said, "a: ", said, "a: "});
}

TEST_CASE(
    "7.6 a circle of links on the way to a file, while it is read or looked at, is no word that it is gone") {
  Given g;
  g.disk.write("d/a", "1");
  Scanner scanner = g.scanner();
  REQUIRE(scanner.scan("", g.tree));
  g.disk.rename("d", "kept");
  g.disk.link("d", "d");
  REQUIRE_FALSE(scanner.load("d/a"));
  CHECK(scanner.load("d/a").error().kind == ErrorKind::Io);
  g.disk.remove("d");
  CHECK(scanner.load("d/a").error().kind == ErrorKind::NotFound);
}
