// The transport step by step, against a scripted exec. What the scripts themselves do:
// test/wire/tar_shell_test.cc.
#include "operator/tar/tar_transport.h"

#include "operator/exec/script_note.h"
#include "run/content.h"
#include "test/unit/operator/tar_transport_world.h"

using namespace live_update;
using Situation = TarSituation;

namespace {

DeliveryWrite file(const std::string& path, const std::string& text, const std::string& root = "/app") {
  return {path,         root, FileType::File,
          0644,         {},   text.size(),
          sha256(text), "",   {{0, Encoding::Identity, std::make_shared<std::string>(text)}}};
}
DeliveryRun run(int step, OnFailure on_failure = OnFailure::Stop) {
  return {step, {"do", std::to_string(step)}, "", 300, on_failure};
}

Delivery everything() {
  Delivery d;
  d.sequence = 7;
  d.before_sync = {run(1)};
  d.deletes = {{"old", "/app/old", FileType::File, "/app"}};
  d.writes = {file("/app/a", "aa")};
  d.after_sync = {run(2), run(3)};
  d.restart = Restart{RestartSignal{"HUP"}, {}};
  return d;
}

// The given exec, counted from 0, ends like this; all others with 0.
std::function<void(FakeExec&)> only(Situation& s, std::size_t which, std::function<void(FakeExec&)> how) {
  return
      [&s, which, how = std::move(how)](FakeExec& it) { s.execs.size() == which + 1 ? how(it) : it.exit(0); };
}

constexpr Millis kIdle{30'000}, kTimeout{300'000};

}  // namespace

TEST_CASE("4.1: runs before, deletes and files in one exec, runs after, restart") {
  Situation s;
  s.given(everything()).deliver();
  CHECK(s.told() == "delivered");
  REQUIRE(s.execs.size() == 5);
  CHECK(s.words(0) == "|7|/app/a\n/app/old|2|do|1");
  CHECK(s.words(1) == "1|7|root|@|./app|file|@/app|./a|.|/app/old");
  CHECK(s.words(2) == "|7|/app/a\n/app/old|2|do|2");
  CHECK(s.words(3) == "|7|/app/a\n/app/old|2|do|3");
  CHECK(s.words(4) == "HUP|1");
  CHECK(s.execs[1].request().stdin_open);
  CHECK(!s.execs[2].request().stdin_open);
  CHECK(s.timers.empty());
}

TEST_CASE("a delivery of nothing is delivered, on a later turn") {
  Situation s;
  s.given({}).deliver();
  CHECK(s.told() == "delivered");
  CHECK(s.execs.empty());
}

TEST_CASE("only deletes need no tar") {
  Situation s;
  Delivery d;
  d.deletes = {{"d/x", "/app/d/x", FileType::File, "/app"}, {"d", "/app/d", FileType::Directory, "/app"}};
  s.given(d).deliver();
  CHECK(s.words(0) == "0|6|off|@/app|./d|gone|./d|.|/app/d/x");
  CHECK(!s.execs[0].request().stdin_open);
}

TEST_CASE("4.5: what the script could not delete is a warning, of five paths at most") {
  Situation s;
  s.answer = only(s, 1, [&](FakeExec& it) {
    it.err("live-update: stays 7 /app/a: Device or res");
    it.err("ource busy\nlive-update: stays 7 /app/b: c: Read-only file system\n");
    for (const char* path : {"c", "d", "e", "f"})
      it.err("live-update: stays 7 /app/" + std::string(path) + ": Permission denied\n");
    it.err("live-update: stays +20\n");
    it.exit(0);
  });
  s.given(everything()).deliver();
  CHECK(
      s.told() ==
      "delivered; shop/web-1, container web: /app/a cannot be deleted by user ID 7 and stays: Device or "
      "resource busy; also /app/b: c (Read-only file system), /app/c (Permission denied), /app/d (Permission "
      "denied), /app/e (Permission denied) and 21 more; mount its directory instead of the single file, or "
      "sync to another directory");
}

TEST_CASE("4.7: after a failed run the next ones and the restart are not reached; the files are there") {
  Situation s;
  s.answer = only(s, 0, [](FakeExec& it) {
    it.err("live-update: pid=12 group\n");
    it.out("no such module\n");
    it.exit(3);
  });
  s.given(everything()).deliver();
  CHECK(s.told() ==
        "delivered; step 1 exit 3: no such module; step 2 skipped; step 3 skipped; step 0 skipped");
  CHECK(s.execs.size() == 2);
}

