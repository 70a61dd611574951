#include "test/sim/world/processes.h"

#include "run/content.h"

namespace live_update::sim {

AgentPrograms sim_programs() {
  auto bytes = std::make_shared<std::string>("program");
  return {{"amd64", {"amd64", bytes, *agent::digest_from(sha256(*bytes))}}};
}

OperatorProcess::OperatorProcess(SimLoop& loop, Link& link, const std::string& name, Trace& trace,
                                 const Limits& limits)
    : after_([&loop](Millis delay, Callback work) { return loop.after(delay, std::move(work)); }),
      log_(std::move(*Log::create("error"))),
      programs_(sim_programs()),
      tar_(link, after_, [&loop] { return loop.wall_clock(); }),
      placer_(link, after_, programs_, {}),
      transport_(
          link, after_, [&loop] { return loop.wall_clock(); }, programs_, placer_, tar_, {},
          [name, &trace](const ContainerRef& to, const std::string& what) {
            trace.add(name, to.container_id + ": " + what);
          }),
      cache_(loop, link,
             {.namespaces = {},
              .account = "sim:operator",
              .on_change = [this](const ObjectKey& key) { controller_->enqueue(key); },
              .on_synced = [name, &trace] { trace.add(name, "ready"); },
              .on_problem = [name, &trace](const Error& error) { trace.add(name, "! " + error.message); }}) {
  controller_ = std::make_unique<Controller>(
      loop, link, cache_, transport_, *log_, metrics_,
      Controller::Options{.instance = name, .account = "sim:operator", .limits = limits});
  cache_.start();
}

WatcherProcess::WatcherProcess(SimLoop& loop, Link& link, ModelHost& host, Ceiling& ceiling,
                               const std::string& name, const std::string& id, const Limits& limits,
                               Trace& trace)
    : feed_(loop, link, host, console_, ObjectKey{"shop", name},
            SessionOptions{.root = host.files().root(),
                           .server = "https://sim",
                           .user = "ada",
                           .state_directory = "/notes",
                           .id = id,
                           .allow_deletes = true,
                           .limits = limits,
                           .ceiling = &ceiling},
            [this](int) { ended_ = true; }) {
  console_.trace = &trace;
  feed_.start();
}

}  // namespace live_update::sim
