// Transport Agent against an agent in the test's hands: sessions that end at a bad moment, answers that no
// agent gives. With the real agent: test/wire/agent_transport_test.cc.
#include <algorithm>

#include "test/unit/operator/agent_transport_world.h"

using namespace live_update;

namespace {

Delivery compared_files() {
  Delivery delivery;
  for (int i = 0; i < 20; ++i) {
    delivery.writes.push_back(one_file().writes[0]);
    delivery.writes.back().to = "/app/" + std::to_string(i);
  }
  delivery.sequence = 1;
  delivery.compare = true;
  return delivery;
}

// So many files with names of 92 bytes.
Delivery many_files(int many) {
  Delivery delivery = one_file();
  const DeliveryWrite first = delivery.writes[0];
  delivery.writes.clear();
  for (int i = 0; i < many; ++i) {
    delivery.writes.push_back(first);
    delivery.writes.back().to = "/app/" + std::string(83, 'x') + std::to_string(1000 + i);
  }
  return delivery;
}

DeliveryRun a_run(int step) { return {step, {"sh", "-c", "echo"}, "", 60, OnFailure::Stop}; }

}  // namespace

TEST_CASE("4.1 the steps behind a batch are sent once, however many paths and runs there are") {
  for (const int files : {1, 400, 1000})
    for (const int runs : {1, 2, 64}) {
      CAPTURE(files);
      CAPTURE(runs);
      TransportWorld world;
      Delivery delivery = many_files(files);
      for (int i = 0; i < runs; ++i) delivery.after_sync.push_back(a_run(i));
      delivery.restart = Restart{RestartSignal{"HUP"}};
      world.deliver(std::move(delivery));
      world.greets();
      CHECK(world.sent<agent::Commit>() == 1);
      CHECK(world.sent<agent::Run>() == runs);
      CHECK(world.sent<agent::Restart>() == 1);
      CHECK(world.execs.back().input().size() < 2'000'000);
      world.says(agent::Confirmed{1, 1});
      CHECK(world.told() == "nothing yet");
      for (int i = 0; i < runs; ++i) world.says(agent::RunExit{static_cast<std::uint32_t>(2 + i)});
      CHECK(world.told() == "nothing yet");
      world.says(agent::Restarted{static_cast<std::uint32_t>(2 + runs)});
      CHECK(world.told() == "delivered");
    }
}

TEST_CASE("4.6 all paths are sent as a list where a run's variable cannot hold them, and then only") {
  for (const int files : {300, 1000})
    for (const bool able : {true, false})
      for (const bool before : {true, false}) {
        CAPTURE(files);
        CAPTURE(able);
        CAPTURE(before);
        TransportWorld world;
        world.features = able ? std::uint64_t{agent::kFeatureChanged} : 0;
        Delivery delivery = many_files(files);
        (before ? delivery.before_sync : delivery.after_sync) = {a_run(0), a_run(1)};
        world.deliver(std::move(delivery));
        world.greets();
        if (before)
          for (const std::uint32_t request : {1, 2}) world.says(agent::RunExit{request});
        CHECK(world.sent<agent::Run>() == 2);
        CHECK(world.sent<agent::Commit>() == 1);
        CHECK(world.listed() == (able && files == 1000 ? "1000 paths, forgotten" : "nothing"));
      }
  TransportWorld world;  // nobody would read it
  world.deliver(many_files(1000));
  world.greets();
  CHECK(world.listed() == "nothing");
}