TEST_CASE("4.7: with Continue the others go on") {
  Situation s;
  Delivery d = everything();
  d.after_sync[0].on_failure = OnFailure::Continue;
  s.answer = only(s, 2, [](FakeExec& it) { it.exit(1); });
  s.given(d).deliver();
  CHECK(s.told() == "delivered; step 2 exit 1: ");
  CHECK(s.execs.size() == 5);
}

TEST_CASE("4.6: a command that no container can execute: nothing is sent") {
  Situation s;
  Delivery d = everything();
  d.after_sync[1].command = {"echo", std::string(1'200'000, 'x')};
  s.given(d).deliver();
  CHECK(
      s.told() ==
      "Unsupported: shop/web-1, container web: spec.steps[3].run: its command is longer than 256 KiB; put it "
      "into a file");
  CHECK(s.execs.empty());
}

TEST_CASE("4.6: a run that takes too long is ended by a second exec") {
  Situation s;
  Delivery d;
  d.after_sync = {run(4), run(5)};
  s.answer = only(s, 0, [](FakeExec& it) {
    it.err("live-update: pid=1");
    it.err("234 group\nwarming up\n");
  });
  s.given(d).deliver();
  CHECK(!s.pass(kIdle));  // silence is fine
  CHECK(s.pass(kTimeout));
  REQUIRE(s.execs.size() == 2);
  CHECK(s.words(1) == "-1234");
  CHECK(s.told() == "nothing yet");
  s.execs[0].exit(143);
  s.turn();
  CHECK(s.told() == "delivered; step 4 timed out: warming up; step 5 skipped");
}

TEST_CASE("4.6: a killed run whose session does not end is given up") {
  Situation s;
  Delivery d;
  d.after_sync = {run(4)};
  s.answer = only(s, 0, [](FakeExec& it) { it.err("live-update: pid=1234 single\n"); });
  s.given(d).deliver();
  CHECK(s.pass(kTimeout));
  CHECK(s.words(1) == "1234");
  CHECK(s.pass(Millis(5'000)));
  CHECK(s.told() == "delivered; step 4 timed out: ");
}

TEST_CASE("4.9: a connection cut during a run is tried again, what is left of the run is killed") {
  Situation s;
  s.answer = only(s, 2, [](FakeExec& it) {
    it.err("live-update: pid=55 group\n");
    it.cut({ErrorKind::Unavailable, "connection reset by peer"});
  });
  s.given(everything()).deliver();
  CHECK(s.words(3) == "-55");
  CHECK(s.told() ==
        "Unreachable, curable: shop/web-1, container web: connection reset by peer; it is tried again");
}

TEST_CASE("4.9: what an exec that could not start means") {
  const std::vector<std::pair<Error, std::string>> cases{
      {{ErrorKind::Internal,
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"sh\": executable "
        "file not found in $PATH: unknown"},
       "ToolMissing: shop/web-1, container web: the image has no `sh` on its PATH"},
      {{ErrorKind::Forbidden, "pods \"web-1\" is forbidden: cannot create resource \"pods/exec\""},
       "Forbidden, curable: "},
      {{ErrorKind::NotFound, "pods \"web-1\" not found"}, "Waiting, curable: "},
      {{ErrorKind::Internal, "container not found (\"web\")"}, "Waiting, curable: "},
      {{ErrorKind::Internal, "container is in CONTAINER_EXITED state"}, "Waiting, curable: "},
      {{ErrorKind::Unavailable, "cut"}, "Unreachable, curable: "},
  };
  for (const auto& [error, expected] : cases) {
    Situation s;
    s.answer = [&](FakeExec& it) { it.cut(error); };
    s.given(everything()).deliver();
    CAPTURE(s.told());
    CHECK(s.told().starts_with(expected));
    CHECK(s.execs.size() == 1);
  }
}

TEST_CASE("4.9: what a failed batch means") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"tar: app/a: Cannot open: Permission denied\ntar: Exiting with failure status due to previous "
       "errors\nlive-update: tar uid=1000 \n",
       "NotWritable: shop/web-1, container web: /app/a is not writable for user ID 1000 (tar: app/a: Cannot "
       "open: Permission denied); make it"},
      {"tar: can't open 'app/a': Permission denied\nlive-update: tar uid=unknown \n",
       "NotWritable: shop/web-1, container web: /app/a is not"},
      {"tar: can't open 'app/a': Read-only file system\nlive-update: tar uid=0 \n",
       "ReadOnlyFileSystem: shop/web-1, container web: /app/a is on"},
      {"tar: app/a: Wrote only 4608 of 10240 bytes\n",
       "NoSpace: shop/web-1, container web: /app/a does not fit"},
      {"tar: can't remove old file app/a: Device or resource busy\n", "NotWritable: "},
      {"mkdir: cannot create directory '/app': Permission denied\nlive-update: create uid=7 /app/x\n",
       "NotWritable: shop/web-1, container web: /app is"},
      {"live-update: symlink uid=0 /app/ln\n",
       "PathEscapes: shop/web-1, container web: /app/ln is a symbolic link in the container"},
      {"live-update: tool uid=0 tar\n", "ToolMissing: shop/web-1, container web: the image has no `tar`"},
      {"sh: 1: rm: not found\nlive-update: remove uid=0 /app/x\n",
       "ToolMissing: shop/web-1, container web: the image has no `rm`"},
      {"tar: something new\nlive-update: tar uid=0 \n",
       "Failed: shop/web-1, container web: unpacking failed with exit code 2: tar: something new"},
  };
  for (const auto& [err, expected] : cases) {
    Situation s;
    s.answer = only(s, 1, [&](FakeExec& it) {
      it.err(err);
      it.exit(2);
    });
    s.given(everything()).deliver();
    CAPTURE(s.told());
    CHECK(s.told().starts_with(expected));
    CHECK(s.execs.size() == 2);
  }
}

