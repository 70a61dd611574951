#include "watcher/status.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <csignal>

#include "core/api/codec.h"
#include "core/base/text.h"
#include "core/cluster/store.h"
#include "kube/io.h"
#include "kube/reflector.h"
#include "run/uv_loop.h"
#include "watcher/cluster.h"
#include "watcher/console.h"
#include "watcher/status_table.h"
#include "watcher/yaml_output.h"

namespace live_update {
namespace {

constexpr Millis kSettle{100};  // several changes of one moment are shown as one

Result<std::vector<LiveUpdate>> wanted(Loop& loop, const Cluster& cluster, const StatusCommand& command) {
  if (command.names.empty()) return list_live_updates(loop, *cluster.api, cluster.config.ns);
  std::vector<LiveUpdate> chosen;
  for (const std::string& name : command.names) {
    auto live_update = get_live_update(loop, *cluster.api, {cluster.config.ns, name});
    if (!live_update) return std::unexpected(live_update.error());
    chosen.push_back(std::move(*live_update));
  }
  return chosen;
}

std::string json_of(const std::vector<LiveUpdate>& live_updates) {
  if (live_updates.size() == 1) return encode_live_update(live_updates[0]) + '\n';
  std::string text = R"({"apiVersion":"v1","kind":"List","items":[)";
  for (std::size_t i = 0; i < live_updates.size(); ++i)
    text += (i > 0 ? "," : "") + encode_live_update(live_updates[i]);
  return text + "]}\n";
}

void show(const std::vector<LiveUpdate>& live_updates, const StatusCommand& command, const std::string& ns,
          Time now) {
  if (command.output == "json" || command.output == "yaml") {
    const std::string json = json_of(live_updates);
    print(stdout, visible_json(command.output == "json" ? json : to_yaml(*parse_json(json))));
  } else if (live_updates.empty()) {
    print(stderr, fmt::format("There is no LiveUpdate in namespace {}.\n", visible(ns)));
  } else if (command.output == "wide" || (live_updates.size() == 1 && !command.names.empty())) {
    for (const LiveUpdate& it : live_updates) {
      if (&it != &live_updates[0]) print(stdout, "\n");
      print(stdout, status_details(it, command.output == "wide", now));
    }
  } else {
    print(stdout, status_table(live_updates, now));
  }
}

// Prints again whenever a LiveUpdate of the namespace has changed.
int follow(Loop& loop, const Cluster& cluster, const StatusCommand& command) {
  Store<LiveUpdate> store;
  Handle pending;
  auto print_all = [&] {
    std::vector<LiveUpdate> shown;
    for (const auto& [key, live_update] : store.all())
      if (command.names.empty() || std::ranges::find(command.names, key.name) != command.names.end())
        shown.push_back(*live_update);
    show(shown, command, cluster.config.ns, loop.wall_clock());
  };
  Reflector<LiveUpdate> reflector(
      loop, *cluster.api, {.path = live_updates_path(cluster.config.ns)}, store, decode_live_update,
      {.on_change = [&](const auto&) { pending = loop.after(kSettle, print_all); },
       .on_problem =
           [](const Error& error) {
             TerminalConsole().problem(error.message + "; it is tried again by itself");
           }});
  reflector.start();
  const Handle interrupt = loop.on_signal(SIGINT, [&] { loop.stop(0); });
  const Handle terminate = loop.on_signal(SIGTERM, [&] { loop.stop(0); });
  return loop.run();
}

Result<int> status(const KubeOptions& kube, const StatusCommand& command) {
  UvLoop loop;
  const LoopIo io(loop);
  auto cluster = connect(loop, kube);
  if (!cluster) return std::unexpected(cluster.error());
  auto live_updates = wanted(loop, *cluster, command);
  if (!live_updates) return std::unexpected(live_updates.error());
  if (command.watch) return follow(loop, *cluster, command);
  show(*live_updates, command, cluster->config.ns, loop.wall_clock());
  return 0;
}

}  // namespace

int run_status(const KubeOptions& kube, const StatusCommand& command) {
  auto code = status(kube, command);
  if (code) return *code;
  TerminalConsole().problem("error: " + code.error().message);
  return 1;
}

}  // namespace live_update