TEST_CASE("what goes out behind a run has room in the agent, whatever the runs' commands are") {
  TransportWorld world;
  Delivery delivery = many_files(3000);
  for (int i = 0; i < 46; ++i)
    delivery.after_sync.push_back({i, {"sh", "-c", std::string(16'000, 'x')}, "", 60, OnFailure::Stop});
  world.deliver(delivery);
  world.greets();
  CHECK(world.sent<agent::Run>() == 46);
  CHECK(world.sent_bytes<agent::Run>() < agent::kMaxAhead);
  delivery.after_sync.insert(delivery.after_sync.end(), 10, delivery.after_sync[0]);
  TransportWorld another;
  another.deliver(delivery);
  another.greets();
  CHECK(
      std::get<NotDelivered>(*another.outcome).message ==
      "shop/web-1, container web: spec.steps: the commands of its runs are longer than 768 KiB together; put "
      "them into files");
}

TEST_CASE("4.6 a command that nobody can execute: said before anything is sent, and the session stays") {
  TransportWorld world;
  Delivery delivery = one_file();
  delivery.after_sync.push_back({2, {""}, "", 60, OnFailure::Stop});
  world.deliver(delivery);
  world.greets();
  CHECK(world.told() == "Unsupported");
  const auto& problem = std::get<NotDelivered>(*world.outcome);
  CHECK(problem.message ==
        "shop/web-1, container web: spec.steps[2].run: its command has no program: its first word is empty");
  CHECK_FALSE(problem.curable);
  CHECK(world.sent<agent::Begin>() == 0);
  CHECK(world.transport.sessions() == 1);
}

TEST_CASE("containers that go while their session is being opened do not keep the others waiting") {
  TransportWorld world;
  for (int i = 0; i < 40; ++i) world.transport.expect(TransportWorld::container(i), {"lu", {}});
  world.turn();
  const std::size_t at_once = world.execs.size();
  CHECK(at_once < 40);
  for (int i = 0; i < 40; ++i) world.transport.forget(TransportWorld::container(i).container_id, "lu");
  world.transport.expect(TransportWorld::container(50), {"lu", {}});
  world.turn();
  CHECK(world.execs.back().request().pod == "web-50");
}

TEST_CASE("sessions are opened in turn by namespace: who does not answer keeps only its own waiting") {
  TransportWorld world;
  for (int i = 0; i < 48; ++i) world.transport.expect(TransportWorld::container(i), {"lu", {}});
  world.turn();
  CHECK(world.execs.size() == 4);
  ContainerRef neighbour = TransportWorld::container(100);
  neighbour.ns = "neighbour";
  world.transport.expect(neighbour, {"lu", {}});
  world.turn();
  REQUIRE(world.execs.size() == 5);
  CHECK(world.execs.back().request().ns == "neighbour");
}

TEST_CASE("a session that could not be opened before has 10 s to begin, and not 30") {
  TransportWorld world;
  world.transport.expect(TransportWorld::container(1), {"lu", {}});
  world.turn();
  CHECK(world.patience() == 30'000);
  world.execs.back().cut({ErrorKind::Timeout, "the agent did not start in time"});
  world.turn();
  world.deliver(one_file());
  REQUIRE(world.execs.size() == 2);
  CHECK(world.patience() == 10'000);
  world.greets();
  world.execs.back().cut({ErrorKind::Unavailable, "connection reset"});
  world.turn();
  world.deliver(one_file());
  REQUIRE(world.execs.size() == 3);
  CHECK(world.patience() == 30'000);
}

TEST_CASE("a container that two LiveUpdates mean keeps its session while one of them does") {
  TransportWorld world;
  world.transport.expect(TransportWorld::container(1), {"one", {}});
  world.transport.expect(TransportWorld::container(1), {"two", {}});
  world.turn();
  world.greets();
  world.transport.forget(TransportWorld::container(1).container_id, "one");
  CHECK(world.transport.sessions() == 1);
  world.transport.forget(TransportWorld::container(1).container_id, "two");
  CHECK(world.transport.sessions() == 0);
}

TEST_CASE("an answer of another kind than its request is nobody's") {
  TransportWorld world;
  world.deliver(one_file());
  world.greets();
  world.says(agent::HaveResult{1, {}, true});
  world.says(agent::RunExit{1});
  CHECK(world.told() == "nothing yet");
  world.says(agent::Confirmed{1, 1});
  CHECK(world.told() == "delivered");
}

TEST_CASE("4.9 a warning of the agent names the container and the path") {
  TransportWorld world;
  world.deliver(one_file());
  world.greets();
  world.says(agent::Warning{1, "/app/a", "cannot be deleted and stays: Read-only file system (EROFS)"});
  world.says(agent::Confirmed{1, 1});
  CHECK(std::get<Delivered>(*world.outcome).warnings ==
        std::vector<std::string>{"shop/web-1, container web: /app/a cannot be deleted and stays: Read-only "
                                 "file system (EROFS)"});
}

TEST_CASE("what a container says beyond measure is cut") {
  TransportWorld world;
  world.deliver(one_file());
  world.greets();
  for (int i = 0; i < 100; ++i) world.says(agent::Warning{1, "/app/a", std::string(10'000, 'x') + "\x1b[2J"});
  world.says(agent::Confirmed{1, 1});
  const auto& warnings = std::get<Delivered>(*world.outcome).warnings;
  CHECK(warnings.size() == 16);
  CHECK(warnings[0].size() < 1200);
}

TEST_CASE("4.9 another session has the container: said, tried again, and not fought over") {
  TransportWorld world;
  world.deliver(one_file());
  world.greets();
  world.says(agent::Failed{0, agent::Code::TakenOver, 0, "", "another session has taken over the container",
                           "see whether a second operator is at work"});
  CHECK(world.told() == "Retrying");
  CHECK(std::get<NotDelivered>(*world.outcome).message ==
        "shop/web-1, container web: the session with the agent was ended: another session has taken over the "
        "container; see whether a second operator is at work");
  CHECK(world.notes ==
        "the session ended: another session has taken over the container; see whether a second operator is "
        "at work\n");
  CHECK(world.transport.sessions() == 0);
  world.turn();
  CHECK(world.execs.size() == 1);
  // With something to do it does not wait.
  world.deliver(one_file());
  CHECK(world.execs.size() == 2);
  world.says(agent::Failed{0, agent::Code::TakenOver, 0, "", "it does not end", "restart the container"});
}

TEST_CASE("what the agent says of its session is for the log") {
  TransportWorld world;
  world.deliver(one_file());
  world.greets();
  world.says(agent::Warning{0, "", "cannot make sure\x1b[2J"});
  CHECK(world.notes.starts_with("cannot make sure"));
  CHECK_FALSE(world.notes.contains("\x1b"));
  world.says(agent::Confirmed{1, 1});
  CHECK(std::get<Delivered>(*world.outcome).warnings.empty());
  for (int i = 0; i < 50; ++i) world.says(agent::Warning{0, "", std::string(100'000, 'x')});
  CHECK(std::ranges::count(world.notes, '\n') == 16);
  CHECK(world.notes.size() < 20'000);
}

TEST_CASE("an agent that ends because of another session is known by its exit code, too") {
  TransportWorld world;
  world.deliver(one_file());
  world.greets();
  world.execs.back().exit(agent::kExitTakenOver);
  world.turn();
  CHECK(world.told() == "Retrying");
  CHECK(world.notes.contains("another session has taken over"));
}

TEST_CASE("a container that nobody means any more loses its session with the last delivery") {
  TransportWorld world;
  world.transport.expect(TransportWorld::container(1), {"lu", {}});
  world.deliver(one_file());
  world.greets();
  world.transport.forget(TransportWorld::container(1).container_id, "lu");
  CHECK(world.transport.sessions() == 1);
  world.says(agent::Confirmed{1, 1});
  CHECK(world.told() == "delivered");
  CHECK(world.transport.sessions() == 0);
}

TEST_CASE("4.8 restart of a container: only its end counts, a cut connection does not") {
  for (const bool ended : {true, false}) {
    CAPTURE(ended);
    TransportWorld world;
    Delivery delivery = one_file();
    delivery.restart = Restart{RestartContainer{}};
    world.deliver(delivery);
    world.greets();
    world.says(agent::Confirmed{1, 1});
    CHECK(world.told() == "nothing yet");
    if (ended)
      world.execs.back().exit(137);
    else
      world.execs.back().cut({ErrorKind::Unavailable, "connection reset"});
    world.turn();
    CHECK(world.told() == (ended ? "delivered" : "Unreachable"));
  }
}

TEST_CASE("a run whose command no agent could take is refused, with its step") {
  TransportWorld world;
  Delivery delivery = one_file();
  delivery.after_sync.push_back({3, {"sh", "-c", std::string(600'000, 'x')}, "", 60, OnFailure::Stop});
  world.deliver(delivery);
  world.greets();
  CHECK(world.told() == "Unsupported");
  CHECK(std::get<NotDelivered>(*world.outcome).message.contains("spec.steps[3].run"));
}

TEST_CASE("5.3 an agent that cannot say what is there gets everything, whatever it answers") {
  for (const agent::Answer& answer : std::initializer_list<agent::Answer>{
           agent::Failed{2, agent::Code::BadRequest, 0, "", "no", ""}, agent::Confirmed{2, 1},
           agent::Skipped{2}, agent::HaveResult{2, {}, true}}) {
    TransportWorld world;
    world.deliver(compared_files());
    world.greets();
    CHECK(world.sent<agent::File>() == 0);
    world.says(answer);
    CHECK(world.sent<agent::File>() == 20);
    CHECK(world.told() == "nothing yet");
    world.says(agent::Confirmed{1, 1});
    CHECK(world.told() == "delivered");
  }
}

TEST_CASE("5.3 a file that has become another one since it was compared is compared again") {
  for (const auto code : {agent::Code::Digest, agent::Code::Permission}) {
    TransportWorld world;
    const Delivery delivery = compared_files();
    world.deliver(delivery);
    world.greets();
    agent::HaveEntry there{.path = "0", .kind = agent::Kind::File, .mode = 0600, .size = 4};
    there.digest = agent::digest_from(delivery.writes[0].digest);
    world.says(agent::HaveResult{2, {there}, true});
    world.says(agent::Failed{1, code, 0, "/app/0", "it is another one", ""});
    CHECK(world.told() == (code == agent::Code::Digest ? "DigestMismatch" : "NotWritable"));
    CHECK(std::get<NotDelivered>(*world.outcome).curable == (code == agent::Code::Digest));
  }
}

TEST_CASE("5.3 a batch that is refused is over when the questions are answered") {
  TransportWorld world;
  world.deliver(compared_files());
  world.greets();
  world.says(agent::Failed{1, agent::Code::NoSpace, 28, "/app", "no space", ""});
  CHECK(world.told() == "nothing yet");
  CHECK(world.sent<agent::Commit>() == 1);
  world.says(agent::HaveResult{2, {}, true});
  CHECK(world.told() == "NoSpace");
  CHECK(world.sent<agent::File>() == 0);
}

TEST_CASE("3.7 in a comparison runs and restart look at what differs in the container") {
  const std::string text = "text", other = "other";
  for (const std::string& there : {text, other}) {
    TransportWorld world;
    Delivery delivery = one_file(text);
    delivery.compare = true;
    delivery.before_sync.push_back(a_run(0));
    delivery.before_sync[0].due = {DueIf::OneDiffers, {0}};
    delivery.after_sync = {a_run(1), a_run(2)};
    delivery.after_sync[0].due = {DueIf::AnyDiffers, {}};
    delivery.after_sync[1].due = {DueIf::OneDiffers, {}};
    delivery.restart = Restart{RestartSignal{"HUP"}, {}};
    delivery.restart_due = {DueIf::AnyDiffers, {}};
    world.deliver(delivery);
    world.greets();
    CHECK(world.sent<agent::Have>() == 1);
    CHECK(world.sent<agent::Run>() == 0);
    agent::HaveEntry entry{.path = "a", .kind = agent::Kind::File, .mode = 0644, .size = there.size()};
    entry.digest = agent::digest_from(sha256(there));
    world.says(agent::HaveResult{1, {entry}, true});
    if (there == other) {  // the run before may have changed what is there
      CHECK(world.sent<agent::Run>() == 1);
      world.says(agent::RunExit{2});
      CHECK(world.sent<agent::Have>() == 2);
      world.says(agent::HaveResult{4, {entry}, true});
      CHECK(world.sent<agent::Run>() == 2);
      world.says(agent::Confirmed{3, 1});
      world.says(agent::RunExit{5});
      CHECK(world.told() == "nothing yet");
      world.says(agent::Restarted{6});
    } else {
      world.says(agent::Confirmed{2, 1});
      CHECK(world.sent<agent::Run>() == 0);
      CHECK(world.sent<agent::Restart>() == 0);
    }
    CHECK(world.told() == "delivered");
    CHECK(world.sent<agent::File>() == (there == other ? 1 : 0));
  }
}

TEST_CASE("3.7 a comparison that is cut says which runs it has made due") {
  TransportWorld world;
  Delivery delivery = one_file();
  delivery.compare = true;
  delivery.after_sync = {a_run(1), a_run(2)};
  delivery.after_sync[0].due = {DueIf::AnyDiffers, {}};
  delivery.after_sync[1].due = {DueIf::OneDiffers, {}};
  world.deliver(delivery);
  world.greets();
  world.says(agent::HaveResult{1, {}, true});
  world.says(agent::Failed{2, agent::Code::NoSpace, 28, "/app", "no space", ""});
  world.says(agent::Skipped{3});
  REQUIRE(world.told() == "NoSpace");
  CHECK(std::get<NotDelivered>(*world.outcome).begun == std::vector{1});
}

TEST_CASE("5.9 it is told whose content is not what was announced of it") {
  TransportWorld world;
  const Delivery delivery = one_file("text");
  world.deliver(delivery);
  world.greets();
  world.says(agent::Failed{1, agent::Code::Digest, 0, delivery.writes[0].to, "it is another one", ""});
  REQUIRE(world.told() == "DigestMismatch");
  CHECK(std::get<NotDelivered>(*world.outcome).wrong == wanted_content(delivery.writes[0]));
  CHECK(std::get<NotDelivered>(*world.outcome).curable);
}

TEST_CASE("5.9 what is not held is compared: the mode alone is sent, or it is wanted and the rest goes") {
  for (const std::string there : {"text", "other"}) {
    TransportWorld world;
    Delivery delivery = one_file("text");
    delivery.writes[0].pieces.clear();
    delivery.writes[0].from = "src/a";
    delivery.writes.push_back(one_file("b").writes[0]);
    delivery.writes[1].to = "/app/b";
    delivery.after_sync = {a_run(1)};
    world.deliver(delivery);
    world.greets();
    int asked = 0;
    world.each_sent<agent::Have>([&](const agent::Have& have, std::size_t) {
      REQUIRE(have.paths.size() == 1);
      CHECK(have.paths[0].path == "a");
      ++asked;
    });
    CHECK(asked == 1);
    agent::HaveEntry entry{.path = "a", .kind = agent::Kind::File, .mode = 0600, .size = there.size()};
    entry.digest = agent::digest_from(sha256(there));
    world.says(agent::HaveResult{2, {entry}, true});
    int kept = 0;
    world.each_sent<agent::File>(
        [&](const agent::File& it, std::size_t) { kept += it.content == agent::Content::Kept; });
    CHECK(kept == (there == "text" ? 1 : 0));
    CHECK(world.sent<agent::File>() == (there == "text" ? 2 : 1));
    world.says(agent::Confirmed{1, 1});
    world.says(agent::RunExit{3});
    REQUIRE(world.told() == "delivered");
    const auto& wanted = std::get<Delivered>(*world.outcome).wanted;
    CHECK(wanted.size() == (there == "text" ? 0 : 1));
    if (!wanted.empty()) CHECK(wanted[0] == WantedContent{"src/a", sha256("text"), 4});
  }
}