TEST_CASE("4.9: a tar that was killed is tried again") {
  Situation s;
  s.answer = only(s, 1, [](FakeExec& it) { it.exit(137); });
  s.given(everything()).deliver();
  CHECK(
      s.told().starts_with("Retrying, curable: shop/web-1, container web: unpacking was killed by signal 9"));
}

TEST_CASE("4.4: a directory of another user keeps its mode, with a warning") {
  Situation s;
  s.answer = only(s, 1, [](FakeExec& it) {
    it.err(
        "tar: app/d: Cannot utime: Operation not permitted\ntar: app/d: Cannot change mode to rwxr-xr-x: "
        "Operation not permitted\n"
        "tar: Exiting with failure status due to previous errors\nlive-update: tar uid=1000 \n");
    it.exit(2);
  });
  s.given(everything()).deliver();
  CHECK(s.told() ==
        "delivered; shop/web-1, container web: mode and time of /app/d stay as they are: it belongs to "
        "another user");
}

TEST_CASE("5.9 a wrong digest: nothing is sent, to no replica, and it is told whose content is wrong") {
  Situation s;
  Delivery d = everything();
  d.writes[0].digest = sha256("other");
  s.given(d).deliver();
  CHECK(s.told().starts_with(
      "DigestMismatch, curable: shop/web-1, container web: /app/a: its content has the digest sha256:"));
  CHECK(std::get<NotDelivered>(*s.outcome).wrong == wanted_content(d.writes[0]));
  CHECK(s.execs.empty());
}

TEST_CASE("4.3: a path outside of its root: nothing is sent") {
  for (const auto& [to, root] :
       std::vector<std::pair<std::string, std::string>>{{"/etc/passwd", "/app"},
                                                        {"/application", "/app"},
                                                        {"/app/../etc", "/app"},
                                                        {"app/a", "app"},
                                                        {"/app//a", "/app"},
                                                        {"/app/./a", "/app"},
                                                        {"/", "/"},
                                                        {"/app/a/", "/app"},
                                                        {std::string("/app/a\0b", 8), "/app"}}) {
    CAPTURE(to);
    Situation s;
    Delivery d;
    d.writes = {file(to, "x", root)};
    s.given(d).deliver();
    CHECK(s.told().starts_with("PathEscapes: shop/web-1"));
    CHECK(s.execs.empty());
    Situation t;
    d.writes.clear();
    if (to == "/") continue;
    d.deletes = {{"x", to, FileType::File, root}};
    t.given(d).deliver();
    CHECK(t.told().starts_with("PathEscapes: shop/web-1"));
    CHECK(t.execs.empty());
  }
}

