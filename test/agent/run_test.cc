// Commands in the container (rules 4.6, 4.7), and restarts without a supervisor (4.8).
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "test/agent/agent_process.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

TEST_SUITE_BEGIN("agent: runs");

Run shell(std::uint32_t request, std::string script, Gate gate = {}) {
  return {.request = request, .gate = gate, .argv = {"sh", "-c", std::move(script)}};
}

// "exited 0", "signalled 9", "timed out 15"; else the failure.
std::string how(const Answer& answer) {
  static constexpr const char* kHow[] = {"exited ", "signalled ", "timed out "};
  const auto* exit = std::get_if<RunExit>(&answer);
  return exit ? kHow[static_cast<int>(exit->how)] + std::to_string(exit->code) : failure_of(answer);
}

bool alive(const std::string& pid_file) {
  const auto text = TempTree().read("../" + pid_file.substr(5));
  return !text.empty() && kill(std::atoi(text.c_str()), 0) == 0;
}

TEST_CASE("4.6 exit code, signal, both streams, directory and environment") {
  TempTree container;
  AgentProcess agent;
  CHECK(how(agent.ask({shell(1, "echo out; echo err >&2; exit 7")}, 1)) == "exited 7");
  CHECK(agent.output[1] == "out\n");
  CHECK(agent.errors[1] == "err\n");
  CHECK(how(agent.ask({shell(2, "kill -9 $$")}, 2)) == "signalled 9");
  auto run = shell(
      3, "pwd; echo \"$LIVE_UPDATE_SEQUENCE|$LIVE_UPDATE_CHANGED|$HOME\"; cat; ls /proc/self/fd | wc -l");
  run.cwd = container.root();
  run.env = {"LIVE_UPDATE_SEQUENCE=42", "LIVE_UPDATE_CHANGED=/app/a\n/app/b"};
  CHECK(how(agent.ask({run}, 3)) == "exited 0");
  CHECK(agent.output[3] == container.root() + "\n42|/app/a\n/app/b|" + getenv("HOME") + "\n4\n");
  CHECK(how(agent.ask({Run{.request = 4, .argv = {"true"}}}, 4)) == "exited 0");
}

TEST_CASE("4.6 a list of paths is a private file for the runs behind it, until it is forgotten") {
  AgentProcess agent;
  const auto look = [](std::uint32_t request, Gate gate = {}) {
    return shell(request,
                 "f=$LIVE_UPDATE_CHANGED_FILE; echo \"$f\"; cat \"$f\"; stat -c %a \"$f\" \"${f%/*}\"", gate);
  };
  REQUIRE((agent.hello().features & kFeatureChanged) != 0);
  CHECK(how(agent.ask({shell(1, "echo \"${LIVE_UPDATE_CHANGED_FILE-unset}\"")}, 1)) == "exited 0");
  CHECK(agent.output[1] == "unset\n");
  CHECK(how(agent.ask({Changed{false, {"/app/a", "/app/b c"}}, Changed{false, {"/app/c"}}, look(2)}, 2)) ==
        "exited 0");
  const auto file = agent.output[2].substr(0, agent.output[2].find('\n'));
  CHECK(agent.output[2] == file + "\n/app/a\n/app/b c\n/app/c\n600\n700\n");
  CHECK(how(agent.ask({look(3)}, 3)) == "exited 0");
  CHECK(agent.output[3] == agent.output[2]);
  // Behind a run, a new list.
  CHECK(how(agent.ask({Changed{false, {"/app/new"}}, look(4), Changed{.forget = true}}, 4)) == "exited 0");
  CHECK(agent.output[4].ends_with("\n/app/new\n600\n700\n"));
  CHECK(access(file.c_str(), F_OK) != 0);
  const auto second = agent.output[4].substr(0, agent.output[4].find('\n'));
  CHECK(how(agent.ask({shell(5, "echo \"${LIVE_UPDATE_CHANGED_FILE-unset}\"")}, 5)) == "exited 0");
  CHECK(agent.output[5] == "unset\n");
  CHECK(access(second.substr(0, second.rfind('/')).c_str(), F_OK) != 0);
  // The end of the session is the end of the file.
  CHECK(how(agent.ask({Changed{false, {"/app/a"}}, look(6)}, 6)) == "exited 0");
  const auto third = agent.output[6].substr(0, agent.output[6].find('\n'));
  CHECK(access(third.c_str(), F_OK) == 0);
  agent.close();
  CHECK(access(third.substr(0, third.rfind('/')).c_str(), F_OK) != 0);
}

