// The transport's own scripts and archives against every shell and tar of this machine, in temporary
// directories.

#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "operator/tar/list_script.h"
#include "operator/tar/tar_transport.h"
#include "run/content.h"
#include "run/uv_loop.h"
#include "test/fakes/local_exec.h"
#include "test/fakes/mirrors.h"
#include "test/fakes/temp_tree.h"
#include "test/fakes/watched.h"

using namespace live_update;
namespace fs = std::filesystem;

namespace {

constexpr unsigned kNobody = 65534;
constexpr std::array kTools{"tar",  "rm",     "rmdir", "mkdir", "chmod", "id", "sha256sum", "sleep",
                            "kill", "setsid", "cat",   "true",  "touch", "ls", "chown"};

struct Toolset {
  std::string name, shell,
      tools;  // `tools`: the one program that is all of them, or "" for those of /usr/bin
};

std::vector<Toolset> toolsets() {
  std::vector<Toolset> all;
  if (fs::exists("/bin/dash")) all.push_back({"dash, GNU", "/bin/dash", ""});
  if (fs::exists("/bin/bash")) all.push_back({"bash, GNU", "/bin/bash", ""});
  if (fs::exists("/bin/busybox")) all.push_back({"busybox", "/bin/busybox", "/bin/busybox"});
  return all;
}

// A temporary directory that stands for a container's file system, with the tools beside it.
class Container {
 public:
  explicit Container(const Toolset& set, bool with_tar = true) {
    std::string pattern = "/tmp/live-update-tar.XXXXXX";
    top_ = mkdtemp(pattern.data());
    fs::permissions(top_, fs::perms(0755));
    fs::create_directory(tools());
    fs::create_directory(root());
    link("sh", set.shell);
    for (const char* tool : kTools) {
      if (with_tar || std::string_view(tool) != "tar")
        link(tool, set.tools.empty() ? "/usr/bin/" + std::string(tool) : set.tools);
    }
  }
  ~Container() { fs::remove_all(top_); }
  fs::path tools() const { return top_ / "bin"; }
  fs::path root() const { return top_ / "root"; }
  std::string at(const std::string& path) const { return (root() / path).string(); }
  void link(const std::string& name, const fs::path& to) const { fs::create_symlink(to, tools() / name); }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root() / path).parent_path());
    std::ofstream(root() / path) << text;
  }
  std::string get(const std::string& path) const {
    std::ifstream in(root() / path);
    return in ? std::string(std::istreambuf_iterator<char>(in), {}) : "(none)";
  }
  bool has(const std::string& path) const { return fs::exists(fs::symlink_status(root() / path)); }

  DeliveryOutcome deliver(Delivery delivery) {
    UvLoop loop;
    LocalExec api(loop, {tools().string(), uid, leader});
    TarTransport transport(
        api, [&](Millis delay, Callback work) { return loop.after(delay, std::move(work)); },
        [&] { return loop.wall_clock(); });
    std::optional<DeliveryOutcome> outcome;
    Handle job = transport.deliver(
        {"shop", "web-1", "web", "containerd://1"}, std::make_shared<Delivery>(std::move(delivery)),
        [&](DeliveryOutcome it) {
          outcome = std::move(it);
          loop.stop();
        },
        nullptr);
    Handle limit = loop.after(Millis(20'000), [&] { loop.stop(); });
    loop.run();
    REQUIRE(outcome);
    execs = api.execs;
    return *outcome;
  }

  unsigned uid = 0;
  bool leader = true;
  int execs = 0;

 private:
  fs::path top_;
};

DeliveryWrite file(const Container& c, const std::string& path, const std::string& text,
                   std::uint32_t mode = 0644) {
  DeliveryWrite write{c.at(path), c.root().string(), FileType::File, mode, {}, text.size(), sha256(text), "",
                      {}};
  if (!text.empty()) write.pieces.push_back({0, Encoding::Identity, std::make_shared<std::string>(text)});
  return write;
}
DeliveryWrite directory(const Container& c, const std::string& path, std::uint32_t mode = 0755) {
  return {c.at(path), c.root().string(), FileType::Directory, mode, {}, 0, "", "", {}};
}
DeliveryWrite link(const Container& c, const std::string& path, const std::string& target) {
  return {c.at(path), c.root().string(), FileType::Symlink, 0777, {}, 0, "", target, {}};
}
RemoteDelete gone(const Container& c, const std::string& path, FileType type = FileType::File) {
  return {path, c.at(path), type, c.root().string()};
}

std::string told(const DeliveryOutcome& outcome) {
  if (const auto* problem = std::get_if<NotDelivered>(&outcome))
    return problem->reason + (problem->curable ? " curable: " : ": ") + problem->message;
  std::string text = "delivered";
  for (const auto& it : std::get<Delivered>(outcome).failures)
    text += "; run " + std::to_string(it.step) + " " + std::to_string(it.exit_code) + " " + it.tail;
  for (const auto& it : std::get<Delivered>(outcome).warnings) text += "; " + it;
  return text;
}
std::string reason(const DeliveryOutcome& outcome) {
  const auto* problem = std::get_if<NotDelivered>(&outcome);
  return problem ? problem->reason : "";
}

unsigned mode_of(const fs::path& path) {
  struct stat it{};
  return lstat(path.c_str(), &it) == 0 ? it.st_mode & 07777 : 0;
}

// Gone, or a zombie that process 1 has not looked at yet.
// What is killed is gone when it has had the processor once more, which on a busy machine takes a while.
bool ends(std::string pid) {
  pid.erase(pid.find_last_not_of("\n") + 1);
  for (int looks = 0; looks < 1000; ++looks, ::usleep(5000)) {
    std::ifstream in("/proc/" + pid + "/stat");
    const std::string stat(std::istreambuf_iterator<char>(in), {});
    if (stat.empty() || stat.contains(") Z ")) return true;
  }
  return false;
}

void with_each(const std::function<void(const Toolset&)>& check) {
  REQUIRE(!toolsets().empty());
  for (const Toolset& set : toolsets()) {
    CAPTURE(set.name);
    check(set);
  }
}

}  // namespace