TEST_CASE("4.3: a write below a link of the same batch: nothing is sent") {
  Situation s;
  Delivery d;
  d.writes = {{"/app/ln", "/app", FileType::Symlink, 0777, {}, 0, "", "/etc", {}},
              file("/app/ln/sub/passwd", "x", "/app/ln/sub")};
  s.given(d).deliver();
  CHECK(s.told().contains(
      "/app/ln/sub/passwd lies below a path that is a file or a symbolic link in the same batch"));
  CHECK(s.execs.empty());
}

TEST_CASE("an exec without progress for 30 s is cut; one with progress is not") {
  Situation s;
  s.answer = [](FakeExec&) {};
  s.given(everything()).deliver();
  s.execs[0].out("something");
  s.turn();
  CHECK(s.timers.size() == 1);
  CHECK(s.pass(kIdle));
  CHECK(s.told() ==
        "Unreachable, curable: shop/web-1, container web: no progress for 30 s, the connection was cut; it "
        "is tried again");
  CHECK(!s.execs[0].alive());
}

TEST_CASE("an abandoned delivery says nothing any more and leaves no session") {
  Situation s;
  s.answer = only(s, 1, [](FakeExec&) {});
  s.given(everything()).deliver();
  REQUIRE(s.execs.size() == 2);
  s.job.reset();
  CHECK(!s.execs[1].alive());
  s.turn();
  CHECK(s.told() == "nothing yet");
  CHECK(s.timers.empty());
}

TEST_CASE("4.8: a restart that cannot be: the reason and the remedy") {
  Situation s;
  Delivery d = everything();
  d.restart = Restart{RestartProcess{}, {}};
  s.given(d).deliver();
  CHECK(
      s.told().starts_with("Unsupported: shop/web-1, container web: the files are there, but restart.process "
                           "needs the supervising agent"));
  Situation t;
  t.answer = only(t, 4, [](FakeExec& it) {
    it.err("live-update: unhandled uid=0 sleep\n");
    it.exit(kRefusedExit);
  });
  d.restart = Restart{RestartContainer{}, {}};
  t.given(d).deliver();
  CHECK(t.words(4) == "TERM|15");
  CHECK(t.told().starts_with(
      "RestartFailed: shop/web-1, container web: sleep is process 1 and has no handler for the signal"));
}

TEST_CASE("4.8: a container that goes while it is restarted was restarted") {
  Situation s;
  Delivery d = everything();
  d.restart = Restart{RestartContainer{}, {}};
  s.answer = only(s, 4, [](FakeExec& it) { it.cut({ErrorKind::Unavailable, "end of stream"}); });
  s.given(d).deliver();
  CHECK(s.told() == "delivered");
}

TEST_CASE("content that takes much memory to unpack is sent to one container of a namespace at a time") {
  // 2,000,000 zeros in a frame that wants 8 MiB: one byte that is repeated, in blocks of 128 KiB and less.
  std::string frame("\x28\xb5\x2f\xfd\0\x68", 6);
  const auto block = [&](std::uint32_t size, bool last) {
    const std::uint32_t header = size << 3 | 1u << 1 | (last ? 1 : 0);
    for (int i = 0; i < 3; ++i) frame += static_cast<char>(header >> (8 * i));
    frame += '\0';
  };
  for (int i = 0; i < 15; ++i) block(131'072, false);
  block(2'000'000 - 15 * 131'072, true);
  Delivery d;
  d.writes = {file("/app/a", std::string(2'000'000, '\0'))};
  d.writes[0].pieces = {{0, Encoding::Zstd, std::make_shared<std::string>(frame)}};
  const auto shared = std::make_shared<Delivery>(d);
  Situation s;
  s.answer = nullptr;
  std::vector<Handle> jobs;
  for (const std::string ns : {"shop", "shop", "other"})
    jobs.push_back(s.transport.deliver(
        {ns, "web", "web", "containerd://" + std::to_string(jobs.size())}, shared, [](DeliveryOutcome) {},
        nullptr));
  s.turn();
  REQUIRE(s.execs.size() == 2);
  CHECK(s.execs[0].request().ns != s.execs[1].request().ns);
  for (auto& exec : std::deque(s.execs)) exec.exit(0);
  s.turn();
  CHECK(s.execs.size() == 3);
}
