// Transport Agent against an agent in the test's hands.
#pragma once

#include <doctest/doctest.h>

#include "operator/agent/agent_transport.h"
#include "run/content.h"
#include "test/fakes/fake_api_server.h"
#include "test/fakes/turns.h"

namespace live_update {

inline AgentPrograms one_program() {
  auto bytes = std::make_shared<std::string>("program");
  return {{"amd64", {"amd64", bytes, *agent::digest_from(sha256(*bytes))}}};
}

class NoTar : public ContainerTransport {
 public:
  Handle deliver(const ContainerRef&, std::shared_ptr<const Delivery>,
                 std::move_only_function<void(DeliveryOutcome)>, OnOutput) override {
    FAIL("Tar was not asked for");
    return {};
  }
};

class TransportWorld {
 public:
  TransportWorld() {
    api.on_exec = [this](FakeExec& exec) { execs.push_back(exec); };
  }
  static ContainerRef container(int number) {
    const std::string name = std::to_string(number);
    return {"shop", "web-" + name, "web", "containerd://" + name};
  }
  void turn() { live_update::turn(loop); }
  // The agent of the newest exec speaks.
  void says(const agent::Answer& answer) {
    std::string frames;
    writer.append(frames, answer);
    execs.back().out(frames);
    turn();
  }
  void greets() {
    agent::Hello hello;
    hello.program = "live-update-agent";
    hello.digest = programs.begin()->second.digest;
    writer = {};
    says(hello);
  }
  void deliver(Delivery delivery) {
    outcome.reset();
    job = transport.deliver(
        container(1), std::make_shared<Delivery>(std::move(delivery)),
        [this](DeliveryOutcome it) { outcome = std::move(it); }, nullptr);
    turn();
  }
  // How many requests of this kind the newest agent has got.
  template <typename Kind>
  int sent() const {
    agent::FrameReader reader{agent::kMaxNoise};
    reader.feed(execs.back().input());
    int count = 0;
    for (auto frame = reader.next(); frame && *frame; frame = reader.next())
      count += std::holds_alternative<Kind>(*agent::decode_request(**frame));
    return count;
  }
  std::string told() const {
    if (!outcome) return "nothing yet";
    const auto* problem = std::get_if<NotDelivered>(&*outcome);
    return problem ? problem->reason : "delivered";
  }

  Loop loop;
  FakeApiServer api{loop};
  AgentPrograms programs = one_program();
  NoTar tar;
  std::string notes;
  const After after = [this](Millis delay, Callback work) { return loop.after(delay, std::move(work)); };
  AgentPlacer placer{api, after, programs, {.image = {"localhost/operator:1", ""}}};
  AgentTransport transport{
      api, after, programs, placer, tar, {}, [this](const ContainerRef&, const std::string& what) {
        notes += what + "\n";
      }};
  std::vector<FakeExec> execs;
  agent::FrameWriter writer;
  std::optional<DeliveryOutcome> outcome;
  Handle job;
};

inline Delivery one_file(const std::string& text = "text") {
  Delivery delivery;
  DeliveryWrite write{"/app/a", "/app", FileType::File, 0644, {}, text.size(), sha256(text), "", {}};
  write.pieces.push_back({0, Encoding::Identity, std::make_shared<std::string>(text)});
  delivery.writes = {write};
  delivery.sequence = 1;
  return delivery;
}

}  // namespace live_update
