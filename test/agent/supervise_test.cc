// `supervise` as a container's entry point, and restart: process and container (rule 4.8).
#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "test/agent/agent_process.h"
#include "test/agent/mounts.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

TEST_SUITE_BEGIN("agent: supervise");

// One supervised app in a directory of its own, and an agent beside it.
struct Container {
  explicit Container(const std::string& script, std::vector<std::string> options = {}) {
    tree.write("app.sh", script);
    setup.env = {"LIVE_UPDATE_SUPERVISOR=" + tree.root()};
    auto with = setup;
    with.arguments = {"supervise"};
    for (auto& option : options) with.arguments.push_back(option);
    for (const auto& word : {std::string("--"), std::string("sh"), tree.at("app.sh"), tree.root()})
      with.arguments.push_back(word);
    supervisor = std::make_unique<Child>(with);
  }
  // Outside of a PID namespace of its own, the app would outlive its supervisor.
  ~Container() {
    supervisor->signal(SIGSTOP);
    if (const int app = number("pid")) kill(-app, SIGKILL);
  }
  // The number that the app wrote into this file; 0: none yet.
  int number(const std::string& file) const { return std::atoi(tree.read(file).c_str()); }
  int wait_for(const std::string& file) const {
    REQUIRE(soon([&] { return number(file) != 0; }));
    return number(file);
  }
  std::string restart(Restart order) {
    AgentProcess agent(setup);
    order.request = 1;
    const auto answer = agent.ask({order}, 1);
    if (const auto* done = std::get_if<Restarted>(&answer)) return "pid " + std::to_string(done->pid);
    return failure_of(answer);
  }

  TempTree tree;
  Setup setup;
  std::unique_ptr<Child> supervisor;
};

bool alive(int pid) { return kill(pid, 0) == 0; }

TEST_CASE("4.8 process: the old one ends, a new one lives for aliveSeconds, the container stays") {
  Container container("echo $$ > $1/new; mv $1/new $1/pid; exec sleep 60");
  const int old = container.wait_for("pid");
  const auto answer = container.restart({.grace_ms = 5000, .alive_ms = 100});
  const int fresh = container.number("pid");
  CHECK(fresh != old);
  CHECK(answer == "pid " + std::to_string(fresh));
  CHECK_FALSE(alive(old));
  CHECK(alive(fresh));
  container.supervisor->signal(SIGTERM);
  CHECK(container.supervisor->wait() == 128 + SIGTERM);
  CHECK_FALSE(alive(fresh));
}

TEST_CASE(
    "4.8 process: the signal goes to the group; who ignores it is killed with its group after the grace") {
  Container container(
      "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > '$1'/child; while :; do sleep 0.05; done' & echo $$ > "
      "$1/pid; while :; do sleep 0.05; done");
  const int old = container.wait_for("pid"), child = container.wait_for("child");
  const auto answer = container.restart({.grace_ms = 100, .alive_ms = 50});
  CHECK(answer.starts_with("pid "));
  CHECK_FALSE(alive(old));
  CHECK_FALSE(alive(child));
}

TEST_CASE("4.8 process: with the signal that was asked for, or the one the image names") {
  for (const bool by_image : {false, true}) {
    Container container("trap 'echo 1 > $1/int; exit 0' INT; echo $$ > $1/pid; while :; do sleep 0.02; done",
                        by_image ? std::vector<std::string>{"--signal", "INT"} : std::vector<std::string>{});
    container.wait_for("pid");
    Restart order{.grace_ms = 5000, .alive_ms = 50};
    if (!by_image) order.signal = SIGINT;
    CHECK(container.restart(order).starts_with("pid "));
    CHECK(container.number("int") == 1);
  }
}

TEST_CASE(
    "4.8 done means that the new process lives: one that dies is told, and its crash ends the container") {
  for (const bool keep : {false, true}) {
    Container container("test -e $1/broken && exit 3; echo $$ > $1/pid; exec sleep 60",
                        keep ? std::vector<std::string>{"--keep"} : std::vector<std::string>{});
    container.wait_for("pid");
    container.tree.write("broken", "");
    const auto answer = container.restart({.grace_ms = 5000, .alive_ms = 5000});
    CHECK(answer.starts_with("NotRestarted: the new process ended with exit code 3 "));
    if (!keep) {
      CHECK(container.supervisor->wait() == 3);
      CHECK(container.restart({}) ==
            "Missing: there is no supervisor in this container, so no process that could be restarted by "
            "itself (let "
            "`live-update-agent supervise -- COMMAND` be the container's entry point, with the same user)");
    } else {
      // Repaired: the next restart starts it from nothing.
      container.tree.remove("broken");
      container.tree.remove("pid");
      CHECK(container.restart({.grace_ms = 5000, .alive_ms = 50}).starts_with("pid "));
      CHECK(alive(container.wait_for("pid")));
      container.supervisor->signal(SIGTERM);
      CHECK(container.supervisor->wait() == 128 + SIGTERM);
    }
  }
}