TEST_CASE("4.1 to 4.4: files, directories and links arrive, with their modes, in one exec") {
  with_each([](const Toolset& set) {
    Container c(set);
    Delivery d;
    d.writes = {
        directory(c, "src", 0750),         file(c, "src/a.py", "print(1)\n", 04755),
        link(c, "src/latest", "../v2"),    file(c, "src/empty", ""),
        link(c, "src/abs", "/etc/passwd"), file(c, "src/deep/down/b.py", std::string(300'000, 'x'), 0600)};
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(c.execs == 1);
    CHECK(c.get("src/a.py") == "print(1)\n");
    CHECK(mode_of(c.at("src/a.py")) == 0755);
    CHECK(mode_of(c.at("src")) == 0750);
    CHECK(fs::read_symlink(c.at("src/latest")) == "../v2");
    CHECK(fs::read_symlink(c.at("src/abs")) == "/etc/passwd");
    CHECK(c.get("src/empty") == "");
    CHECK(c.get("src/deep/down/b.py").size() == 300'000);
    CHECK(mode_of(c.at("src/deep/down/b.py")) == 0600);
  });
}

TEST_CASE("4.2: the last that watchers hear of a saved file is that it came, not that it went") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("a", "old");
    c.put("b", "old");
    c.put("to-file/x", "x");
    c.put("gone", "x");
    fs::create_symlink("a", c.at("link"));
    Watched watched(c.root().string());
    Delivery delivery;
    delivery.writes = {file(c, "a", "new"), file(c, "b", "new"), file(c, "to-file", "x"),
                       file(c, "fresh", "x"), link(c, "link", "b")};
    delivery.deletes = {gone(c, "gone"), gone(c, "to-file/x")};
    CHECK(told(c.deliver(delivery)) == "delivered");
    const auto last = watched.last();
    for (const auto& [name, mask] : last) {
      CAPTURE(name);
      CAPTURE(mask);
      CHECK(c.has(name) == ((mask & Watched::kGone) == 0));
    }
    CHECK(last.size() == 6);  // and no temporary name
  });
}

TEST_CASE("4.4: what changes gets the time of the replacement, not the host's older one") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("a.c", "old");
    c.put("a.o", "built from the old");
    Delivery d;
    d.writes = {file(c, "a.c", "new"), file(c, "created.c", "new"), directory(c, "dir")};
    for (auto& write : d.writes) write.mtime = Time(std::chrono::seconds(1'000'000'000));
    CHECK(told(c.deliver(d)) == "delivered");
    for (const char* path : {"a.c", "created.c", "dir"})
      CHECK(fs::last_write_time(c.at(path)) >= fs::last_write_time(c.at("a.o")));
    CHECK(fs::last_write_time(c.at("a.c")) <= fs::file_time_type::clock::now());
  });
}

