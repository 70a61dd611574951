// A machine in memory, an API server, and a watcher in between, where time is virtual: for what takes long.
#pragma once

#include "test/sim/world/model_host.h"
#include "test/unit/watcher/watched_cluster.h"

namespace live_update {

struct VirtualSessionWorld : WatchedCluster<sim::SimLoop> {
  sim::ModelHost host{loop, sim::Random(1, 2)};
  SessionOptions options;
  std::unique_ptr<Ceiling> ceiling;
  std::unique_ptr<Feed> feed;
  std::optional<int> exit_code;

  VirtualSessionWorld() : WatchedCluster(1) {
    const std::string& root = host.files().root();
    apply(R"({"sync":{"from":"src","to":"/app"}})");
    ceiling = std::make_unique<Ceiling>(AcceptedSpec("", {"https://a", "shop", "web", root}));
    REQUIRE(ceiling->accept(spec()));
    options = {.root = root, .server = "https://a", .user = "ada", .id = "s1", .ceiling = ceiling.get()};
  }
  void start() {
    feed = std::make_unique<Feed>(loop, api, host, console, ObjectKey{"shop", "web"}, options,
                                  [this](int code) { exit_code = code; });
    feed->start();
    until([&] { return api.watches() == 2; });
    settle();
  }
  void until(const std::function<bool()>& condition) {
    const Instant deadline = loop.now() + std::chrono::minutes(10);
    while (!condition() && loop.step(deadline)) {
    }
    REQUIRE(condition());
  }
  void settle() { loop.run_until(loop.now() + Millis(40)); }
};

}  // namespace live_update
