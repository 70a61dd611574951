#include "watcher/inotify_watch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "test/fakes/as_nobody.h"
#include "test/fakes/fake_filter.h"
#include "test/fakes/temp_tree.h"
#include "watcher/scanner.h"

using namespace live_update;
using Kind = FileEvent::Kind;

namespace {

// A watched directory, and a tree that is kept up to date by nothing but the events.
struct Watched {
  TempTree disk;
  PosixFileSystem files{disk.root()};
  FakeFilter filter;
  std::vector<std::string> notices, warnings;
  std::vector<FileEvent> events;
  KnownFiles known;
  Tree tree;
  std::unique_ptr<InotifyWatch> watch;
  std::unique_ptr<Scanner> scanner;

  void start() {
    watch = std::make_unique<InotifyWatch>(
        disk.root(), filter,
        TreeWatch::Callbacks{.on_event = [this](const FileEvent& e) { events.push_back(e); },
                             .on_notice = [this](const std::string& n) { notices.push_back(n); }});
    scanner = std::make_unique<Scanner>(files, filter, known,
                                        [this](const std::string& path, const std::string& message) {
                                          warnings.push_back(path + ": " + message);
                                        });
    REQUIRE(watch->restart());
    REQUIRE(scanner->scan("", tree));
  }
  // Events are in the queue when the call that caused them returns: no waiting is needed.
  void follow() {
    events.clear();
    watch->read();
    ChangeBuffer buffer{Debounce{}};
    for (const FileEvent& event : events) buffer.add(event, {}, {});
    const DirtyPaths dirty = buffer.take(ChangeBuffer::Instant::max());
    for (const std::string& directory : dirty.subtrees) (void)scanner->scan(directory, tree);
    for (const std::string& path : dirty.paths) scanner->look(path, tree);
  }
  // Whether following the events led to what a fresh look at everything finds.
  bool in_step() {
    KnownFiles nothing;
    Tree fresh;
    Scanner all(files, filter, nothing, [](const std::string&, const std::string&) {});
    REQUIRE(all.scan("", fresh));
    return diff(tree, fresh).empty() && diff(fresh, tree).empty();
  }
  bool saw(const std::string& path, Kind kind) const {
    return std::ranges::find(events, FileEvent{path, kind}) != events.end();
  }
};

void shell(const Watched& w, const std::string& script) {
  const std::string command = "cd '" + w.disk.root() + "' && { " + script + "; } >/dev/null 2>&1";
  REQUIRE(std::system(command.c_str()) == 0);
}

}  // namespace

TEST_CASE("a file is written, closed, changed, touched, removed") {
  Watched w;
  w.disk.mkdir("src");
  w.start();
  w.disk.write("src/a", "1");
  w.follow();
  CHECK(w.saw("src/a", Kind::Writing));
  CHECK(w.saw("src/a", Kind::Closed));
  CHECK(w.in_step());
  w.disk.chmod("src/a", 0755);
  w.follow();
  CHECK(w.events == std::vector<FileEvent>{{"src/a", Kind::Attributes}});
  w.disk.remove("src/a");
  w.follow();
  CHECK(w.events == std::vector<FileEvent>{{"src/a", Kind::Changed}});
  CHECK(w.in_step());
}

TEST_CASE("links and hard links do not wait for a close that never comes") {
  Watched w;
  w.disk.write("a", "1");
  w.start();
  w.disk.link("l", "nowhere");
  w.follow();
  CHECK(w.events == std::vector<FileEvent>{{"l", Kind::Changed}});
  shell(w, "ln a b");
  w.follow();
  CHECK(w.saw("b", Kind::Changed));
  CHECK_FALSE(w.saw("b", Kind::Writing));
  CHECK(w.in_step());
}

TEST_CASE("how editors save: temp and rename, backup and rename, truncate and write") {
  Watched w;
  w.disk.write("f", "1");
  w.start();
  shell(w, "printf 2 > f.tmp && mv f.tmp f");
  w.follow();
  CHECK(w.in_step());
  shell(w, "mv f f~ && printf 3 > f && rm f~");
  w.follow();
  CHECK(w.in_step());
  shell(w, "printf 4 > f");
  w.follow();
  CHECK(w.saw("f", Kind::Closed));
  CHECK(w.in_step());
}

TEST_CASE("mkdir -p with files at once: what was there before the watch is found") {
  Watched w;
  w.start();
  shell(w, "mkdir -p a/b/c/d && echo 1 > a/b/c/d/f && echo 2 > a/g");
  w.follow();
  CHECK(w.in_step());
  shell(w, "echo 3 > a/b/c/d/f");
  w.follow();
  CHECK(w.saw("a/b/c/d/f", Kind::Closed));
  CHECK_FALSE(w.saw("a", Kind::Rescan));
  CHECK(w.in_step());
}

