// Sessions: how they begin, what ends them, and that what was applied is known afterwards.
#include <doctest/doctest.h>
#include <signal.h>

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "test/agent/agent_process.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

using Tree = std::map<std::string, std::string>;

TEST_SUITE_BEGIN("agent: sessions");

TEST_CASE("Hello tells who the agent is, and which file it was started from") {
  AgentProcess agent;
  CHECK(agent.hello().program.starts_with("live-update-agent "));
  CHECK(agent.hello().newest == kVersion);
  CHECK(agent.hello().features == (kFeatureChanged | kFeatureRecord | kFeatureList));
  CHECK(agent.hello().uid == geteuid());
  TempTree container;
  if (!emulated()) {
    container.write("copy", "");
    std::system(("cp " + agent_command()[0] + " " + container.at("copy")).c_str());
    CHECK(agent.hello().digest == sha256_of(container.read("copy")));
    CHECK(agent.hello().pid == static_cast<std::uint32_t>(agent.pid()));
  }
  CHECK(agent.close() == 0);
}

TEST_CASE("an operator of another version is answered") {
  AgentProcess agent({}, Hello{.oldest = 7, .newest = 9, .program = "later"});
  CHECK(agent.hello().newest == kVersion);
  CHECK(failure_of(agent.answer_to(0)) ==
        "Version: the operator speaks the versions 7 to 9 of the protocol, this agent 1 to 1 (end this "
        "session and begin a new one; an agent of another version "
        "has to be replaced)");
  CHECK(agent.child().wait() == 3);
}

TEST_CASE("an operator that is none") {
  for (const auto* bytes :
       {"GET / HTTP/1.1\r\n\r\n", "\x89live-update\r\n\x1a\n and then nothing that makes sense"}) {
    Child child({});
    [[maybe_unused]] const auto wrote = write(child.in.get(), bytes, strlen(bytes));
    CHECK(child.wait() == 1);
  }
}

TEST_CASE("frames that make no sense in their order end the session, and nothing is visible") {
  const auto ended = [](const std::vector<Request>& requests) {
    TempTree container;
    container.write("app/a", "old");
    AgentProcess agent;
    std::vector<Request> all{Begin{1, {}, 5, {container.at("app")}}};
    if (!requests.empty() && std::holds_alternative<Begin>(requests[0])) all.clear();
    const auto failure = failure_of(agent.ask(all + requests, 0));
    CHECK(agent.child().wait() == 1);
    CHECK(tree_of(container.at("app")) == Tree{{"a", "file 644 old"}});
    return failure.substr(0, failure.find(" ("));
  };
  const auto a = file("a", "new");
  CHECK(ended({Data{Coding::Identity, "x", true}}) ==
        "Protocol: agent protocol: content came that belongs to no file");
  CHECK(ended(std::vector<Request>{a[0]} + std::vector<Request>{Commit{5}}).ends_with("is not complete"));
  CHECK(ended(std::vector<Request>{a[0], Delete{0, "a"}, Commit{5}}).ends_with("is not complete"));
  CHECK(ended(a + std::vector<Request>{Commit{6}}) ==
        "Protocol: the Commit of sequence 6 came, but that of 5 is due");
  CHECK(ended(a + std::vector<Request>{Begin{2, {}, 6, {}}}) ==
        "Protocol: a batch begins within another one");
  CHECK(ended(a + std::vector<Request>{Run{.request = 2, .argv = {"true"}}}) ==
        "Protocol: a run came within a batch");
  CHECK(ended(a + std::vector<Request>{Hello{}}) == "Protocol: a session begins with one Hello");
  CHECK(ended({Delete{7, "a"}}).ends_with("a path has the root 7, which Begin did not name"));
  CHECK(ended({Begin{1, {}, 1, {}}, Commit{1}, Delete{0, "a"}}) ==
        "Protocol: a path came outside of a batch");
}

TEST_CASE("a damaged, truncated, repeated or reordered stream changes no file") {
  TempTree container;
  container.write("app/a", "old");
  const auto root = container.at("app");
  const Tree before{{"a", "file 644 old"}};
  // All frames up to the Commit of one batch; the last bytes are those of the Commit.
  const auto batch = std::vector<Request>{Begin{1, {}, 1, {root}}, Delete{0, "a"}} + file("b", "content") +
                     std::vector<Request>{Commit{1}};
  std::mt19937 random(42);
  for (int round = 0; round < 60; ++round) {
    AgentProcess agent;
    auto bytes = agent.encode(batch);
    CAPTURE(round);
    if (round < 40) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    } else {
      bytes.resize(random() % bytes.size());
    }
    agent.send_bytes(bytes);
    agent.child().in.reset();
    const int code = agent.child().wait();
    // Damage in the content of a file is a matter of its digest, so only that batch fails.
    CHECK((code == 0 || (code == 1 && round < 40)));
    // batch.
    CHECK(soon([&] { return tree_of(root) == before; }));
  }
}