TEST_CASE("4.8 the exit status is kept, signals are forwarded") {
  CHECK(Container("exit 7").supervisor->wait() == 7);
  CHECK(Container("kill -9 $$").supervisor->wait() == 137);
  Container container("trap 'exit 9' USR1; echo $$ > $1/pid; while :; do sleep 0.02; done");
  container.wait_for("pid");
  container.supervisor->signal(SIGUSR1);
  CHECK(container.supervisor->wait() == 9);
  Child missing(
      {.env = {"LIVE_UPDATE_SUPERVISOR=missing"}, .arguments = {"supervise", "--", "/no/such/program"}});
  CHECK(missing.wait() == 127);
  Child usage({.arguments = {"supervise", "--signal", "NONE", "--", "true"}});
  CHECK(usage.wait() == 2);
}

TEST_CASE("4.8 the container is told to end in the middle of a restart") {
  Container container("trap 'sleep 0.3; exit 4' TERM; echo $$ > $1/pid; while :; do sleep 0.02; done");
  container.wait_for("pid");
  AgentProcess agent(container.setup);
  agent.send({Restart{.request = 1, .grace_ms = 5000, .alive_ms = 100}});
  agent.ask({barrier(2)}, 2);
  usleep(50'000);
  container.supervisor->signal(SIGTERM);
  CHECK(container.supervisor->wait() == 4);
  CHECK(failure_of(agent.answer_to(1)) ==
        "NotRestarted: the supervisor ended before it answered (see the container's log)");
}

TEST_CASE("several restarts at a time are done one after another, and a second supervisor is refused") {
  Container container("echo $$ > $1/pid; exec sleep 60");
  container.wait_for("pid");
  AgentProcess one(container.setup), other(container.setup);
  one.send({Restart{.request = 1, .grace_ms = 5000, .alive_ms = 50}});
  other.send({Restart{.request = 1, .grace_ms = 5000, .alive_ms = 50}});
  const auto first = one.answer_to(1), second = other.answer_to(1);
  REQUIRE(std::holds_alternative<Restarted>(first));
  REQUIRE(std::holds_alternative<Restarted>(second));
  CHECK(std::get<Restarted>(first).pid != std::get<Restarted>(second).pid);
  auto again = container.setup;
  again.arguments = {"supervise", "--", "true"};
  CHECK(Child(again).wait() == 125);
}

TEST_CASE("4.8 orphans of the app are reaped") {
  Container container(
      "sh -c 'sh -c \"echo \\$\\$ > '$1'/orphan; sleep 0.05\" & exit'; echo $$ > $1/pid; exec sleep 60");
  container.wait_for("pid");
  const int orphan = container.wait_for("orphan");
  CHECK(soon([&] { return !std::filesystem::exists("/proc/" + std::to_string(orphan)); }));
}

TEST_CASE("4.8 only the same user, or root, may ask the supervisor") {
  if (!can_mount()) return;
  Container container("echo $$ > $1/pid; exec sleep 60");
  const int pid = container.wait_for("pid");
  container.setup.uid = 65534;
  CHECK(container.restart({.grace_ms = 100, .alive_ms = 10}).starts_with("Not"));
  CHECK(container.number("pid") == pid);
}

// A PID namespace whose process 1 is this shell script, or with `supervised` the supervisor of it.
struct Namespace {
  Namespace(const std::string& script, bool supervised) {
    tree.write("app.sh", script);
    Setup setup;
    setup.before = {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"};
    setup.arguments = {"supervise", "--", "sh", tree.at("app.sh"), tree.root()};
    if (!supervised)
      setup.before.insert(setup.before.end(),
                          {"sh", "-c", "exec sh \"$0\" \"$1\"", tree.at("app.sh"), tree.root()});
    outer = std::make_unique<Child>(setup);
    REQUIRE(soon([&] { return !tree.read("ready").empty(); }));
    first = child_of(*outer);
    inside.before = {"nsenter", "--pid", "--mount", "--target", first};
  }
  static std::string child_of(const Child& parent) {
    const auto pid = std::to_string(parent.pid());
    return std::to_string(
        std::atoi(TempTree().read("../../proc/" + pid + "/task/" + pid + "/children").c_str()));
  }
  TempTree tree;
  std::unique_ptr<Child> outer;
  std::string first;  // process 1, as it is called outside
  Setup inside;
};

TEST_CASE("4.8 hostPID: the container's own main process gets the signal, never the node's process 1") {
  if (!can_mount()) return;
  const std::string says_so =
      "trap 'echo 1 > $1/hup' HUP; trap 'echo 1 > $1/term; exit' TERM; echo 1 > $1/ready; while :; do sleep "
      "0.02; "
      "done";
  Namespace node(says_so, false);
  // Not to be traced, so that /proc/1/ns tells nothing.
  const std::vector<std::string> confined{"setpriv", "--bounding-set", "-sys_ptrace"};
  const auto joined = [](std::vector<std::string> all, const std::vector<std::string>& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  {
    Setup alone;
    alone.before = joined(joined(node.inside.before, {"unshare", "--mount"}), confined);
    AgentProcess agent(alone);
    for (const auto how : {RestartHow::Signal, RestartHow::Container})
      CHECK(failure_of(agent.ask({Restart{.request = 1, .how = how, .signal = SIGHUP}}, 1)) ==
            "NotRestarted: the container's main process cannot be told from others: the pod shares a process "
            "namespace, and process 1 is not known to be the container's own (set shareProcessNamespace and "
            "hostPID of "
            "the pod to false, or use another `restart`)");
  }
  TempTree tree;
  tree.write("app.sh", says_so);
  Setup app;
  app.before = joined(node.inside.before, {"unshare", "--mount", "sh", "-c", "exec sh \"$0\" \"$1\"",
                                           tree.at("app.sh"), tree.root()});
  Child container(app, false);
  REQUIRE(soon([&] { return !tree.read("ready").empty(); }));
  Setup exec;
  exec.before = joined({"nsenter", "--pid=/proc/" + node.first + "/ns/pid",
                        "--mount=/proc/" + Namespace::child_of(container) + "/ns/mnt"},
                       confined);
  AgentProcess agent(exec);
  CHECK(failure_of(agent.ask({Restart{.request = 1, .how = RestartHow::Signal, .signal = SIGHUP}}, 1)) == "");
  CHECK(soon([&] { return tree.read("hup") == "1\n"; }));
  agent.send({Restart{.request = 2, .how = RestartHow::Container, .grace_ms = 5000}});
  CHECK(soon([&] { return tree.read("term") == "1\n"; }));
  CHECK(node.tree.read("hup").empty());
  CHECK(node.tree.read("term").empty());
}

TEST_CASE("4.8 process 1 that may not be traced is the container's own all the same") {
  if (!can_mount()) return;
  Namespace container("trap 'echo 1 > $1/hup' HUP; echo 1 > $1/ready; while :; do sleep 0.02; done", false);
  container.inside.before.insert(container.inside.before.end(), {"setpriv", "--bounding-set", "-sys_ptrace"});
  AgentProcess agent(container.inside);
  CHECK(failure_of(agent.ask({Restart{.request = 1, .how = RestartHow::Signal, .signal = SIGHUP}}, 1)) == "");
  CHECK(soon([&] { return container.tree.read("hup") == "1\n"; }));
}

TEST_CASE("4.8 container: process 1 gets TERM; one that does not handle it is said to be unreachable") {
  if (!can_mount()) return;
  {
    Namespace container("trap 'exit 0' TERM; echo 1 > $1/ready; while :; do sleep 0.02; done", false);
    AgentProcess agent(container.inside);
    const auto answer = agent.ask({Restart{.request = 1, .how = RestartHow::Container, .grace_ms = 5000}}, 1);
    CHECK(failure_of(answer) == "Protocol: end");
    CHECK(container.outer->wait() == 0);
  }
  Namespace stubborn("echo 1 > $1/ready; while :; do sleep 0.02; done", false);
  AgentProcess agent(stubborn.inside);
  CHECK(failure_of(agent.ask({Restart{.request = 1, .how = RestartHow::Container}}, 1)) ==
        "NotRestarted: process 1, the container's main process, does not handle SIGTERM, and without a "
        "handler it cannot be reached from within the container (the pod "
        "has to be deleted to restart it, or the program has to handle SIGTERM)");
  CHECK(failure_of(agent.ask({Restart{.request = 2, .how = RestartHow::Signal, .signal = SIGHUP}}, 2))
            .starts_with("NotRestarted: process 1, the container's main process, does not handle SIGHUP"));
  Namespace slow(
      "trap '' USR1; trap 'echo 1 > $1/term' TERM; echo 1 > $1/ready; while :; do sleep 0.02; done", false);
  AgentProcess other(slow.inside);
  CHECK(failure_of(other.ask({Restart{.request = 1, .how = RestartHow::Container, .grace_ms = 100}}, 1)) ==
        "NotRestarted: process 1 got SIGTERM and did not end within 100 ms (the pod has to be deleted to "
        "restart it, or the program has to end at SIGTERM)");
  CHECK(slow.tree.read("term") == "1\n");
}

TEST_CASE(
    "4.8 the supervisor as process 1: signals reach the app, orphans are reaped, its end is the "
    "container's") {
  if (!can_mount()) return;
  Namespace container(
      "trap 'echo 1 > $1/hup' HUP; (sleep 0.05 &) ; echo 1 > $1/ready; while :; do sleep 0.02; done", true);
  AgentProcess agent(container.inside);
  CHECK(failure_of(agent.ask({Restart{.request = 1, .how = RestartHow::Signal, .signal = SIGHUP}}, 1)) == "");
  CHECK(soon([&] { return container.tree.read("hup") == "1\n"; }));
  const auto answer =
      agent.ask({Restart{.request = 2, .how = RestartHow::Process, .grace_ms = 3000, .alive_ms = 50}}, 2);
  CHECK(failure_of(answer) == "");
  CHECK(failure_of(agent.ask({Restart{.request = 3, .how = RestartHow::Container, .grace_ms = 5000}}, 3)) ==
        "Protocol: end");
  CHECK(container.outer->wait() == 128 + SIGTERM);
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