TEST_CASE("4.6 what a killed agent left of a list goes with the next one") {
  std::string left;
  {
    AgentProcess agent;
    agent.ask({Changed{false, {"/app/a"}}, shell(1, "printf %s \"$LIVE_UPDATE_CHANGED_FILE\"")}, 1);
    left = agent.output[1];
    REQUIRE(access(left.c_str(), F_OK) == 0);
    agent.child().signal(SIGKILL);
    agent.child().wait();
  }
  CHECK(access(left.c_str(), F_OK) == 0);
  AgentProcess agent;
  agent.ask({Changed{false, {"/app/a"}}, shell(1, "true"), Changed{.forget = true}}, 1);
  CHECK(access(left.substr(0, left.rfind('/')).c_str(), F_OK) != 0);
}

TEST_CASE("4.6 what cannot be started") {
  if (emulated()) return;
  TempTree container;
  container.write("script", "no interpreter");
  container.write("data", "x");
  container.chmod("script", 0755);
  AgentProcess agent;
  const auto tried = [&](Run run) {
    run.request = 1;
    return how(agent.ask({run}, 1));
  };
  CHECK(tried({.argv = {"no-such-tool"}}) ==
        "Missing: cannot start \"no-such-tool\": there is no such program in PATH=" +
            std::string(getenv("PATH")) + " (put it into the image, or give the whole path)");
  CHECK(tried({.argv = {container.at("data")}}) ==
        "Permission: cannot start \"" + container.at("data") +
            "\": it is not executable (set the executable bit in the image or on the host)");
  CHECK(tried({.argv = {"true"}, .cwd = "/nowhere"}) ==
        "Missing: cannot run in the directory /nowhere: No such file or directory (ENOENT) (correct "
        "workingDir)");
  CHECK(tried({.argv = {"true"}, .env = {"A=" + std::string(200'000, 'x')}}) ==
        "BadRequest: cannot start \"true\": its arguments and environment are too long (pass less)");
}

TEST_CASE(
    "4.6 a directory of PATH that may not be looked into does not make a missing program a forbidden one") {
  if (emulated() || geteuid() == 0) return;
  TempTree container;
  container.mkdir("closed");
  container.write("open/data", "x");
  container.chmod("closed", 0);
  AgentProcess agent({.env = {"PATH=" + container.at("closed") + ":" + container.at("open")}});
  CHECK(how(agent.ask({Run{.request = 1, .argv = {"no-such-tool"}}}, 1))
            .starts_with("Missing: cannot start \"no-such-tool\": there is no such program in PATH=/"));
  CHECK(how(agent.ask({Run{.request = 2, .argv = {"data"}}}, 2))
            .starts_with("Permission: cannot start \"data\": it is not executable"));
  container.chmod("closed", 0700);
}

TEST_CASE("4.7 a chain in one write: a failure skips what depends on it, the files stay") {
  TempTree container;
  container.mkdir("app");
  AgentProcess agent;
  const auto chain = [&](int before_code) {
    return std::vector<Request>{shell(1, "exit " + std::to_string(before_code), {.fresh = true}),
                                Begin{2, {}, 1, {container.at("app")}}} +
           file("a", "x") +
           std::vector<Request>{Commit{1},
                                shell(3, "echo 3", {.if_ok = true}),
                                shell(4, "exit 1", {.if_ok = true, .keep_going = true}),
                                shell(5, "exit 2", {.if_ok = true}),
                                shell(6, "echo 6", {.if_ok = true}),
                                Restart{7, {.if_ok = true}, RestartHow::Signal, SIGTERM, 1}};
  };
  agent.send(chain(0));
  CHECK(how(agent.answer_to(1)) == "exited 0");
  CHECK(confirmed(agent.answer_to(2)));
  CHECK(how(agent.answer_to(3)) == "exited 0");
  CHECK(how(agent.answer_to(4)) == "exited 1");
  CHECK(how(agent.answer_to(5)) == "exited 2");
  CHECK(std::holds_alternative<Skipped>(agent.answer_to(6)));
  CHECK(std::holds_alternative<Skipped>(agent.answer_to(7)));
  agent.send(chain(3));
  CHECK(how(agent.answer_to(1)) == "exited 3");
  CHECK(confirmed(agent.answer_to(2)));
  CHECK(std::holds_alternative<Skipped>(agent.answer_to(3)));
  // A batch that fails, and one that is skipped.
  agent.send({Begin{8, {.fresh = true}, 2, {"/proc"}}, Delete{0, "a"}, Commit{2},
              shell(9, "echo", {.if_ok = true}), Begin{10, {.if_ok = true}, 3, {container.at("app")}},
              Delete{0, "a"}, Commit{3}, barrier(11)});
  CHECK(failure_of(agent.answer_to(8)) ==
        "BadRequest: \"/proc\" belongs to the system (let the sync lead to a path without such parts)");
  CHECK(std::holds_alternative<Skipped>(agent.answer_to(9)));
  CHECK(std::holds_alternative<Skipped>(agent.answer_to(10)));
  CHECK(container.read("app/a") == "x");
}

TEST_CASE("4.6 the timeout ends the whole process group, TERM first, KILL for who ignores it") {
  TempTree container;
  AgentProcess agent;
  auto run = shell(1, "sleep 60");
  run.timeout_ms = 50;
  CHECK(how(agent.ask({run}, 1)) == "timed out 15");
  run = shell(2, "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > " + container.at("grandchild") +
                     "; echo ready; while :; do sleep 1; done' & while :; do sleep 1; done");
  run.timeout_ms = 300;
  run.grace_ms = 100;
  CHECK(how(agent.ask({run}, 2)) == "timed out 9");
  CHECK(soon([&] { return !alive(container.at("grandchild")); }));
}

TEST_CASE("a run that daemonizes does not hold up the step, whether or not it keeps the output open") {
  TempTree container;
  AgentProcess agent;
  CHECK(how(agent.ask({shell(1, "sleep 60 & echo $! > " + container.at("pid") + "; echo done")}, 1)) ==
        "exited 0");
  CHECK(agent.output[1] == "done\n");
  CHECK(alive(container.at("pid")));
  CHECK(how(agent.ask({shell(2, "setsid sleep 60 >/dev/null 2>&1 & echo fine")}, 2)) == "exited 0");
  kill(std::atoi(container.read("pid").c_str()), SIGKILL);
}

TEST_CASE("a gigabyte of output flows as fast as credit is given, and costs the agent no memory") {
  const bool slow = emulated() || kSanitized;
  const std::uint64_t much = slow ? 100'000'000 : 1'000'000'000;
  AgentProcess agent;
  std::uint64_t got = 0;
  agent.on_output = [&](const RunOutput& printed) {
    got += printed.bytes.size();
    agent.output.clear();
    agent.send({Credit{1, static_cast<std::uint32_t>(printed.bytes.size())}});
  };
  CHECK(how(agent.ask({shell(1, "head -c " + std::to_string(much) + " /dev/zero")}, 1)) == "exited 0");
  CHECK(got == much);
  const auto status = TempTree().read("../../proc/" + std::to_string(agent.pid()) + "/status");
  const auto at = status.find("VmHWM:");
  REQUIRE(at != std::string::npos);
  if (!kSanitized) CHECK(std::atoi(status.c_str() + at + 6) < (emulated() ? 100'000 : 8'000));
}

TEST_CASE("without credit a command waits, and the session still answers; its end ends it") {
  AgentProcess agent;
  auto run = Run{.request = 1, .argv = {"yes"}, .grace_ms = 100, .credit = 10'000};
  agent.send({run, barrier(2)});
  CHECK(passed(agent.answer_to(2)));
  REQUIRE(soon([&] {
    agent.ask({barrier(3)}, 3);
    return agent.output[1].size() == 10'000;
  }));
  agent.ask({barrier(4)}, 4);
  CHECK(agent.output[1].size() == 10'000);
  CHECK(agent.close() == 0);
}

TEST_CASE("what is sent behind a run waits for it, within bounds") {
  TempTree container;
  container.mkdir("app");
  AgentProcess agent;
  const std::string much(kMaxAhead / 4, 'x');
  CHECK(confirmed(agent.ask(
      std::vector<Request>{shell(1, "sleep 0.1; test ! -e " + container.at("app/a") + " && echo first"),
                           Begin{2, {}, 1, {container.at("app")}}} +
          file("a", much) + std::vector<Request>{Commit{1}},
      2)));
  CHECK(agent.output[1] == "first\n");
  const std::string too_much(kMaxAhead + 1, 'x');
  const auto answer =
      agent.ask(std::vector<Request>{shell(3, "sleep 60"), Begin{4, {}, 2, {container.at("app")}}} +
                    file("a", too_much),
                4);
  CHECK(
      failure_of(answer).starts_with("Protocol: more than 1048576 bytes came behind a run that is not over"));
}

TEST_CASE("the end of a session leaves no process, even if the agent is killed") {
  for (const int signal : {0, SIGTERM, SIGKILL}) {
    TempTree container;
    AgentProcess agent;
    agent.send({shell(1, "sh -c 'trap \"\" TERM; echo $$ > " + container.at("pid") +
                             "; echo up; while :; do sleep 0.1; done' & wait")});
    bool up = false;
    agent.on_output = [&](const RunOutput&) {
      up = true;
      agent.send({barrier(2)});
    };
    agent.answer_to(2);
    REQUIRE(up);
    REQUIRE(alive(container.at("pid")));
    if (signal) agent.child().signal(signal);
    agent.child().in.reset();
    CHECK(agent.child().wait() == (signal == SIGKILL ? 128 + SIGKILL : 0));
    CHECK(soon([&] { return !alive(container.at("pid")); }));
  }
}

TEST_CASE("4.8 a restart behind a run is over when it is over: nobody waits for its grace time") {
  TempTree container;
  Child app({.arguments = {"supervise", "--", "sh", "-c",
                           "trap 'exit 5' HUP; echo ready; while :; do sleep 0.05; done"}});
  char block[16];
  REQUIRE(read(app.out.get(), block, sizeof block) > 0);
  AgentProcess agent;
  const auto began = std::chrono::steady_clock::now();
  Restart hup{2, {}, RestartHow::Signal, SIGHUP, static_cast<std::uint32_t>(app.pid())};
  hup.grace_ms = 600'000;
  CHECK(failure_of(agent.ask({shell(1, "sleep 0.1"), hup}, 2)) == "");
  CHECK(app.wait() == 5);
  // One that fails at once, and everything else that can stand behind a run.
  Restart gone{4, {}, RestartHow::Signal, SIGHUP, 1u << 22};
  Restart none{5, {}, RestartHow::Process, SIGTERM};
  gone.grace_ms = none.grace_ms = 600'000;
  container.mkdir("app");
  agent.send(std::vector<Request>{shell(3, "sleep 0.1"), gone, none, shell(6, "true"),
                                  Run{.request = 7, .argv = {"/no"}},
                                  Begin{8, {}, 1, {container.at("app")}}} +
             file("a", "x") + std::vector<Request>{Commit{1}});
  CHECK(failure_of(agent.answer_to(4)).starts_with("NotRestarted: cannot send SIGHUP"));
  CHECK(failure_of(agent.answer_to(5)).starts_with("Missing: there is no supervisor"));
  CHECK(how(agent.answer_to(6)) == "exited 0");
  const Answer no_program = agent.answer_to(7);
  // Under qemu-user, where vfork is a fork, only the exit code tells.
  CHECK((emulated() ? how(no_program) == "exited 127" : failure_of(no_program) != ""));
  CHECK(confirmed(agent.answer_to(8)));
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(emulated() ? 60 : 9));
}

TEST_CASE("4.8 restart: signal") {
  TempTree container;
  Child app({.arguments = {"supervise", "--", "sh", "-c",
                           "trap 'echo hup; exit 5' HUP; echo ready; while :; do sleep 0.05; done"}});
  char block[16];
  REQUIRE(read(app.out.get(), block, sizeof block) > 0);
  AgentProcess agent;
  const auto answer =
      agent.ask({Restart{1, {}, RestartHow::Signal, SIGHUP, static_cast<std::uint32_t>(app.pid())}}, 1);
  CHECK(failure_of(answer) == "");
  CHECK(app.wait() == 5);
  CHECK(failure_of(agent.ask({Restart{2, {}, RestartHow::Signal, SIGHUP, 1u << 22}}, 2)) ==
        "NotRestarted: cannot send SIGHUP to process 4194304: No such process (ESRCH)");
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