TEST_CASE("4.4: where the container's user is root, a file that is replaced keeps its owner") {
  if (geteuid() != 0) return;
  const auto owner = [](const std::string& path) {
    struct stat it{};
    REQUIRE(lstat(path.c_str(), &it) == 0);
    return std::to_string(it.st_uid) + ":" + std::to_string(it.st_gid);
  };
  with_each([&](const Toolset& set) {
    Container c(set);
    for (const char* path : {"secret", "a b/group", "ours", "was_dir/x"}) c.put(path, "old");
    REQUIRE(chown(c.at("secret").c_str(), 33, 34) == 0);
    REQUIRE(chown(c.at("a b/group").c_str(), 0, 34) == 0);
    REQUIRE(chown(c.at("was_dir").c_str(), 33, 33) == 0);
    Delivery d;
    d.writes = {file(c, "secret", "new", 06600), file(c, "a b/group", "new"), file(c, "ours", "new"),
                file(c, "was_dir", "new"), file(c, "created", "new")};
    d.writes[0].root = d.writes[0].to;  // a sync of a single file
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(c.get("secret") == "new");
    CHECK(owner(c.at("secret")) == "33:34");
    CHECK(mode_of(c.at("secret")) == 0600);
    CHECK(owner(c.at("a b/group")) == "0:34");
    for (const char* path : {"ours", "was_dir", "created"}) CHECK(owner(c.at(path)) == "0:0");
    if (!set.tools.empty()) return;  // Debian's runs its own whatever PATH says
    fs::remove(c.tools() / "chown");
    CHECK(told(c.deliver(d)) ==
          "delivered; shop/web-1, container web: " + c.at("a b/group") +
              " belongs to root now, and maybe others, too: transport Tar could not give it back "
              "to its owner; it needs ls and chown in the image, the capability CHOWN, and at "
              "most some 1,000 paths at a time");
  });
}

TEST_CASE("4.3: no symlink is put where a sync leads to, or on the way there") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("static/x", "old");
    Delivery d;
    d.writes = {link(c, "static", "/")};
    d.writes[0].root = c.at("static");
    CHECK(told(c.deliver(d)) ==
          "PathEscapes: shop/web-1, container web: " + c.at("static") +
              " is where a sync leads to, or on the way there, and no symbolic link is put there; "
              "let the link lead from another place, or sync what it points to");
    d.writes = {link(c, "static", "/"), file(c, "static/sub/f", "x")};
    d.writes[1].root = c.at("static/sub");
    CHECK(reason(c.deliver(d)) == "PathEscapes");
    d.writes.pop_back();
    d.deletes = {{"static/sub/x", c.at("static/sub/x"), FileType::File, c.at("static/sub")}};
    CHECK(reason(c.deliver(d)) == "PathEscapes");
    CHECK(!fs::is_symlink(c.at("static")));
    CHECK(c.get("static/x") == "old");
  });
}

TEST_CASE("4.3: any name arrives and goes") {
  with_each([](const Toolset& set) {
    Container c(set);
    const std::vector<std::string> names{
        "a b",
        "a\nb",
        "new\n",
        "quote'\"`$(id)",
        "-rf",
        "--",
        "*",
        ".",
        "@x",
        "ünï/日本",
        std::string(255, 'n'),
        "\\n",
        "d/" + std::string(255, 'd') + "/" + std::string(255, 'e') + "/" + std::string(255, 'f'),
        "dir",
        ".hidden",
        " "};
    Delivery d;
    for (const auto& name : names) {
      if (name != ".") d.writes.push_back(file(c, name, name));
    }
    CHECK(told(c.deliver(d)) == "delivered");
    for (const auto& name : names) {
      CAPTURE(name);
      if (name != ".") CHECK(c.get(name) == name);
    }
    d = {};
    for (const auto& name : names) {
      if (name != ".") d.deletes.push_back(gone(c, name));
    }
    d.deletes.push_back(gone(c, "d", FileType::Directory));
    CHECK(told(c.deliver(d)) == "delivered");
    for (const auto& name : names) {
      CAPTURE(name);
      if (name != ".") CHECK(!c.has(name));
    }
    CHECK(c.has("d"));  // what is below was never told to go
  });
}

TEST_CASE("4.5: a deleted directory takes only what came from us") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("src/pkg/a.py", "a");
    c.put("src/pkg/sub/b.py", "b");
    c.put("src/pkg/cache/build.o", "o");
    Delivery d;
    d.deletes = {gone(c, "src/pkg", FileType::Directory),
                 gone(c, "src/pkg/a.py"),
                 gone(c, "src/pkg/sub", FileType::Directory),
                 gone(c, "src/pkg/sub/b.py"),
                 gone(c, "src/never"),
                 gone(c, "src/never/there", FileType::Directory)};
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(!c.has("src/pkg/a.py"));
    CHECK(!c.has("src/pkg/sub"));
    CHECK(c.get("src/pkg/cache/build.o") == "o");
    c.put("src/file", "was a directory on the host");
    c.put("src/dir/x", "was a file on the host");
    d.deletes = {gone(c, "src/file", FileType::Directory), gone(c, "src/dir")};
    CHECK(told(c.deliver(d)) == "delivered; shop/web-1, container web: " + c.at("src/dir") +
                                    " cannot be deleted by user ID " + std::to_string(geteuid()) +
                                    " and stays: Directory not empty");
    CHECK(!c.has("src/file"));
    CHECK(c.has("src/dir/x"));
  });
}

