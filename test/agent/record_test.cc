// What a container remembers of its LiveUpdates (docs/agent-protocol.md, "The record").
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "agent/files/record.h"
#include "test/agent/agent_process.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

TEST_SUITE_BEGIN("agent: record");

// A container in which the agent lies as the operator puts it, and as the container's own files.
struct Place {
  explicit Place(std::string name = {}) {
    tree.write("tmp/copy", "");
    std::system(("cp " + agent_command().back() + " " + tree.at("tmp/copy")).c_str());
    if (name.empty()) name = program_file_name(sha256_of(tree.read("tmp/copy")));
    program = tree.at("tmp/" + name);
    std::system(("mv " + tree.at("tmp/copy") + " " + program + "; chmod 755 " + program).c_str());
    tree.write("app/a", "image");
  }
  Setup setup() const { return {.program = program}; }
  std::string record() const {
    return tree.at("tmp/" + std::string(kRecordPrefix) + std::to_string(geteuid()));
  }
  std::vector<Request> batch(std::int64_t sequence, const std::string& content) const {
    return std::vector<Request>{
               Begin{static_cast<std::uint32_t>(sequence), {.fresh = true}, sequence, {tree.at("app")}}} +
           file("a", content) + std::vector<Request>{Commit{sequence}};
  }

  TempTree tree;
  std::string program;
};

std::string apply(AgentProcess& agent, const Place& place, std::int64_t sequence,
                  const std::string& content) {
  const Answer answer = agent.ask(place.batch(sequence, content), static_cast<std::uint32_t>(sequence));
  return confirmed(answer) ? "confirmed" : failure_of(answer);
}

TEST_CASE("what a lagging operator sends changes nothing, in the same session and in a later one") {
  if (emulated()) return;
  Place place;
  {
    AgentProcess agent(place.setup());
    agent.send({Subject{"containerd://c", "uid-1"}});
    CHECK(apply(agent, place, 15, "new") == "confirmed");
    CHECK(apply(agent, place, 15, "new") == "confirmed");
    agent.child().signal(SIGKILL);
  }
  AgentProcess agent(place.setup());
  agent.send({Subject{"containerd://c", "uid-1"}});
  CHECK(apply(agent, place, 10, "old") ==
        "Outdated: the container has sequence 15 of this LiveUpdate, and this is 10 (see whether a second "
        "operator is at "
        "work)");
  CHECK(place.tree.read("app/a") == "new");
  const Answer run = agent.ask({Run{.request = 99, .gate = {.if_ok = true}, .argv = {"true"}}}, 99);
  CHECK(std::holds_alternative<Skipped>(run));
  CHECK(apply(agent, place, 16, "newer") == "confirmed");
  CHECK(agent.close() == 0);
}

TEST_CASE("it is of one LiveUpdate and one container") {
  if (emulated()) return;
  Place place;
  AgentProcess agent(place.setup());
  CHECK(apply(agent, place, 30, "of nobody") == "confirmed");
  agent.send({Subject{"containerd://c", "uid-1"}});
  CHECK(apply(agent, place, 15, "a") == "confirmed");
  agent.send({Subject{"containerd://c", "uid-2"}});
  CHECK(apply(agent, place, 3, "b") == "confirmed");
  agent.send({Subject{"containerd://other", "uid-1"}});
  CHECK(apply(agent, place, 4, "c") == "confirmed");
  agent.send({Subject{"containerd://c", "uid-1"}});
  CHECK(apply(agent, place, 14, "d").starts_with("Outdated"));
}

TEST_CASE("only the newest LiveUpdates are remembered") {
  if (emulated()) return;
  Place place;
  AgentProcess agent(place.setup());
  for (std::size_t i = 0; i <= Record::kEntries; ++i) {
    agent.send({Subject{"c", "uid-" + std::to_string(i)}});
    CHECK(apply(agent, place, 9, "x") == "confirmed");
  }
  agent.send({Subject{"c", "uid-1"}});
  CHECK(apply(agent, place, 8, "x").starts_with("Outdated"));
  agent.send({Subject{"c", "uid-0"}});
  CHECK(apply(agent, place, 8, "x") == "confirmed");
}

TEST_CASE("a batch that failed is in no record") {
  if (emulated()) return;
  Place place;
  AgentProcess agent(place.setup());
  agent.send({Subject{"c", "uid"}});
  const auto refused =
      std::vector<Request>{Begin{1, {.fresh = true}, 9, {place.tree.at("app")}},
                           File{0, "a", 0644, {}, 3, sha256_of("xyz"), Content::Kept}, Commit{9}};
  CHECK_FALSE(confirmed(agent.ask(refused, 1)));
  CHECK(apply(agent, place, 8, "x") == "confirmed");
}

TEST_CASE(
    "where others may have put the program there is no file, and a file of somebody else is left alone") {
  if (emulated()) return;
  const auto forgets = [](const Place& place) {
    for (const std::int64_t sequence : {9, 8}) {
      AgentProcess agent(place.setup());
      agent.send({Subject{"c", "uid"}});
      CHECK(apply(agent, place, sequence, "x") == "confirmed");
    }
  };
  Place elsewhere("agent");
  forgets(elsewhere);
  CHECK(access(elsewhere.record().c_str(), F_OK) != 0);
  Place linked;
  linked.tree.write("app/victim", "of somebody");
  CHECK(symlink(linked.tree.at("app/victim").c_str(), linked.record().c_str()) == 0);
  forgets(linked);
  CHECK(linked.tree.read("app/victim") == "of somebody");
  Place open;
  open.tree.write("tmp/" + std::string(kRecordPrefix) + std::to_string(geteuid()), "x");
  chmod(open.record().c_str(), 0666);
  forgets(open);
  CHECK(open.tree.read("tmp/" + std::string(kRecordPrefix) + std::to_string(geteuid())) == "x");
}

TEST_CASE("what is no record counts as none") {
  if (emulated()) return;
  Place place;
  place.tree.write("tmp/" + std::string(kRecordPrefix) + std::to_string(geteuid()),
                   std::string(5'000, '\xff'));
  chmod(place.record().c_str(), 0600);
  AgentProcess agent(place.setup());
  agent.send({Subject{"c", "uid"}});
  CHECK(apply(agent, place, 1, "x") == "confirmed");
  CHECK(apply(agent, place, 2, "y") == "confirmed");
}

TEST_CASE("a subject within a batch ends the session") {
  Place place;
  AgentProcess agent;
  const auto failure =
      failure_of(agent.ask({Begin{1, {}, 5, {place.tree.at("app")}}, Subject{"c", "uid"}, Commit{5}}, 0));
  CHECK(failure.starts_with("Protocol: a subject came within a batch"));
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