TEST_CASE(
    "a lost, repeated, reordered or oversized frame ends the session with the reason, and changes no file") {
  TempTree container;
  container.write("app/a", "old");
  const auto root = container.at("app");
  const std::vector<std::vector<Request>> parts{
      {Begin{1, {}, 1, {root}}, Delete{0, "a"}}, file("b", "x"), {Commit{1}}};
  const auto ended = [&](const std::vector<std::size_t>& order, const std::string& more = "") {
    AgentProcess agent;
    std::vector<std::string> bytes;
    for (const auto& part : parts) bytes.push_back(agent.encode(part));
    for (const auto at : order) agent.send_bytes(bytes[at]);
    agent.send_bytes(more);
    const auto failure = failure_of(agent.answer_to(0));
    CHECK(agent.child().wait() == 1);
    CHECK(tree_of(root) == Tree{{"a", "file 644 old"}});
    return failure.substr(0, failure.find(" ("));
  };
  CHECK(ended({0, 2}) ==
        "Protocol: agent protocol: frame 3 is due, but 5 came: one is lost, repeated or out of order");
  CHECK(ended({0, 0, 1, 2}) ==
        "Protocol: agent protocol: frame 3 is due, but 1 came: one is lost, repeated or out of order");
  CHECK(ended({1, 0, 2}) ==
        "Protocol: agent protocol: frame 1 is due, but 3 came: one is lost, repeated or out of order");
  FrameWriter writer;
  std::string before;
  for (int i = 0; i < 5; ++i) writer.append(before, barrier(1));
  CHECK(ended({0, 1}, writer.data_header(Coding::Identity, 1u << 31, true)) ==
        "Protocol: agent protocol: frame 5 claims 2147483649 bytes; at most 1048576 are allowed");
}