TEST_CASE("4.3: a file where a directory must be, and the reverse, is replaced") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("was_dir/a", "a");
    c.put("was_dir/b/c", "c");
    c.put("was_file", "f");
    c.put("parent_was_file", "p");
    fs::create_directory_symlink("was_dir", c.at("was_link"));
    fs::create_directory_symlink("elsewhere", c.at("was_dangling"));
    Delivery d;
    d.writes = {file(c, "was_dir", "now a file"), directory(c, "was_file"),
                file(c, "was_file/x", "x"),       file(c, "parent_was_file/x", "y"),
                directory(c, "was_link"),         file(c, "was_link/a", "in the real one"),
                directory(c, "was_dangling")};
    d.deletes = {gone(c, "was_dir/a"), gone(c, "was_dir/b", FileType::Directory), gone(c, "was_link/old")};
    for (int twice : {1, 2}) {
      CAPTURE(twice);
      CHECK(told(c.deliver(d)) == "delivered");
      CHECK(c.get("was_dir") == "now a file");
      CHECK(c.get("was_file/x") == "x");
      CHECK(c.get("parent_was_file/x") == "y");
      CHECK(c.get("was_link/a") == "in the real one");
      CHECK(!fs::is_symlink(c.at("was_link")));
      CHECK(fs::is_directory(c.at("was_dangling")));
    }
    d = {};
    d.writes = {link(c, "was_link", "was_file"), link(c, "was_file/x", "y")};
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(fs::is_symlink(c.at("was_link")));
    CHECK(fs::is_symlink(c.at("was_file/x")));
  });
}

TEST_CASE("4.3: nothing is written or deleted through a link, whichever component it is") {
  with_each([](const Toolset& set) {
    for (const std::string planted : {"a", "a/b", "a/b/c"}) {
      for (bool absolute : {true, false}) {
        CAPTURE(planted);
        Container c(set);
        const fs::path outside = c.root().parent_path() / "outside";
        fs::create_directories(outside / "b/c");
        fs::create_directories(outside / "c");
        for (const char* it : {"x", "b/x", "b/c/x", "c/x"}) std::ofstream(outside / it) << "untouched";
        c.put("ok", "old");
        fs::create_directories(fs::path(c.at(planted)).parent_path());
        fs::create_directory_symlink(
            absolute ? outside : fs::relative(outside, fs::path(c.at(planted)).parent_path()), c.at(planted));
        Delivery write;
        write.writes = {file(c, "ok", "new"), file(c, "a/b/c/x", "evil")};
        const auto refused = c.deliver(write);
        CHECK(reason(refused) == "PathEscapes");
        CHECK(told(refused).contains(c.at(planted) + " is a symbolic link"));
        Delivery remove;
        remove.deletes = {gone(c, "ok"), gone(c, "a/b/c/x")};
        remove.deletes.push_back(gone(c, "a/b/c", FileType::Directory));
        CHECK(told(c.deliver(remove)) == "delivered");
        CHECK(!c.has("ok"));
        CHECK(c.has(planted) == (planted != "a/b/c"));
        for (const char* it : {"x", "b/x", "b/c/x", "c/x"}) {
          std::ifstream in(outside / it);
          CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "untouched");
        }
      }
    }
  });
}

TEST_CASE("4.3: a link that the batch deletes is in nobody's way") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("outside/x", "untouched");
    for (const char* link : {"a", "b", "kept"}) fs::create_directory_symlink("outside", c.at(link));
    c.put("was_file", "f");
    Delivery d;
    d.writes = {file(c, "a/x", "in the real one"), file(c, "b/x", "too"), file(c, "was_file/x", "y")};
    d.writes.push_back(file(c, "kept", "#!", 0750));
    d.writes.back().pieces.clear();
    d.deletes = {gone(c, "a"), gone(c, "b", FileType::Directory), gone(c, "was_file")};
    for (const int twice : {1, 2}) {
      CAPTURE(twice);
      const auto outcome = c.deliver(d);
      REQUIRE(told(outcome) == "delivered");
      CHECK(std::get<Delivered>(outcome).wanted.size() == 1);
      CHECK(c.get("a/x") == "in the real one");
      CHECK(c.get("b/x") == "too");
      CHECK(c.get("was_file/x") == "y");
      CHECK(mode_of(c.at("a")) == 0755);
      CHECK(c.get("outside/x") == "untouched");
    }
  });
}

