// What a batch does to a directory (rules 4.1 to 4.5).
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "test/agent/agent_process.h"
#include "test/agent/look.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

using namespace std::string_literals;
using Tree = std::map<std::string, std::string>;

TEST_SUITE_BEGIN("agent: applying");

TEST_CASE("4.2 one save is one write by the operator, and one answer by the agent") {
  TempTree container;
  container.write("app/src/a.py", "old");
  AgentProcess agent;
  const auto before = look(container.at("app/src/a.py")).st_ino;
  const auto answer = agent.apply({container.at("app")}, file("src/a.py", "new content"));
  REQUIRE(confirmed(answer));
  CHECK(std::get<Confirmed>(answer).sequence == 1);
  CHECK(std::get<Confirmed>(answer).changed == 1);
  CHECK(soon([&] {
    return tree_of(container.root()) ==
           Tree{{"app", "dir"}, {"app/src", "dir"}, {"app/src/a.py", "file 644 new content"}};
  }));
  CHECK(look(container.at("app/src/a.py")).st_ino != before);
  CHECK(agent.warnings.empty());
  CHECK(agent.close() == 0);
}

TEST_CASE("4.3 4.4 parents are made; mode and owner are as they should be") {
  TempTree container;
  AgentProcess agent;
  REQUIRE(confirmed(agent.apply({container.at("app/deep")},
                                file("x/y/run.sh", "#!/bin/sh\n", 06755) + file("empty", "", 0600))));
  const auto there = look(container.at("app/deep/x/y/run.sh"));
  CHECK((there.st_mode & 07777) == 0755);
  CHECK(there.st_uid == geteuid());
  CHECK(look(container.at("app/deep/empty")).st_size == 0);
  CHECK((look(container.at("app/deep/empty")).st_mode & 0777) == 0600);
}

TEST_CASE("4.3 a file becomes a directory, a directory a file, a symlink either") {
  TempTree container;
  container.write("app/one", "file");
  container.write("app/two/inside", "file");
  container.mkdir("elsewhere");
  container.link("app/three", container.at("elsewhere"));
  container.link("app/four", container.at("elsewhere"));
  AgentProcess agent;
  const auto answer =
      agent.apply({container.at("app")}, std::vector<Request>{Delete{0, "one"}, Directory{0, "three", 0750}} +
                                             file("one/a", "1") + file("two", "2") + file("three/b", "3") +
                                             file("four", "4"));
  CHECK(failure_of(answer) == "");
  CHECK(soon([&] {
    return tree_of(container.root()) == Tree{{"app", "dir"},
                                             {"app/one", "dir"},
                                             {"app/one/a", "file 644 1"},
                                             {"app/two", "file 644 2"},
                                             {"app/three", "dir"},
                                             {"app/three/b", "file 644 3"},
                                             {"app/four", "file 644 4"},
                                             {"elsewhere", "dir"}};
  }));
  CHECK((look(container.at("app/three")).st_mode & 0777) == 0750);
}

TEST_CASE("4.3 a symlink is put there as a symlink, its target untouched") {
  TempTree container;
  container.write("app/v1/f", "one");
  container.link("app/latest", "v1");
  container.write("app/was-dir/x", "x");
  AgentProcess agent;
  REQUIRE(confirmed(agent.apply({container.at("app")}, {Symlink{0, "latest", "v2", Mtime{5, 6}},
                                                        Symlink{0, "was-dir", "/nowhere", {}}})));
  CHECK(soon([&] {
    return tree_of(container.at("app")) ==
           Tree{{"v1", "dir"}, {"v1/f", "file 644 one"}, {"latest", "link v2"}, {"was-dir", "link /nowhere"}};
  }));
}

// In microseconds, as clocks of files are coarser than others.
std::int64_t time_of(const std::string& path) {
  const auto there = look(path);
  return there.st_mtim.tv_sec * 1'000'000 + there.st_mtim.tv_nsec / 1000;
}
std::int64_t now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000 + time.tv_nsec / 1000;
}
void set_time(const std::string& path, time_t seconds) {
  const timespec times[2] = {{seconds, 5000}, {seconds, 5000}};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}
