// One agent per container: what becomes of the agent of a lost session when the next one begins.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <utility>

#include "test/agent/agent_process.h"
#include "test/agent/mounts.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

using Tree = std::map<std::string, std::string>;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

TEST_SUITE_BEGIN("agent: fence");

const std::string kTakenOver =
    "TakenOver: another session has taken over the container (see whether a second operator is at work)";

// Its agents have the same fence; its files are below app.
struct Container {
  Container() {
    tree.write("app/a", "old");
    setup.env = {"LIVE_UPDATE_FENCE=" + tree.root()};
  }
  std::string root() const { return tree.at("app"); }
  Tree files() const { return tree_of(root()); }
  std::vector<Request> begin() const { return {Begin{1, {.fresh = true}, 1, {root()}}}; }
  // Ignores TERM, as does its child, and both write on and on.
  Run stubborn_run(std::uint32_t request) const {
    const std::string script = "trap '' TERM; while :; do date >>" + tree.at("written") + "; done";
    return {.request = request, .argv = {"sh", "-c", "(" + script + ") & " + script}};
  }
  bool run_writes() const {
    const auto before = tree.read("written");
    usleep(100'000);
    return tree.read("written") != before;
  }
  TempTree tree;
  Setup setup;
};

bool is_over(const Child& child) {
  pollfd end{child.out.get(), 0, 0};
  return poll(&end, 1, 0) > 0;
}

bool answers(AgentProcess& agent) { return passed(agent.ask({barrier(99)}, 99)); }

bool speaks_or_is_over(const Child& child) {
  pollfd end{child.out.get(), POLLIN, 0};
  return poll(&end, 1, 0) > 0;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

milliseconds took(const std::function<void()>& what) {
  const auto begun = Clock::now();
  what();
  return std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
}

TEST_CASE("an idle agent leaves at once, says why, and hears nothing any more") {
  const Container container;
  AgentProcess old(container.setup);
  std::unique_ptr<AgentProcess> next;
  const auto time = took([&] { next = std::make_unique<AgentProcess>(container.setup); });
  if (!emulated() && !kSanitized) CHECK(time < milliseconds(1000));
  CHECK(failure_of(old.answer_to(0)) == kTakenOver);
  CHECK(old.child().wait() == kExitTakenOver);
  old.send(container.begin() + file("a", "late") + std::vector<Request>{Commit{1}});
  CHECK(confirmed(next->apply({container.root()}, file("b", "new"))));
  CHECK(container.files() == Tree{{"a", "file 644 old"}, {"b", "file 644 new"}});
  CHECK(next->close() == 0);
  CHECK(next->warnings.empty());
}

TEST_CASE("4.2 what was staged is gone before the next session begins, and a late Commit changes nothing") {
  const Container container;
  AgentProcess old(container.setup);
  old.ask(container.begin() + file("a", "late") + file("d/e", "late") + std::vector<Request>{barrier(2)}, 2);
  CHECK(container.files().size() > 1);
  AgentProcess next(container.setup);
  CHECK(container.files() == Tree{{"a", "file 644 old"}});
  old.send({Commit{1}});
  CHECK(failure_of(old.answer_to(0)) == kTakenOver);
  CHECK(answers(next));
  CHECK(container.files() == Tree{{"a", "file 644 old"}});
}

TEST_CASE("what waits behind a run is never done, and the run has ended before the next session begins") {
  const Container container;
  AgentProcess old(container.setup);
  old.ask(std::vector<Request>{container.stubborn_run(5)} + container.begin() + file("a", "late") +
              std::vector<Request>{Commit{1}, barrier(2)},
          2);
  REQUIRE(soon([&] { return container.run_writes(); }));
  AgentProcess next(container.setup);
  CHECK_FALSE(container.run_writes());
  CHECK(container.files() == Tree{{"a", "file 644 old"}});
  CHECK(failure_of(old.answer_to(0)) == kTakenOver);
  CHECK(confirmed(next.apply({container.root()}, file("a", "new"))));
}

TEST_CASE("one that does not listen is killed, with what it runs; the next one cleans up after it") {
  const Container container;
  AgentProcess old(container.setup);
  old.ask({container.stubborn_run(5), barrier(2)}, 2);
  REQUIRE(soon([&] { return container.run_writes(); }));
  AgentProcess staging({.env = {"LIVE_UPDATE_FENCE=" + container.tree.at("other")}});
  staging.ask(container.begin() + file("b", "staged") + std::vector<Request>{barrier(2)}, 2);
  REQUIRE(container.files().size() == 2);
  old.child().signal(SIGSTOP);
  staging.child().signal(SIGSTOP);
  AgentProcess next(container.setup);
  CHECK(old.child().wait() == 128 + SIGKILL);
  CHECK_FALSE(container.run_writes());
  old.send({Credit{5, 1}});
  // Not even reaped yet, the other one is known to be dead.
  staging.child().signal(SIGKILL);
  siginfo_t dead{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(staging.pid()), &dead, WEXITED | WNOWAIT) == 0);
  CHECK(confirmed(next.apply({container.root()}, file("c", "new"))));
  CHECK(soon([&] { return container.files() == Tree{{"a", "file 644 old"}, {"c", "file 644 new"}}; }));
}

TEST_CASE("an agent that was killed leaves its run to the guardian, and the next one waits for that") {
  const Container container;
  AgentProcess old(container.setup);
  old.ask({container.stubborn_run(5), barrier(2)}, 2);
  REQUIRE(soon([&] { return container.run_writes(); }));
  old.child().signal(SIGKILL);
  AgentProcess next(container.setup);
  CHECK(next.hello().newest == kVersion);
  CHECK_FALSE(container.run_writes());
}

TEST_CASE("taken over in the middle of anything: all or nothing is there, and stays as it is") {
  std::mt19937 random(11);
  for (int round = 0; round < 30; ++round) {
    CAPTURE(round);
    const Container container;
    auto batch = container.begin();
    Tree after;
    for (int i = 0; i < 60; ++i) {
      const auto name = "f" + std::to_string(i);
      batch = std::move(batch) + file(name, "content");
      after[name] = "file 644 content";
    }
    batch = std::move(batch) + std::vector<Request>{Delete{0, "a"}, Commit{1}};
    AgentProcess old(container.setup);
    old.send(batch);
    usleep(static_cast<useconds_t>(random() % 2500));
    AgentProcess next(container.setup);
    const auto found = container.files();
    CHECK((found == Tree{{"a", "file 644 old"}} || found == after));
    usleep(3'000);
    CHECK(container.files() == found);
    CHECK(old.child().wait() == kExitTakenOver);
    CHECK(failure_of(next.ask(batch, 1)) == "");
    CHECK(soon([&] { return container.files() == after; }));
  }
}

TEST_CASE("of several that begin at the same time, exactly one stays") {
  for (int round = 0; round < 10; ++round) {
    CAPTURE(round);
    const Container container;
    AgentProcess old(container.setup);
    if (round % 5 == 4) old.child().signal(SIGSTOP);
    std::vector<std::unique_ptr<Child>> all;
    for (int i = 0; i < 5; ++i) all.push_back(std::make_unique<Child>(container.setup));
    const auto over = [&] {
      return std::ranges::count_if(all, [](const auto& one) { return is_over(*one); });
    };
    CHECK(soon([&] { return is_over(old.child()) && over() == 4; }));
    usleep(30'000);
    CHECK(over() == 4);
    for (const auto& one : all) {
      if (is_over(*one)) CHECK(one->wait() == kExitTakenOver);
    }
  }
}

TEST_CASE("a late agent whose operator has gone asks nobody to leave") {
  const Container container;
  AgentProcess agent(container.setup);
  auto late = container.setup;
  late.before = {"sh", "-c", "sleep 0.1; exec \"$@\"", "sh"};
  Child child(late);
  child.in.reset();
  CHECK(child.wait() == kExitTakenOver);
  CHECK(answers(agent));
}

TEST_CASE("agents of different users, and of different containers, do not know each other") {
  if (!can_mount()) return;
  const Container container;
  auto nobody = container.setup;
  nobody.uid = 65534;
  AgentProcess one(container.setup), other(nobody);
  CHECK(answers(one));
  CHECK(answers(other));
  CHECK(one.warnings.empty());
  CHECK(other.warnings.empty());
  // By the name that they have without LIVE_UPDATE_FENCE, too.
  AgentProcess third({.before = {"env", "-u", "LIVE_UPDATE_FENCE"}});
  AgentProcess fourth({.before = {"env", "-u", "LIVE_UPDATE_FENCE", "unshare", "--mount"}});
  CHECK(answers(third));
  CHECK(answers(fourth));
  CHECK(fourth.warnings.empty());
}

// Somebody who has the name of a fence, and then does this: lives on.
class Squatter {
 public:
  Squatter(
      const std::string& kind, const std::string& fence, const std::function<void()>& first,
      const std::function<void()>& then = [] { sleep(60); }) {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    pid_ = fork();
    if (pid_ == 0) {
      const auto name = "live-update/" + kind + "/" + fence + "/" + std::to_string(geteuid());
      first();
      prctl(PR_SET_DUMPABLE, 1);  // who became another user can be looked at only after its exec
      const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
      sockaddr_un at{};
      at.sun_family = AF_UNIX;
      memcpy(at.sun_path + 1, name.data(), name.size());
      const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
      const bool done = bind(fd, reinterpret_cast<const sockaddr*>(&at), size) == 0 && listen(fd, 8) == 0;
      if (write(ready[1], &done, 1) == 1) then();
      _exit(0);
    }
    bool done = false;
    CHECK((read(ready[0], &done, 1) == 1 && done));
    ::close(ready[0]), ::close(ready[1]);
  }
  ~Squatter() { end(); }
  void end() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  // Of itself; who it was is still to be seen.
  void wait_for_end() const {
    siginfo_t dead{};
    REQUIRE(waitid(P_PID, static_cast<id_t>(pid_), &dead, WEXITED | WNOWAIT) == 0);
  }
  pid_t pid() const { return pid_; }
  Squatter(const Squatter&) = delete;
  Squatter& operator=(const Squatter&) = delete;
  bool alive() const { return waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  pid_t pid_;
};

TEST_CASE("where something else has the name, the session goes on without a fence, and says so") {
  if (!can_mount()) return;
  const auto elsewhere = [] { CHECK(unshare(CLONE_NEWNS) == 0); };
  const auto nobody = [] { CHECK(setuid(65534) == 0); };
  for (const std::string kind : {"serve", "runs"}) {
    for (const std::function<void()>& first :
         {std::function<void()>(elsewhere), std::function<void()>(nobody)}) {
      CAPTURE(kind);
      const Container container;
      const Squatter squatter(kind, container.tree.root(), first);
      AgentProcess agent(container.setup);
      CHECK(confirmed(agent.apply({container.root()}, file("a", "new"))));
      REQUIRE(agent.warnings.size() == 1);
      CHECK(agent.warnings[0].request == 0);
      CHECK(
          agent.warnings[0].text ==
          "cannot make sure that no other agent works in this container: something that is no agent of this "
          "container has this name (abstract socket live-update/" +
              kind + "/" + container.tree.root() + "/0)");
      CHECK(squatter.alive());
    }
  }
}

TEST_CASE("nobody outside of the container can make an agent leave") {
  if (!can_mount()) return;
  const Container container;
  AgentProcess agent(container.setup);
  auto elsewhere = container.setup;
  for (const auto& before :
       {std::vector<std::string>{"unshare", "--mount"},
        std::vector<std::string>{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"}}) {
    elsewhere.before = before;
    AgentProcess other(elsewhere);
    CHECK(answers(other));
    CHECK(other.warnings.size() == 1);
    CHECK(answers(agent));
  }
}

TEST_CASE("something of ours that has the name and does not hang up is killed like an agent") {
  const Container container;
  const Squatter squatter("serve", container.tree.root(), [] {});
  AgentProcess agent(container.setup);
  CHECK(answers(agent));
  CHECK(agent.warnings.empty());
  CHECK_FALSE(squatter.alive());
}

TEST_CASE("where seccomp or an old kernel has no pidfd, it is killed by its number") {
  const Container one, other;
  auto old_kernel = one.setup, seccomp = other.setup;
  old_kernel.pidfd_error = ENOSYS;
  seccomp.pidfd_error = EPERM;
  const Squatter first("serve", one.tree.root(), [] {}), second("serve", other.tree.root(), [] {});
  const Child late(old_kernel), later(seccomp);
  CHECK(soon([&] { return speaks_or_is_over(late) && speaks_or_is_over(later); }));
  CHECK_FALSE(first.alive());
  CHECK_FALSE(second.alive());
}

// What a dead process has left a name to: ends after a time, or with this object.
class Heir {
 public:
  explicit Heir(int ms) : ms_(ms) { REQUIRE(pipe2(ends_, O_CLOEXEC) == 0); }
  ~Heir() { ::close(ends_[0]), ::close(ends_[1]); }
  Heir(const Heir&) = delete;
  Heir& operator=(const Heir&) = delete;
  void born() const {
    if (fork() != 0) return;
    ::close(ends_[1]);
    pollfd end{ends_[0], POLLIN, 0};
    poll(&end, 1, ms_);
    _exit(0);
  }

 private:
  int ms_;
  int ends_[2];
};

TEST_CASE(
    "an agent that died before its guardian had the name: the next one waits, however long that takes") {
  const Container container;
  const Heir heir(1'500);
  const Squatter dead("runs", container.tree.root(), [] {}, [&] { heir.born(); });
  dead.wait_for_end();
  std::unique_ptr<AgentProcess> agent;
  const auto time = took([&] { agent = std::make_unique<AgentProcess>(container.setup); });
  CHECK(time >= milliseconds(1'000));
  CHECK(answers(*agent));
  CHECK(agent->warnings.empty());
}

TEST_CASE("where that does not end, nothing is begun beside it") {
  const Container container;
  const Heir heir(60'000);
  const Squatter dead("runs", container.tree.root(), [] {}, [&] { heir.born(); });
  dead.wait_for_end();
  Child child(container.setup);
  CHECK(child.wait() == kExitTakenOver);
  std::string said(4096, '\0');
  said.resize(static_cast<std::size_t>(std::max<ssize_t>(read(child.out.get(), said.data(), 4096), 0)));
  CHECK(said.find("what the dead agent of an earlier session left in this container does not end (process " +
                  std::to_string(dead.pid()) + ")") != said.npos);
}

// Another process with the number of one that has ended; 0: not allowed.
pid_t start_with_number(pid_t number) {
  clone_args how{};
  how.exit_signal = SIGCHLD;
  how.set_tid = reinterpret_cast<std::uintptr_t>(&number);
  how.set_tid_size = 1;
  const auto pid = syscall(SYS_clone3, &how, sizeof how);
  if (pid == 0) {
    sleep(60);
    _exit(0);
  }
  return pid == number ? number : 0;
}

TEST_CASE("who has got the number of an agent that has ended is not killed for it") {
  if (emulated()) return;
  const Container container;
  const Heir heir(3'500);
  Squatter old("serve", container.tree.root(), [] {}, [&] { heir.born(), sleep(60); });
  Child child(container.setup);
  usleep(300'000);  // it waits for the end of the old one, which it has asked to leave
  const auto number = old.pid();
  old.end();
  if (start_with_number(number) == 0) {
    MESSAGE("cannot choose the number of a process: left out");
    return;
  }
  CHECK(soon([&] { return speaks_or_is_over(child); }));
  CHECK(waitpid(number, nullptr, WNOHANG) == 0);
  kill(number, SIGKILL);
  waitpid(number, nullptr, 0);
}

// A program that says a line, and waits for one before it becomes the agent: on until it has found a name
// taken.
bool stop_at_taken_name(Child& child) {
  const auto stopped = [&] {
    int status = 0;
    return waitpid(child.pid(), &status, 0) == child.pid() && WIFSTOPPED(status);
  };
  char line;
  if (read(child.out.get(), &line, 1) != 1) return false;
  if (ptrace(PTRACE_SEIZE, child.pid(), 0, PTRACE_O_TRACESYSGOOD) != 0) return false;
  if (ptrace(PTRACE_INTERRUPT, child.pid(), 0, 0) != 0 || !stopped()) return false;
  if (write(child.in.get(), "\n", 1) != 1) return false;
  while (true) {
    if (ptrace(PTRACE_SYSCALL, child.pid(), 0, 0) != 0 || !stopped()) return false;
    __ptrace_syscall_info call{};
    ptrace(PTRACE_GET_SYSCALL_INFO, child.pid(), sizeof call, &call);
    if (call.op == PTRACE_SYSCALL_INFO_EXIT && call.exit.rval == -EADDRINUSE) return true;
  }
}

TEST_CASE("one that stalls while the old agent ends has a fence all the same") {
  if (emulated()) return;
  const Container container;
  Squatter old("serve", container.tree.root(), [] {});
  auto setup = container.setup;
  setup.before = {"sh", "-c", "echo; read line; exec \"$@\"", "sh"};
  Child child(setup);
  if (!stop_at_taken_name(child)) {
    MESSAGE("cannot trace a process: left out");
    return;
  }
  old.end();
  usleep(300'000);
  REQUIRE(ptrace(PTRACE_DETACH, child.pid(), 0, 0) == 0);
  CHECK(soon([&] { return speaks_or_is_over(child); }));
  AgentProcess next(container.setup);
  CHECK(child.wait() == kExitTakenOver);
}

TEST_CASE("the guardian is there before what it guards") {
  AgentProcess agent;
  agent.ask({Run{.request = 5, .argv = {"sh", "-c", "cat /proc/$PPID/task/$PPID/children; echo $$"}}}, 5);
  std::istringstream printed(agent.output[5]);  // in the order in which they were started
  std::string guardian, run, self;
  printed >> guardian >> run >> self;
  CHECK(run == self);
  CHECK(soon([&] { return read_text("/proc/" + guardian + "/comm") == "live-update-grd\n"; }));
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