TEST_CASE("4.3: a link at the path itself is replaced, the sync root may be one") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("real/keep", "k");
    fs::create_symlink("real/keep", c.at("conf"));
    fs::create_directory_symlink("real", c.at("current"));
    Delivery d;
    d.writes = {file(c, "conf", "mine"), file(c, "current/new", "n"), directory(c, "current")};
    d.writes[1].root = d.writes[2].root = c.at("current");
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(c.get("real/keep") == "k");
    CHECK(!fs::is_symlink(c.at("conf")));
    CHECK(fs::is_symlink(c.at("current")));
    CHECK(c.get("real/new") == "n");
  });
}

TEST_CASE("3.3: a file sync onto a directory of the container is refused, an empty root is created") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("etc/passwd", "p");
    Delivery d;
    d.writes = {file(c, "etc", "oops")};
    d.writes[0].root = c.at("etc");
    CHECK(told(c.deliver(d)).contains("end `to` with / to copy the file into it"));
    CHECK(c.get("etc/passwd") == "p");
    d.writes = {directory(c, "app/new")};
    d.writes[0].root = c.at("app/new");
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(fs::is_directory(c.at("app/new")));
  });
}

TEST_CASE(
    "2.7, 5.9: content that is not held: the mode alone; where the container has other bytes it is wanted") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("run.sh", "#!/bin/sh");
    Delivery d;
    d.writes = {file(c, "run.sh", "#!/bin/sh", 0750)};
    d.writes[0].pieces.clear();
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(mode_of(c.at("run.sh")) == 0750);
    CHECK(c.get("run.sh") == "#!/bin/sh");
    const auto wants = [&](const DeliveryOutcome& outcome) {
      REQUIRE(told(outcome) == "delivered");
      return std::get<Delivered>(outcome).wanted.size();
    };
    CHECK(wants(c.deliver(d)) == 0);
    c.put("run.sh", "#!/bin/dash");
    CHECK(wants(c.deliver(d)) == 1);
    fs::remove(c.at("run.sh"));
    d.writes.push_back(file(c, "other", "text"));
    CHECK(wants(c.deliver(d)) == 1);
    CHECK(c.get("other") == "text");
    d.writes[0].to = c.at("run\n.sh");
    CHECK(wants(c.deliver(d)) == 1);
  });
}

TEST_CASE("4.4: a directory without write permission gets its files all the same") {
  with_each([](const Toolset& set) {
    Container c(set);
    if (geteuid() == 0) c.uid = kNobody;
    if (c.uid) REQUIRE(chown(c.root().c_str(), c.uid, c.uid) == 0);
    Delivery d;
    d.writes = {directory(c, "ro", 0555), file(c, "ro/a", "a"), directory(c, "ro/sub", 0500),
                file(c, "ro/sub/b", "b"), file(c, "open/all", "a", 0666)};
    CHECK(told(c.deliver(d)) == "delivered");
    const bool later =
        set.shell != "/bin/busybox";  // as a user, it sets the mode of a directory only when it creates it
    CHECK(mode_of(c.at("ro")) == (later ? 0555 : 0755));
    CHECK(mode_of(c.at("ro/sub")) == (later ? 0500 : 0700));
    CHECK(mode_of(c.at("open/all")) == 0666);
    CHECK(mode_of(c.at("open")) == 0755);
    fs::permissions(c.at("ro"), fs::perms(0755));
    fs::permissions(c.at("ro/sub"), fs::perms(0755));
  });
}

TEST_CASE("4.9: not writable, no space, no tar: the reason, the path and the user") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("old", "o");
    if (geteuid() == 0) c.uid = kNobody;
    if (c.uid == 0) fs::permissions(c.root(), fs::perms(0555));
    Delivery d;
    d.writes = {file(c, "a.py", "x")};
    const auto outcome = c.deliver(d);
    CHECK(reason(outcome) == "NotWritable");
    CAPTURE(told(outcome));
    CHECK(told(outcome).contains(c.at("a.py") + " is not writable for user ID " +
                                 std::to_string(c.uid ? c.uid : getuid())));
    d = {};
    d.deletes = {gone(c, "old")};
    CHECK(told(c.deliver(d)) ==
          "delivered; shop/web-1, container web: " + c.at("old") + " cannot be deleted by user ID " +
              std::to_string(c.uid ? c.uid : getuid()) +
              " and stays: Permission denied; make it writable for that user (chown in the Dockerfile, or "
              "securityContext.runAsUser or fsGroup of the pod), or sync to another directory");
    fs::permissions(c.root(), fs::perms(0755));

    if (set.shell == "/bin/busybox") return;  // Debian's runs its own tar and rm whatever PATH says
    Container bare(set, false);
    d = {};
    d.writes = {file(bare, "a.py", "x")};
    d.deletes = {gone(bare, "old")};
    bare.put("old", "stays");
    CHECK(told(bare.deliver(d))
              .contains("ToolMissing: shop/web-1, container web: the image has no `tar` on its PATH"));
    CHECK(bare.get("old") == "stays");
    fs::remove(bare.tools() / "sh");
    CHECK(told(bare.deliver(d)).contains("the image has no `sh` on its PATH"));
  });
}