constexpr std::int64_t kLongAgo = 1'000'000'000;

TEST_CASE("4.4 what changes gets the time of the replacement, not the host's older one") {
  for (const int exchange_error : {0, EINVAL}) {
    TempTree container;
    for (const auto* path : {"app/a", "app/same-size", "app/dir/x"}) container.write(path, "old");
    container.link("app/link", "old");
    for (const auto* path : {"app/a", "app/same-size", "app/link"}) set_time(container.at(path), kLongAgo);
    AgentProcess agent({.exchange_error = exchange_error});
    agent.send(std::vector<Request>{Begin{1, {}, 1, {container.at("app")}}} + file("a", "changed") +
               file("same-size", "new") + file("dir", "a file now") + file("created", "x") +
               std::vector<Request>{Symlink{0, "link", "new", Mtime{5, 6}}});
    REQUIRE(passed(agent.ask({barrier(2)}, 2)));
    // What somebody builds from the old content while the batch comes is older than the new content.
    container.write("object", "built from the old");
    const auto before = time_of(container.at("object"));
    REQUIRE(soon([&] { return now(CLOCK_REALTIME_COARSE) > before; }));
    REQUIRE(confirmed(agent.ask({Commit{1}}, 1)));
    for (const auto* path : {"app/a", "app/same-size", "app/dir", "app/created", "app/link"}) {
      CAPTURE(path);
      CHECK(time_of(container.at(path)) > before);
      CHECK(time_of(container.at(path)) <= now(CLOCK_REALTIME));
    }
  }
}

