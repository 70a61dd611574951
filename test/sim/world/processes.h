// The real programs in a simulated world, but for `main`. Destroying one is a crash.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "operator/agent/agent_transport.h"
#include "operator/controller.h"
#include "operator/tar/tar_transport.h"
#include "test/sim/world/link.h"
#include "test/sim/world/model_host.h"
#include "watcher/feed.h"

namespace live_update::sim {

AgentPrograms sim_programs();

class OperatorProcess {
 public:
  OperatorProcess(SimLoop& loop, Link& link, const std::string& name, Trace& trace, const Limits& limits);

 private:
  const After after_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  const AgentPrograms programs_;
  TarTransport tar_;
  AgentPlacer placer_;
  AgentTransport transport_;
  std::unique_ptr<Controller> controller_;
  Cache cache_;
};

class WatcherProcess {
 public:
  // Of the LiveUpdate of that name. `ceiling` outlives it.
  WatcherProcess(SimLoop& loop, Link& link, ModelHost& host, Ceiling& ceiling, const std::string& name,
                 const std::string& id, const Limits& limits, Trace& trace);
  // A clean end: notes are written.
  void end() { feed_.end(); }
  bool ended() const { return ended_; }

 private:
  struct Lines : Console {
    Trace* trace = nullptr;
    void say(const std::string& line) override { trace->add("watcher", line); }
    void problem(const std::string& line) override { trace->add("watcher", "! " + line); }
    void failure(const std::string& line) override { trace->add("watcher", "! " + line); }
  };
  Lines console_;
  bool ended_ = false;
  Feed feed_;
};

}  // namespace live_update::sim