// A frame without payload, and with the checks of docs/agent-protocol.md.
std::string bare_frame(std::uint8_t type, std::uint8_t number) {
  std::string header(kHeaderSize, '\0');
  header[4] = static_cast<char>(type);
  header[8] = static_cast<char>(number);
  std::uint32_t crc = ~0u;
  for (const std::size_t at : {0, 1, 2, 3, 4, 5, 8, 9, 10, 11}) {
    crc ^= static_cast<std::uint8_t>(header[at]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
  }
  header[6] = static_cast<char>(~crc);
  header[7] = static_cast<char>(~crc >> 8);
  return header;
}

TEST_CASE("a frame of a type that is no more ends the session with a clear refusal, and changes no file") {
  for (const auto type : kReservedTypes) {
    TempTree container;
    container.write("app/a", "old");
    AgentProcess agent;
    agent.send({Begin{1, {}, 1, {container.at("app")}}, Delete{0, "a"}});
    agent.send_bytes(bare_frame(type, 3));
    CHECK(failure_of(agent.answer_to(0)) ==
          "Protocol: agent protocol: a frame of the unknown type " + std::to_string(type) +
              " (end this session and begin a new one; an agent of another version has to be replaced)");
    CHECK(agent.child().wait() == kExitNonsense);
    CHECK(tree_of(container.at("app")) == Tree{{"a", "file 644 old"}});
  }
}

TEST_CASE("a container that prints at the start of its sessions does not confuse the handshake") {
  Setup chatty;
  chatty.before = {"sh", "-c", "printf 'Welcome to \\211live-update\\r\\n the shop!\\n'; exec \"$@\"", "sh"};
  AgentProcess agent(chatty);
  CHECK(agent.hello().program.starts_with("live-update-agent "));
  CHECK(agent.noise() == "Welcome to \x89live-update\r\n the shop!\n");
  TempTree container;
  CHECK(confirmed(agent.apply({container.at("app")}, file("a", "x"))));
}

TEST_CASE("killed at each boundary of frames: a new session and the same batches lead to the same state") {
  TempTree container;
  const auto root = container.at("app");
  const auto begin = [&](std::int64_t sequence) {
    return std::vector<Request>{
        Begin{static_cast<std::uint32_t>(sequence), {.fresh = true}, sequence, {root}}};
  };
  const std::vector<Request> script =
      begin(1) + file("a", "1") + file("d/e/f", "1") +
      std::vector<Request>{Symlink{0, "l", "a", {}}, Commit{1}} + begin(2) +
      std::vector<Request>{Delete{0, "d/e/f"}, Delete{0, "d/e", DeleteHow::Tracked}, Directory{0, "n"}} +
      file("a", "2") + file("n/g", "2") + std::vector<Request>{Commit{2}} + begin(3) +
      std::vector<Request>{Delete{0, "n/g"}, Delete{0, "n", DeleteHow::Tracked}} + file("d", "3") +
      std::vector<Request>{Commit{3}};
  const std::vector<Tree> after{
      {},
      {{"a", "file 644 1"}, {"d", "dir"}, {"d/e", "dir"}, {"d/e/f", "file 644 1"}, {"l", "link a"}},
      {{"a", "file 644 2"}, {"d", "dir"}, {"n", "dir"}, {"n/g", "file 644 2"}, {"l", "link a"}},
      {{"a", "file 644 2"}, {"d", "file 644 3"}, {"l", "link a"}}};
  const auto without_temporary = [&] {
    auto tree = tree_of(root);
    std::erase_if(tree,
                  [](const auto& entry) { return entry.first.find(".live-update-") != std::string::npos; });
    return tree;
  };
  for (std::size_t count = 0; count <= script.size(); ++count) {
    CAPTURE(count);
    container.remove("app");
    std::size_t commits = 0;
    {
      AgentProcess agent;
      const std::vector<Request> part(script.begin(), script.begin() + static_cast<std::ptrdiff_t>(count));
      for (const auto& request : part) commits += std::holds_alternative<Commit>(request);
      agent.send(part + std::vector<Request>{barrier(99)});
      std::size_t done = 0;
      auto answer = agent.next().answer;
      for (; confirmed(answer); answer = agent.next().answer) ++done;
      REQUIRE_MESSAGE(passed(answer), failure_of(answer));
      CHECK(done == commits);
      agent.child().signal(SIGKILL);
      CHECK(agent.child().wait() == 128 + SIGKILL);
    }
    CHECK(without_temporary() == after[commits]);
    AgentProcess agent;
    // The operator goes on from the last batch that was confirmed, which it may have missed.
    for (std::size_t from = 0, batch = 0; from < script.size(); ++batch) {
      auto to = from;
      while (!std::holds_alternative<Commit>(script[to])) ++to;
      const std::vector<Request> one(script.begin() + static_cast<std::ptrdiff_t>(from),
                                     script.begin() + static_cast<std::ptrdiff_t>(to) + 1);
      if (batch + 1 >= commits)
        CHECK(failure_of(agent.ask(one, static_cast<std::uint32_t>(batch + 1))) == "");
      from = to + 1;
    }
    CHECK(soon([&] { return tree_of(root) == after[3]; }));
  }
}

TEST_CASE("killed in the middle of anything: what is left is cleared away by the next one") {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    TempTree container;
    const auto root = container.at("app");
    container.write("app/f0", "old");
    std::vector<Request> batch{Begin{1, {.fresh = true}, 1, {root}}};
    for (int i = 0; i < 50; ++i) batch = std::move(batch) + file("f" + std::to_string(i), "content");
    batch.push_back(Commit{1});
    {
      AgentProcess agent;
      agent.send_bytes(std::string_view(agent.encode(batch))
                           .substr(0, round % 3 ? std::string::npos : 3000 + random() % 2000));
      usleep(static_cast<useconds_t>(random() % 1500));
      agent.child().signal(SIGKILL);
      agent.child().wait();
    }
    AgentProcess agent;
    CHECK(failure_of(agent.ask(batch, 1)) == "");
    CHECK(soon([&] { return tree_of(root).size() == 50; }));
    CHECK(container.read("app/f0") == "content");
  }
}

TEST_CASE("temporary names: those of living agents stay, and names that only look so") {
  TempTree container;
  container.write("app/.live-update-of-mine", "keep");
  container.write("app/.live-update-0-1-2-3", "of another machine, young");
  AgentProcess one, other;
  one.send(std::vector<Request>{Begin{1, {}, 1, {container.at("app")}}} + file("a", "one"));
  REQUIRE(passed(one.ask({barrier(2)}, 2)));
  CHECK(confirmed(other.apply({container.at("app")}, file("b", "other"))));
  CHECK(passed(other.ask({barrier(3)}, 3)));
  CHECK(confirmed(one.ask({Commit{1}}, 1)));
  CHECK(soon([&] {
    return tree_of(container.at("app")) ==
           Tree{{"a", "file 644 one"},
                {"b", "file 644 other"},
                {".live-update-of-mine", "file 644 keep"},
                {".live-update-0-1-2-3", "file 644 of another machine, young"}};
  }));
}