TEST_CASE("4.4 what has equal content stays, with its time, whatever is sent for it") {
  TempTree container;
  const std::string large(200'000, 'l');
  container.write("app/a", "same");
  container.write("app/large", large);
  container.write("app/empty", "");
  container.write("app/suid", "same");
  container.write("app/changing", "same");
  container.link("app/link", "target");
  chmod(container.at("app/suid").c_str(), 04755);
  std::map<std::string, ino_t> files;
  for (const auto* path : {"app/a", "app/large", "app/empty", "app/suid", "app/changing", "app/link"}) {
    set_time(container.at(path), kLongAgo);
    files[path] = look(container.at(path)).st_ino;
  }
  AgentProcess agent;
  agent.send(std::vector<Request>{Begin{1, {}, 1, {container.at("app")}}} + file("a", "same") +
             file("large", large, 0600) + file("empty", "") + file("suid", "same", 0755) +
             file("changing", "same") + std::vector<Request>{Symlink{0, "link", "target", {}}});
  REQUIRE(passed(agent.ask({barrier(2)}, 2)));
  container.write("app/changing", "by the program, meanwhile");
  const auto answer = agent.ask({Commit{1}}, 1);
  REQUIRE(confirmed(answer));
  CHECK(container.read("app/changing") == "same");
  CHECK(std::get<Confirmed>(answer).changed == 3);  // two modes, and that one
  files.erase("app/changing");
  for (const auto& [path, number] : files) {
    CAPTURE(path);
    CHECK(look(container.at(path)).st_ino == number);
    CHECK(look(container.at(path)).st_mtim.tv_sec == kLongAgo);
  }
  CHECK((look(container.at("app/large")).st_mode & 07777) == 0600);
  CHECK((look(container.at("app/suid")).st_mode & 07777) == 0755);
  File kept{.path = "a",
            .mode = 0700,
            .mtime = Mtime{7, 0},
            .size = 4,
            .digest = sha256_of("same"),
            .content = Content::Kept};
  REQUIRE(confirmed(agent.apply({container.at("app")}, {kept})));
  CHECK((look(container.at("app/a")).st_mode & 07777) == 0700);
  CHECK(look(container.at("app/a")).st_mtim.tv_sec == kLongAgo);
  const auto left = [&] { return tree_of(container.at("app")).size(); };
  CHECK(soon([&] { return left() == 6; }));
}

TEST_CASE("4.4 where the container's user is root, a file that is replaced keeps its owner") {
  if (geteuid() != 0) return;
  for (const int exchange_error : {0, EINVAL}) {
    TempTree container;
    for (const auto* path : {"app/secret", "app/group", "app/ours", "app/was-dir/x"})
      container.write(path, "old");
    container.chmod("app/secret", 0600);
    REQUIRE(chown(container.at("app/secret").c_str(), 33, 34) == 0);
    REQUIRE(chown(container.at("app/group").c_str(), 0, 34) == 0);
    REQUIRE(chown(container.at("app/was-dir").c_str(), 33, 33) == 0);
    AgentProcess agent({.exchange_error = exchange_error});
    REQUIRE(confirmed(agent.apply(
        {container.at("app")}, file("secret", "a new secret", 06600) + file("group", "new") +
                                   file("ours", "new") + file("was-dir", "new") + file("created", "new"))));
    const auto owner = [&](const char* path) {
      const auto there = look(container.at(path));
      return std::to_string(there.st_uid) + ":" + std::to_string(there.st_gid);
    };
    CHECK(container.read("app/secret") == "a new secret");
    CHECK(owner("app/secret") == "33:34");
    CHECK((look(container.at("app/secret")).st_mode & 07777) == 0600);
    CHECK(owner("app/group") == "0:34");
    for (const auto* path : {"app/ours", "app/was-dir", "app/created"}) CHECK(owner(path) == "0:0");
    CHECK(agent.warnings.empty());
  }
  TempTree container;
  container.write("app/secret", "old");
  REQUIRE(chown(container.at("app/secret").c_str(), 33, 34) == 0);
  AgentProcess may_not({.before = {"setpriv", "--bounding-set", "-chown"}});
  REQUIRE(confirmed(may_not.apply({container.at("app")}, file("secret", "new"))));
  REQUIRE(may_not.warnings.size() == 1);
  CHECK(may_not.warnings[0].path == container.at("app/secret"));
  CHECK(may_not.warnings[0].text ==
        "belonged to 33:34 and belongs to 0:0 now: its owner could not be kept: Operation not permitted "
        "(EPERM)");
}

TEST_CASE("3.3 3.4 a sync of a single file, and a sync root that is deleted or not a directory yet") {
  TempTree container;
  container.write("app/package.json", "{}");
  container.write("app/lib", "a file");
  container.write("app/src/a", "a");
  AgentProcess agent;
  const std::vector<std::string> roots{container.at("app/package.json"), container.at("app/lib"),
                                       container.at("app/src")};
  REQUIRE(
      confirmed(agent.apply(roots, std::vector<Request>{Delete{2, "a"}, Delete{2, "", DeleteHow::Tracked}} +
                                       file("", "{1}") + file("x", "in lib", 0644, 1))));
  CHECK(soon([&] {
    return tree_of(container.at("app")) ==
           Tree{{"package.json", "file 644 {1}"}, {"lib", "dir"}, {"lib/x", "file 644 in lib"}};
  }));
}

TEST_CASE("7.3 applying a batch twice changes nothing") {
  TempTree container;
  container.write("app/gone", "x");
  container.write("app/dir/old", "x");
  container.write("app/swap/inside", "x");
  const auto batch = std::vector<Request>{Delete{0, "gone"},
                                          Delete{0, "dir/old"},
                                          Delete{0, "dir", DeleteHow::Tracked},
                                          Delete{0, "swap/inside"},
                                          Delete{0, "swap", DeleteHow::Tracked},
                                          Directory{0, "new"},
                                          Symlink{0, "swap", "new", {}}} +
                     file("new/f", "content");
  AgentProcess agent;
  REQUIRE(confirmed(agent.apply({container.at("app")}, batch)));
  const Tree expected{{"new", "dir"}, {"new/f", "file 644 content"}, {"swap", "link new"}};
  CHECK(soon([&] { return tree_of(container.at("app")) == expected; }));
  REQUIRE(confirmed(agent.apply({container.at("app")}, batch)));
  CHECK(soon([&] { return tree_of(container.at("app")) == expected; }));
  CHECK(agent.warnings.empty());
}

TEST_CASE("2.7 only the mode changes: the file stays the same one") {
  TempTree container;
  container.write("app/run.sh", "echo");
  AgentProcess agent;
  const auto before = look(container.at("app/run.sh")).st_ino;
  File kept{.path = "run.sh", .mode = 0755, .size = 4, .digest = sha256_of("echo"), .content = Content::Kept};
  REQUIRE(confirmed(agent.apply({container.at("app")}, {kept})));
  CHECK((look(container.at("app/run.sh")).st_mode & 07777) == 0755);
  CHECK(look(container.at("app/run.sh")).st_ino == before);
  kept.digest = sha256_of("other");
  CHECK(failure_of(agent.apply({container.at("app")}, {kept})) ==
        "Digest: " + container.at("app/run.sh") +
            " does not have the content it should have (send its content)");
  kept.path = "none";
  CHECK(failure_of(agent.apply({container.at("app")}, {kept})) ==
        "Missing: " + container.at("app/none") + " is not there as a file (send its content)");
}

TEST_CASE("content: zstd in any pieces, mixed with plain bytes") {
  TempTree container;
  std::string big(700'000, '\0');
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * i / 1000);
  AgentProcess agent;
  const auto packed = zstd_of(big.substr(500'000, 100'000)) + zstd_of(big.substr(600'000, 50'000));
  File head{.path = "big", .size = big.size(), .digest = sha256_of(big)};
  std::vector<Request> batch{head};
  for (std::size_t at = 0; at < 500'000; at += 250'000)
    batch.push_back(Data{Coding::Identity, std::string_view(big).substr(at, 250'000), false});
  for (std::size_t at = 0; at < packed.size(); at += 1000)
    batch.push_back(Data{Coding::Zstd, std::string_view(packed).substr(at, 1000), false});
  batch.push_back(Data{Coding::Identity, std::string_view(big).substr(650'000), true});
  CHECK(failure_of(agent.apply({container.at("app")}, batch)) == "");
  CHECK(container.read("app/big") == big);
}

TEST_CASE("content that is not what was promised: nothing of the batch is visible") {
  TempTree container;
  container.write("app/a", "old");
  AgentProcess agent;
  const auto refused = [&](std::vector<Request> more) {
    const auto answer = agent.apply({container.at("app")}, file("a", "new") + std::move(more));
    CHECK(tree_of(container.at("app")) == Tree{{"a", "file 644 old"}});
    return failure_of(answer);
  };
  const auto prefix = "Digest: the content that came for " + container.at("app/b") + " ";
  File head{.path = "b", .size = 5, .digest = sha256_of("hello")};
  CHECK(refused({head, Data{Coding::Identity, "jello", true}}) ==
        prefix + "does not have the promised digest (send it again)");
  CHECK(refused({head, Data{Coding::Identity, "hell", true}}) ==
        prefix + "is shorter than was promised (send it again)");
  CHECK(refused({head, Data{Coding::Identity, "hello!", true}}) ==
        prefix + "is longer than was promised (send it again)");
  CHECK(refused({head, Data{Coding::Zstd, "hello", true}}) ==
        prefix + "cannot be decompressed: Unknown frame descriptor (send it again)");
  const auto bomb = zstd_of(std::string(50 << 20, 'x')), good = zstd_of("hello");
  CHECK(refused({head, Data{Coding::Zstd, bomb, true}}) ==
        prefix + "is longer than was promised (send it again)");
  CHECK(refused({head, Data{Coding::Zstd, std::string_view(good).substr(0, good.size() - 1), true}}) ==
        prefix + "has a zstd frame without an end (send it again)");
  CHECK(confirmed(agent.apply({container.at("app")}, file("b", "hello"))));
}

TEST_CASE("a failed batch leaves the session usable") {
  TempTree container;
  container.mkdir("app");
  AgentProcess agent;
  const auto answer = agent.apply({container.at("app")}, file("a", "x") + file("../b", "x"));
  CHECK(failure_of(answer).starts_with("BadRequest: "));
  CHECK(tree_of(container.at("app")).empty());
  CHECK(confirmed(agent.apply({container.at("app")}, file("a", "y"))));
}

TEST_CASE("names: 255 bytes, newlines, spaces, not UTF-8, a leading dash") {
  TempTree container;
  container.mkdir("app");
  AgentProcess agent;
  std::vector<Request> batch;
  Tree expected;
  for (const auto& name :
       {std::string(255, 'n'), "new\nline"s, " "s, "\xff\xfe"s, "-rf"s, "a b/c\td"s, "..."s}) {
    batch = std::move(batch) + file(name, "x");
    expected[name] = "file 644 x";
  }
  expected["a b"] = "dir";
  CHECK(failure_of(agent.apply({container.at("app")}, batch)) == "");
  CHECK(soon([&] { return tree_of(container.at("app")) == expected; }));
  CHECK(
      failure_of(agent.apply({container.at("app")}, file(std::string(256, 'n'), "x"))).find("ENAMETOOLONG") !=
      std::string::npos);
}

TEST_CASE("W3 two thousand files at once: written, modified, deleted") {
  TempTree container;
  std::vector<std::string> contents;
  for (int i = 0; i < 2000; ++i) contents.push_back("content " + std::to_string(i));
  const auto path = [](int i) { return "d" + std::to_string(i % 40) + "/e/f" + std::to_string(i); };
  AgentProcess agent;
  std::vector<Request> first, second;
  Tree expected;
  for (int i = 0; i < 2000; ++i) first = i ? std::move(first) : file(path(0), contents[0]);
  for (int i = 1; i < 2000; ++i) {
    for (auto& request : file(path(i), contents[static_cast<std::size_t>(i)])) first.push_back(request);
  }
  REQUIRE(confirmed(agent.apply({container.at("app")}, first)));
  for (int i = 0; i < 2000; i += 10) second.push_back(Delete{0, path(i)});
  for (int i = 1; i < 2000; ++i) {
    if (i % 10 == 0) continue;
    for (auto& request : file(path(i), contents[static_cast<std::size_t>(1999 - i)]))
      second.push_back(request);
  }
  for (int i = 0; i < 2000; ++i) {
    if (i % 10 != 0) expected[path(i)] = "file 644 " + contents[static_cast<std::size_t>(1999 - i)];
  }
  for (int i = 0; i < 40; ++i)
    expected["d" + std::to_string(i)] = expected["d" + std::to_string(i) + "/e"] = "dir";
  REQUIRE(confirmed(agent.apply({container.at("app")}, second)));
  CHECK(soon([&] { return tree_of(container.at("app")) == expected; }));
}

TEST_CASE("W13 a reader in a tight loop never sees a torn or missing file") {
  for (const int exchange_error : {0, EINVAL}) {
    TempTree container;
    const std::string a(20'000, 'a'), b(30'000, 'b');
    container.write("app/f", a);
    AgentProcess agent({.exchange_error = exchange_error});
    std::atomic<bool> stop = false;
    std::atomic<int> reads = 0, torn = 0, missing = 0;
    std::thread reader([&] {
      while (!stop) {
        FILE* stream = fopen(container.at("app/f").c_str(), "re");
        if (!stream) {
          ++missing;
          continue;
        }
        std::string text(40'000, '\0');
        text.resize(fread(text.data(), 1, text.size(), stream));
        fclose(stream);
        torn += text != a && text != b;
        ++reads;
      }
    });
    for (int i = 0; i < 300; ++i)
      CHECK(confirmed(agent.apply({container.at("app")}, file("f", i % 2 ? a : b))));
    CHECK(soon([&] { return reads > 100; }));
    stop = true;
    reader.join();
    CHECK(torn == 0);
    CHECK(missing == 0);
  }
}

TEST_CASE("a running program is replaced, not written to (ETXTBSY)") {
  TempTree container;
  container.mkdir("app");
  std::filesystem::copy_file("/bin/sleep", container.at("app/server"));
  const Sleeper server(container.at("app/server"));
  AgentProcess agent;
  CHECK(confirmed(agent.apply({container.at("app")}, file("server", "new program", 0755))));
  CHECK(container.read("app/server") == "new program");
  CHECK(server.alive());
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