TEST_CASE("a directory is renamed within, out of and into the root") {
  Watched w;
  TempTree elsewhere;
  w.disk.write("a/b/f", "1");
  w.start();
  w.disk.rename("a", "c");
  w.follow();
  CHECK(w.in_step());
  w.disk.write("c/b/f", "22");
  w.follow();
  CHECK(w.saw("c/b/f", Kind::Closed));
  CHECK(w.in_step());
  std::filesystem::rename(w.disk.at("c"), elsewhere.at("c"));
  w.follow();
  CHECK(w.in_step());
  CHECK(w.watch->watches() == 1);
  elsewhere.write("c/b/f", "333");
  w.follow();
  CHECK(w.events.empty());
  std::filesystem::rename(elsewhere.at("c"), w.disk.at("d"));
  w.follow();
  CHECK(w.in_step());
  w.disk.write("d/b/g", "1");
  w.follow();
  CHECK(w.in_step());
}

TEST_CASE("two directories swap their names, and one is replaced by another") {
  Watched w;
  w.disk.write("a/f", "1");
  w.disk.write("b/f", "2");
  w.start();
  shell(w, "mv a t && mv b a && mv t b");
  w.follow();
  CHECK(w.in_step());
  w.disk.write("a/f", "3");
  w.follow();
  CHECK(w.in_step());
  shell(w, "mkdir n && echo 9 > n/f && rm -r a && mv n a && echo 8 > a/f");
  w.follow();
  CHECK(w.in_step());
}

TEST_CASE("removed and added back, many times in one go") {
  Watched w;
  w.start();
  shell(w, "for i in 1 2 3 4 5; do mkdir d; echo $i > d/f; rm -r d; done; mkdir d; echo last > d/f");
  w.follow();
  CHECK(w.in_step());
  w.disk.write("d/f", "after");
  w.follow();
  CHECK(w.in_step());
}

TEST_CASE("ignored directories are not watched") {
  Watched w;
  w.disk.write(".git/objects/aa/x", "1");
  w.disk.write("src/.git/HEAD", "1");
  w.start();
  CHECK(w.watch->watches() == 2);
  w.disk.write(".git/HEAD", "2");
  w.disk.write("src/.git/HEAD", "2");
  w.disk.mkdir("new/.git/x");
  w.follow();
  CHECK(w.watch->watches() == 3);
  for (const FileEvent& event : w.events) CHECK(event.path.find(".git") == std::string::npos);
}

TEST_CASE("git switches a branch") {
  Watched w;
  shell(w,
        "git init -q -b main . && git config user.email a@b && git config user.name a && git config gc.auto "
        "0 && "
        "for i in $(seq 40); do mkdir -p d$i && echo $i > d$i/f; done && git add . && git commit -qm 1 && "
        "git checkout -qb other && git rm -rq d1 d2 && for i in $(seq 3 40); do echo x$i > d$i/f; done && "
        "mkdir -p n/m && echo n > n/m/f && git add . && git commit -qm 2");
  w.start();
  shell(w, "git checkout -q main");
  w.follow();
  CHECK(w.in_step());
  shell(w, "git checkout -q other");
  w.follow();
  CHECK(w.in_step());
  CHECK(w.tree.find("n/m/f"));
}

