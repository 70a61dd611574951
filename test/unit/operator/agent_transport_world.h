// Transport Agent against an agent in the test's hands.
#pragma once

#include <doctest/doctest.h>

#include "operator/agent/agent_transport.h"
#include "run/content.h"
#include "run/uv_loop.h"
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
    hello.features = features;
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
  // Calls `look` with each request of this kind that the newest agent has got, and its size.
  template <typename Kind, typename Look>
  void each_sent(Look look) const {
    agent::FrameReader reader{agent::kMaxNoise};
    reader.feed(execs.back().input());
    for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
      const auto request = agent::decode_request(**frame);
      REQUIRE(request);
      if (const auto* it = std::get_if<Kind>(&*request)) look(*it, (*frame)->payload.size());
    }
  }
  // How many of them there are, and their bytes together.
  template <typename Kind>
  int sent() const {
    int count = 0;
    each_sent<Kind>([&](const Kind&, std::size_t) { ++count; });
    return count;
  }
  template <typename Kind>
  std::size_t sent_bytes() const {
    std::size_t bytes = 0;
    each_sent<Kind>([&](const Kind&, std::size_t size) { bytes += size + agent::kHeaderSize; });
    return bytes;
  }
  // What it was told of changed paths.
  std::string listed() const {
    std::size_t paths = 0;
    bool forgotten = false;
    each_sent<agent::Changed>([&](const agent::Changed& it, std::size_t) {
      paths += it.paths.size();
      forgotten = it.forget;
    });
    if (paths == 0 && !forgotten) return "nothing";
    return std::to_string(paths) + " paths" + (forgotten ? ", forgotten" : "");
  }
  std::string told() const {
    if (!outcome) return "nothing yet";
    const auto* problem = std::get_if<NotDelivered>(&*outcome);
    return problem ? problem->reason : "delivered";
  }

  UvLoop loop;
  FakeApiServer api{loop};
  AgentPrograms programs = one_program();
  NoTar tar;
  std::string notes;
  // How long the newest session was given to begin.
  Millis::rep patience() const { return starts.back().count(); }

  std::vector<Millis> starts;  // every wait of 10 s or 30 s
  const After after = [this](Millis delay, Callback work) {
    if (delay == Millis(10'000) || delay == Millis(30'000)) starts.push_back(delay);
    return loop.after(delay, std::move(work));
  };
  AgentPlacer placer{api, after, programs, {.image = {"localhost/operator:1", ""}}};
  AgentTransport transport{api,
                           after,
                           [this] { return loop.exact_wall_clock(); },
                           programs,
                           placer,
                           tar,
                           {},
                           [this](const ContainerRef&, const std::string& what) { notes += what + "\n"; }};
  std::vector<FakeExec> execs;
  std::uint64_t features = agent::kFeatureChanged;
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