TEST_CASE("4.9: several places that are not writable are named together") {
  with_each([](const Toolset& set) {
    if (set.shell == "/bin/busybox") return;  // its tar ends with the first
    Container c(set);
    if (geteuid() == 0) c.uid = kNobody;
    Delivery d;
    for (const std::string place : {"a", "b", "c", "d", "e", "f", "g"}) {
      c.put(place + "/old", "o");
      fs::permissions(c.at(place), fs::perms(0555));
      d.writes.push_back(file(c, place + "/x", "x"));
      d.writes.push_back(file(c, place + "/y", "y"));
    }
    CHECK(told(c.deliver(d))
              .contains(c.at("a/x") + " is not writable for user ID " +
                        std::to_string(c.uid ? c.uid : getuid())));
    CHECK(told(c.deliver(d))
              .contains("; also " + c.at("b/x") + ", " + c.at("c/x") + ", " + c.at("d/x") + ", " +
                        c.at("e/x") + " and 2 more; make it writable"));
  });
}

TEST_CASE("4.5: what cannot be deleted stays, with a warning, and the rest of the batch goes on") {
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("fine", "x");
    c.put("single", "x");
    fs::create_directory(c.at("ro"));
    fs::create_directory(c.at("mounted"));
    if (mount("tmpfs", c.at("ro").c_str(), "tmpfs", 0, nullptr) != 0) {
      MESSAGE("cannot mount a tmpfs here, left out");
      return;
    }
    REQUIRE(mount("tmpfs", c.at("mounted").c_str(), "tmpfs", 0, nullptr) == 0);
    REQUIRE(mount(c.at("fine").c_str(), c.at("single").c_str(), nullptr, MS_BIND, nullptr) == 0);
    Delivery d;
    for (const std::string name : {"a", "b", "c", "d", "e"}) {
      c.put("ro/" + name, "x");
      d.deletes.push_back(gone(c, "ro/" + name));
    }
    REQUIRE(mount(nullptr, c.at("ro").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    for (const char* name : {"fine", "single"}) d.deletes.push_back(gone(c, name));
    d.deletes.push_back(gone(c, "mounted", FileType::Directory));
    d.writes = {file(c, "new", "n")};
    const auto outcome = c.deliver(d);
    const auto said = told(outcome);
    CAPTURE(said);
    CHECK(said.starts_with("delivered; shop/web-1, container web: " + c.at("single") +
                           " cannot be deleted by user ID 0 and stays: "));
    CHECK(said.contains("; also " + c.at("ro/e") + " (Read-only file system), " + c.at("ro/d") + " ("));
    CHECK(said.contains(" and 2 more; mount its directory"));
    CHECK(c.get("new") == "n");
    CHECK(c.get("ro/a") == "x");
    CHECK(!c.has("fine"));
    for (const char* at : {"ro", "single", "mounted"}) umount(c.at(at).c_str());
  });
}