TEST_CASE("7.2 an overflow of the queue leads to a rescan, and nothing is lost") {
  Watched w;
  w.disk.mkdir("d");
  w.start();
  const int one = open(w.disk.at("d/one").c_str(), O_CREAT | O_WRONLY, 0644);
  const int two = open(w.disk.at("d/two").c_str(), O_CREAT | O_WRONLY, 0644);
  for (int i = 0; i < 20'000; ++i) REQUIRE(::write(i % 2 ? one : two, "x", 1) == 1);
  close(one), close(two);
  w.disk.write("late/f", "1");
  w.follow();
  CHECK(w.saw("", Kind::Rescan));
  CHECK(w.in_step());
  w.disk.write("late/f", "22");
  w.follow();
  CHECK_FALSE(w.saw("", Kind::Rescan));
  CHECK(w.in_step());
}

TEST_CASE("the limit on watches is said once with the remedy, and the rest is polled") {
  Watched w;
  for (const char* path : {"a/f", "b/f", "c/f", "d/e/f"}) w.disk.write(path, "1");
  w.filter.ignored_names.insert("nothing");
  w.watch = nullptr;
  w.start();
  w.watch->limit_watches(2);
  REQUIRE(w.watch->restart());
  REQUIRE(w.notices.size() == 1);
  CHECK(w.notices[0].find("sudo sysctl fs.inotify.max_user_watches=") != std::string::npos);
  CHECK(w.watch->needs_polling());
  CHECK(w.watch->watches() == 2);
  for (const char* path : {"a/f", "b/f", "c/f", "d/e/f"}) w.disk.write(path, "2");
  w.follow();
  CHECK_FALSE(w.in_step());
  w.watch->poll();
  w.follow();
  for (const char* directory : {"a", "b", "c", "d"}) REQUIRE(w.scanner->scan(directory, w.tree));
  CHECK(w.in_step());
  w.watch->limit_watches(100);
  w.watch->poll();
  CHECK_FALSE(w.watch->needs_polling());
  w.disk.write("d/e/f", "3");
  w.follow();
  CHECK(w.in_step());
  REQUIRE(w.notices.size() == 2);
  CHECK(w.notices[1] == "all directories of " + w.disk.root() + " are watched again");
  w.watch->limit_watches(2);  // and it is said anew
  REQUIRE(w.watch->restart());
  REQUIRE(w.notices.size() == 3);
  CHECK(w.notices[2] == w.notices[0]);
}

TEST_CASE("7.6 a directory that cannot be looked at is tried again, without a word about limits") {
  const AsNobody nobody;
  Watched w;
  w.disk.write("d/e/f", "1");
  w.disk.chmod("d", 0);
  w.start();
  CHECK(w.watch->needs_polling());
  w.disk.chmod("d", 0755);
  w.watch->poll();
  CHECK_FALSE(w.watch->needs_polling());
  REQUIRE(w.scanner->scan("", w.tree));
  w.disk.write("d/e/f", "2");
  w.follow();
  CHECK(w.in_step());
  CHECK(w.notices.empty());
}

TEST_CASE("7.4 the root itself is moved away, comes back, is replaced") {
  Watched w;
  w.disk.write("r/f", "1");
  w.start();
  InotifyWatch watch(w.disk.at("r"), w.filter,
                     {.on_event = [&](const FileEvent& e) { w.events.push_back(e); }, .on_notice = {}});
  REQUIRE(watch.restart());
  w.disk.rename("r", "s");
  w.events.clear();
  watch.read();
  CHECK_FALSE(watch.root_watched());
  CHECK(w.events == std::vector<FileEvent>{{"", Kind::Rescan}});
  auto missing = watch.restart();
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message ==
        "the root " + w.disk.at("r") + ": No such file or directory; give an existing directory with --root");
  w.disk.mkdir("r");
  REQUIRE(watch.restart());
  CHECK(watch.root_watched());
  w.disk.remove("r");
  watch.read();
  CHECK_FALSE(watch.root_watched());
}

TEST_CASE("3.3 a followed link: its directory is watched, and so is a change of the link") {
  Watched w;
  w.filter.ignored_names = {"one", "two"};
  w.disk.write("one/f", "1");
  w.disk.write("two/f", "2");
  w.disk.link("src", "one");
  w.disk.link("also", ".");
  w.filter.followed = {"src", "also"};
  w.start();
  w.disk.write("one/g", "1");
  w.follow();
  CHECK(w.saw("src/g", Kind::Closed));
  CHECK(w.in_step());
  w.disk.write("both", "1");
  w.follow();
  CHECK(w.saw("both", Kind::Closed));
  CHECK(w.saw("also/both", Kind::Closed));
  CHECK(w.in_step());
  w.disk.remove("src");
  w.disk.link("src", "two");
  w.follow();
  CHECK(w.in_step());
  w.disk.write("two/f", "22");
  w.follow();
  CHECK(w.in_step());
  w.disk.write("one/f", "11");
  w.follow();
  CHECK(w.events.empty());
}

TEST_CASE("3.3 a followed link to a file: what becomes of that file is an event of the link") {
  Watched w;
  w.filter.ignored_names = {"conf"};
  w.disk.write("conf/dev", "1");
  w.disk.link("app.conf", "conf/dev");
  w.filter.followed = {"app.conf"};
  w.start();
  w.disk.write("conf/dev", "2");
  w.follow();
  CHECK(w.saw("app.conf", Kind::Closed));
  w.events.clear();
  w.disk.write("conf/new", "3");
  w.disk.rename("conf/new", "conf/dev");
  w.follow();
  CHECK(w.saw("app.conf", Kind::Changed));
  w.disk.write("conf/prod", "4");
  w.disk.remove("app.conf");
  w.disk.link("app.conf", "conf/prod");
  w.follow();
  w.events.clear();
  w.disk.write("conf/dev", "5");
  w.follow();
  CHECK(w.events.empty());
  w.disk.write("conf/prod", "6");
  w.follow();
  CHECK(w.saw("app.conf", Kind::Closed));
}

TEST_CASE("3.3 a link out of the root is not watched") {
  Watched w;
  TempTree elsewhere;
  elsewhere.write("f", "1");
  w.disk.link("src", elsewhere.root());
  w.filter.followed = {"src"};
  w.start();
  elsewhere.write("f", "2");
  w.follow();
  CHECK(w.events.empty());
}

TEST_CASE("7.6 a root that is a circle of links for a moment is not gone") {
  TempTree disk;
  FakeFilter filter;
  disk.link("root", "root");
  InotifyWatch watch(disk.at("root"), filter, {.on_event = [](const FileEvent&) {}, .on_notice = {}});
  CHECK(watch.restart().error().kind == ErrorKind::Io);
  disk.remove("root");
  CHECK(watch.restart().error().kind == ErrorKind::NotFound);
}