TEST_CASE("5.3 Have: what is there, by digest") {
  TempTree container;
  container.write("app/a", "hello");
  container.write("app/d/b", std::string(300'000, 'b'));
  container.write("app/.live-update-1-2-3-4", "staged by somebody");
  container.link("app/l", "d");
  container.chmod("app/a", 0640);
  AgentProcess agent;
  const auto have = [&](Have request) {
    request.request = 9;
    std::vector<HaveEntry> all;
    agent.send({request});
    while (true) {
      const auto part = agent.answer_to(9);
      REQUIRE_MESSAGE(std::holds_alternative<HaveResult>(part), failure_of(part));
      for (const auto& entry : std::get<HaveResult>(part).entries) all.push_back(entry);
      if (std::get<HaveResult>(part).last) return all;
    }
  };
  const auto listed = have(
      {.root = container.at("app"), .paths = {{"a", 5}, {"a", 4}, {"none"}, {"l"}, {"l/b"}, {"d"}, {"a/x"}}});
  REQUIRE(listed.size() == 7);
  CHECK(listed[0].digest == sha256_of("hello"));
  CHECK(listed[0].mode == 0640);
  CHECK(listed[1].kind == Kind::File);
  CHECK_FALSE(listed[1].digest.has_value());
  CHECK(listed[1].size == 5);
  CHECK(listed[2].kind == Kind::Missing);
  CHECK(listed[3].kind == Kind::Symlink);
  CHECK(listed[3].target == "d");
  CHECK(listed[4].kind == Kind::Missing);
  CHECK(listed[5].kind == Kind::Directory);
  CHECK(listed[6].kind == Kind::Missing);
  const auto below = have({.root = container.at("app"), .below = true, .paths = {{""}}});
  std::vector<std::string> paths;
  for (const auto& entry : below) paths.push_back(entry.path);
  CHECK(paths == std::vector<std::string>{"", "a", "d", "d/b", "l"});
  CHECK(below[3].digest == sha256_of(std::string(300'000, 'b')));
  CHECK(have({.root = container.at("app/a"), .paths = {{""}}})[0].digest == sha256_of("hello"));
  CHECK(have({.root = container.at("nowhere"), .below = true, .paths = {{""}, {"x"}}})[1].kind ==
        Kind::Missing);
  CHECK(failure_of(agent.ask({Have{.request = 9, .root = container.at("app"), .paths = {{"../x"}}}}, 9))
            .starts_with("BadRequest: \"../x\""));
}

TEST_CASE("5.3 Have of many files goes on while batches are applied") {
  TempTree container;
  for (int i = 0; i < 3000; ++i)
    container.write("app/d" + std::to_string(i % 30) +
                        "/a rather long name so that the answer needs several frames " + std::to_string(i),
                    "x");
  AgentProcess agent;
  agent.send({Have{.request = 9, .root = container.at("app"), .below = true, .paths = {{""}}}});
  agent.send(std::vector<Request>{Begin{10, {}, 1, {container.at("app")}}} + file("meanwhile", "y") +
             std::vector<Request>{Commit{1}});
  std::size_t entries = 0, before_batch = 0;
  for (bool last = false; !last;) {
    const auto received = agent.next();
    if (confirmed(received.answer)) before_batch = entries;
    const auto* result = std::get_if<HaveResult>(&received.answer);
    REQUIRE_MESSAGE((result || confirmed(received.answer)), failure_of(received.answer));
    if (result) entries += result->entries.size(), last = result->last;
  }
  CHECK(entries >= 3031);
  CHECK(before_batch < 3031);
  CHECK(agent.close() == 0);
}

TEST_CASE("5.3 Have is answered while a batch is open, in the order of the requests and of their paths") {
  TempTree container;
  std::vector<Request> requests{Begin{10, {}, 1, {container.at("app")}}};
  for (std::uint32_t request = 20; request < 50; ++request) {
    Have have{.request = request, .root = container.at("app"), .below = false, .paths = {}};
    for (int i = 0; i < 40; ++i) {
      const std::string name = std::to_string(request) + "-" + std::to_string(i);
      if (i % 2 == 0) container.write("app/" + name, std::string(20'000, 'x'));
      have.paths.push_back({name});
    }
    requests.push_back(have);
  }
  AgentProcess agent;
  agent.send(requests);
  std::uint32_t next = 20;
  std::size_t path = 0;
  while (next < 50) {
    const auto received = agent.next();
    const auto* result = std::get_if<HaveResult>(&received.answer);
    REQUIRE(result);
    REQUIRE(result->request == next);
    for (const auto& entry : result->entries) {
      REQUIRE(entry.path == std::to_string(next) + "-" + std::to_string(path));
      REQUIRE(entry.digest.has_value() == (path % 2 == 0));
      ++path;
    }
    if (!result->last) continue;
    CHECK(path == 40);
    ++next;
    path = 0;
  }
  agent.send({Commit{1}});
  CHECK(confirmed(agent.next().answer));
  CHECK(agent.close() == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