TEST_CASE("4.9: a full file system") {
  with_each([](const Toolset& set) {
    Container c(set);
    fs::create_directory(c.at("small"));
    if (mount("tmpfs", c.at("small").c_str(), "tmpfs", 0, "size=64k") != 0) {
      MESSAGE("cannot mount a tmpfs here, left out");
      return;
    }
    Delivery d;
    d.writes = {file(c, "small/a", "fits"), file(c, "small/big", std::string(1'000'000, 'x'))};
    const auto outcome = c.deliver(d);
    CHECK(reason(outcome) == "NoSpace");
    CAPTURE(told(outcome));
    CHECK(told(outcome).contains(c.at("small/big") + " does not fit: no space is left for user ID " +
                                 std::to_string(getuid())));
    CHECK(told(outcome).contains("; free some, or raise the limit"));
    CHECK(mount(nullptr, c.at("small").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    d.writes = {file(c, "small/tiny", "x")};
    CHECK(reason(c.deliver(d)) == "ReadOnlyFileSystem");
    d.writes = {file(c, "small", "a file now")};
    CHECK(told(c.deliver(d)).contains("is a mount point in the way of a file"));
    umount(c.at("small").c_str());
  });
}

TEST_CASE("a batch of 1,500 files and 1,500 deletes takes several commands") {
  for (const Toolset& set : toolsets()) {
    if (set.shell == "/bin/bash") continue;
    CAPTURE(set.name);
    Container c(set);
    Delivery d;
    for (int i = 0; i < 1500; ++i) {
      const std::string name = "some/directory/number-" + std::to_string(i % 60) +
                               "/a_file_with_a_rather_long_name_as_some_generators_make_them_" +
                               std::to_string(i);
      d.writes.push_back(file(c, name + ".py", "x"));
      d.deletes.push_back(gone(c, name + ".pyc"));
      if (i % 100 == 0) c.put(name + ".pyc", "old");
    }
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(c.execs > 2);
    int files = 0;
    for (const auto& it : fs::recursive_directory_iterator(c.root())) files += it.is_regular_file();
    CHECK(files == 1500);
  }
}

TEST_CASE("4.6: a run has its directory, the changed paths, the sequence, and its own exit code") {
  with_each([](const Toolset& set) {
    Container c(set);
    Delivery d;
    d.sequence = 42;
    d.writes = {file(c, "src/a b", "x")};
    d.after_sync = {
        {3,
         {"sh", "-c",
          "pwd; echo \"$LIVE_UPDATE_SEQUENCE $LIVE_UPDATE_CHANGED_COUNT $LIVE_UPDATE_CHANGED\"; echo err "
          ">&2; exit 7"},
         c.root().string(),
         60,
         OnFailure::Continue},
        {4, {"sh", "-c", "kill -KILL $$"}, "", 60, OnFailure::Continue},
        {5, {"no such program"}, "", 60, OnFailure::Continue},
        {6, {"true"}, "/no such directory", 60, OnFailure::Continue},
        {7,
         {"sh", "-c",
          "i=0; while [ $i -lt 20000 ]; do echo 0123456789 0123456789 0123456789; i=$((i+1)); done; echo "
          "last; exit 1"},
         "",
         60,
         OnFailure::Stop},
        {8, {"true"}, "", 60, OnFailure::Stop}};
    const auto outcome = c.deliver(d);
    const auto& delivered = std::get<Delivered>(outcome);
    REQUIRE(delivered.failures.size() == 5);
    CHECK(delivered.failures[0].exit_code == 7);
    CHECK(delivered.failures[0].tail.contains(c.root().string() + "\n42 1 " + c.at("src/a b")));
    CHECK(delivered.failures[0].tail.contains("err"));
    CHECK(!delivered.failures[0].tail.contains("live-update: pid"));
    CHECK(delivered.failures[1].exit_code == 137);
    CHECK(delivered.failures[2].exit_code == 127);
    CHECK(delivered.failures[3].exit_code == 126);
    CHECK(delivered.failures[3].tail.contains("/no such directory"));
    CHECK(delivered.failures[4].tail.size() <= 4096);
    CHECK(delivered.failures[4].tail.ends_with("\nlast"));
    CHECK(delivered.skipped == std::vector{8});
  });
}

TEST_CASE("4.6: a run that hangs is ended with its whole process group") {
  for (const Toolset& set : toolsets()) {
    if (set.shell == "/bin/bash") continue;
    for (bool leader : {true, false}) {
      CAPTURE(set.name);
      CAPTURE(leader);
      Container c(set);
      c.leader = leader;
      Delivery d;
      d.after_sync = {{2,
                       {"sh", "-c", "echo begin; sleep 30 & echo $! >" + c.at("pid") + "; wait"},
                       "",
                       1,
                       OnFailure::Stop}};
      const auto outcome = c.deliver(d);
      const auto& failures = std::get<Delivered>(outcome).failures;
      REQUIRE(failures.size() == 1);
      CHECK(failures[0].timed_out);
      CHECK(failures[0].tail.starts_with("begin"));
      CHECK(ends(c.get("pid")));
    }
  }
}

TEST_CASE("4.5: Mirror: what only the container has goes, what is ignored or not meant stays") {
  with_each([](const Toolset& set) {
    Container c(set);
    for (const char* path : {"old", "gone/deep/x", "line\nbreak", "-rf", "* ?", "a b/c", "kept/log",
                             "d/a.log", ".git/HEAD", ".hidden", "...", "d/\\0"})
      c.put(path, "left");
    fs::create_directory_symlink("/etc", c.at("link"));
    Delivery d;
    d.writes = {file(c, "a", "one"), file(c, "d/b", "two")};
    mirror(d, c.root().string(), "**/kept\n**/*.log\n");
    CHECK(told(c.deliver(d)) == "delivered");
    for (const char* path :
         {"old", "gone", "line\nbreak", "-rf", "* ?", "a b", ".hidden", "...", "d/\\0", "link"}) {
      CAPTURE(path);
      CHECK_FALSE(c.has(path));
    }
    for (const char* path : {"kept/log", "d/a.log", ".git/HEAD", "a", "d/b"}) {
      CAPTURE(path);
      CHECK(c.has(path));
    }
    CHECK(fs::exists("/etc/passwd"));
  });
}

TEST_CASE("4.5: Mirror: a link on the way is not followed, a folder that cannot be read stays") {
  with_each([](const Toolset& set) {
    if (geteuid() != 0) return;
    Container c(set);
    c.uid = kNobody;
    c.put("closed/x", "1");
    c.put("open/old", "1");
    c.put("target/precious", "1");
    fs::create_directory_symlink("../target", c.at("open/way"));
    for (const char* path : {"", "open", "target"}) REQUIRE(chown(c.at(path).c_str(), kNobody, kNobody) == 0);
    fs::permissions(c.at("closed"), fs::perms(0700));
    Delivery d;
    d.writes = {file(c, "a", "one"), file(c, "target/precious", "1")};
    mirror(d, c.root().string());
    CHECK(told(c.deliver(d)) ==
          "delivered; shop/web-1, container web: spec.source.deletes: Mirror: " + c.at("closed") +
              " cannot be listed, so what only this container has there stays");
    CHECK_FALSE(c.has("open"));
    CHECK(c.has("closed/x"));
    CHECK(c.get("target/precious") == "1");
  });
}

TEST_CASE("4.5: Mirror: what is mounted stays, binds too") {
  if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) return;
  REQUIRE(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  with_each([](const Toolset& set) {
    Container c(set);
    c.put("data/x", "1");
    c.put("a b/bound/gone", "1");
    c.put("file", "1");
    c.put("old/y", "1");
    const TempTree other;
    other.write("precious", "1");
    REQUIRE(mount(other.root().c_str(), c.at("a b/bound").c_str(), nullptr, MS_BIND, nullptr) == 0);
    REQUIRE(mount(other.at("precious").c_str(), c.at("file").c_str(), nullptr, MS_BIND, nullptr) == 0);
    Delivery d;
    d.writes = {file(c, "a", "one")};
    mirror(d, c.root().string());
    CHECK(told(c.deliver(d)) == "delivered");
    CHECK(other.read("precious") == "1");
    CHECK(c.has("a b/bound/precious"));
    CHECK_FALSE(c.has("old"));
    CHECK_FALSE(c.has("data"));
    CHECK(c.has("file"));
    umount2(c.at("a b/bound").c_str(), MNT_DETACH);
    umount2(c.at("file").c_str(), MNT_DETACH);
  });
}

TEST_CASE("4.5: Mirror: more than maxDeletes stay, and the files arrive") {
  with_each([](const Toolset& set) {
    Container c(set);
    for (int i = 0; i < 6; ++i) c.put("old" + std::to_string(i), "left");
    Delivery d;
    d.writes = {file(c, "a", "one")};
    mirror(d, c.root().string(), "", 5);
    const auto outcome = c.deliver(d);
    CHECK(std::get<Delivered>(outcome).held.contains("maxDeletes (5): " + c.at("old0") + ", "));
    CHECK(c.get("a") == "one");
    CHECK(c.has("old5"));
  });
}

TEST_CASE("4.5: what makes no sense in a listing deletes nothing") {
  const auto read = [](std::string_view said) {
    std::string text;
    ListReader reader(
        1, {.found = [&](std::size_t, const std::string& name, FoundKind) { text += name + ";"; },
            .unlisted = [&](std::size_t, bool absent) { text += absent ? "absent;" : "unlisted;"; }});
    for (const char c : said) reader.feed({&c, 1});
    return text + reader.trouble();
  };
  using namespace std::string_view_literals;
  CHECK(read("L1\0m/\0R/app\0F/app\0fx\0E\0"sv) == "x;");
  CHECK(read("L1\0m/\0R/app\0F/app\0fx\0"sv) == "x;its sh did not tell all of it");
  CHECK(read("L1\0m/\0R/app\0E\0"sv) == "what its sh says makes no sense");
  CHECK(read("Welcome\n\0"sv) == "what its sh says makes no sense");
  CHECK(read("L1\0fx\0"sv) == "what its sh says makes no sense");
  CHECK(read("L1\0F/app\0fx\0E\0"sv) == "unlisted;");
  CHECK(read("L1\0m/app/vol\\040ume\0R/app\0F/app\0dvol ume\0E\0"sv) == "vol ume;");
  CHECK(read("L1\0m/app\0R/\0F/app/d\0fx\0E\0"sv) == "unlisted;");
  CHECK(read("L1\0N\0"sv) == "/proc/self/mountinfo cannot be read there, so it is not known what is mounted");
}
