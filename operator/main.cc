// live-update-operator: the program in the cluster. Builds the graph of objects by hand and runs the loop.
//
//   Cache (list and watch) -> Controller (gather, decide, act, record) -> AgentTransport (a session with the
//   agent in each target container; TarTransport where there can be none)
#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <iostream>

#include "kube/io.h"
#include "kube/kube_api_server.h"
#include "kube/kubeconfig.h"
#include "operator/agent/agent_transport.h"
#include "operator/cache.h"
#include "operator/controller.h"
#include "operator/metered.h"
#include "operator/tar/tar_transport.h"
#include "run/http_endpoint.h"
#include "run/log.h"
#include "run/memory.h"
#include "run/metrics.h"
#include "run/uv_loop.h"

namespace live_update {
namespace {

using std::chrono::steady_clock;

constexpr Millis kHeartbeat{1'000};
constexpr auto kStuck = std::chrono::seconds(10);

struct Options {
  std::string listen = ":8080", probes = ":8081", log_level = "info", agents = "/agents", own_namespace;
  int agent_idle_minutes = 30, redeploy_seconds = 30;
  std::vector<std::string> namespaces;
  std::string service_account;
  EphemeralImage ephemeral;
  KubeOptions kube;
};

// What the probes ask; written by the loop, read by the endpoint's threads.
struct Health {
  std::atomic<steady_clock::time_point> last_turn{steady_clock::now()};
  std::atomic<bool> synced{false};

  std::string unhealthy() const {
    return steady_clock::now() - last_turn.load() > kStuck ? "the event loop has not turned for 10 s" : "";
  }
  std::string not_ready() const {
    return synced ? "" : "the first lists of the API server have not come in yet";
  }
};

std::string host_name() {
  const char* name = std::getenv("HOSTNAME");
  return name ? name : "live-update-operator";
}

std::string own_namespace(const Options& options, const ClientConfig& config) {
  if (!options.own_namespace.empty()) return options.own_namespace;
  return config.context == "in-cluster" ? config.ns : "";
}

// As the API server knows this program; empty where that is not known.
std::string account(const Options& options, const ClientConfig& config) {
  const std::string ns = own_namespace(options, config);
  if (ns.empty() || options.service_account.empty()) return {};
  return "system:serviceaccount:" + ns + ":" + options.service_account;
}

int run(const Options& options, Log& log) {
  UvLoop loop;
  const LoopIo io(loop);
  const auto config = load_client_config(options.kube, KubeEnvironment::of_process());
  if (!config) return log.error("cannot reach the cluster", {{"error", config.error().message}}), 1;
  auto server = make_api_server(loop, *config);
  if (!server) return log.error("cannot reach the cluster", {{"error", server.error().message}}), 1;

  Health health;
  Metrics metrics;
  MeteredApiServer api(**server, metrics);
  loop.on_turn([&](auto cpu) { metrics.loop_turned(std::chrono::duration<double>(cpu).count()); });
  const HttpEndpoint::Pages probes{{"/healthz", HttpEndpoint::check([&] { return health.unhealthy(); })},
                                   {"/readyz", HttpEndpoint::check([&] { return health.not_ready(); })}};
  HttpEndpoint::Pages pages = probes;
  pages["/metrics"] = [&] { return HttpEndpoint::Answer{200, metrics.text(), "text/plain; version=0.0.4"}; };
  const auto probed = HttpEndpoint::listen(options.probes, probes);
  if (!probed) return log.error("cannot start", {{"error", probed.error().message}}), 1;
  const auto endpoint = HttpEndpoint::listen(options.listen, pages);
  if (!endpoint) return log.error("cannot start", {{"error", endpoint.error().message}}), 1;

  const auto agents = load_agents(options.agents);
  if (!agents) return log.error("cannot start", {{"error", agents.error().message}}), 1;
  const After after = [&](Millis delay, Callback work) { return loop.after(delay, std::move(work)); };
  TarTransport tar(api, after, [&] { return loop.wall_clock(); });
  AgentPlacer placer(api, after, *agents, {.image = options.ephemeral});
  AgentTransport transport(
      api, after, [&] { return loop.exact_wall_clock(); }, *agents, placer, tar,
      {.idle = Millis(60'000) * options.agent_idle_minutes},
      [&](const ContainerRef& to, const std::string& what) {
        log.info("agent", {{"pod", to.ns + "/" + to.pod}, {"container", to.container}, {"what", what}});
      });
  std::unique_ptr<Controller> controller;
  Cache cache(
      loop, api,
      {.namespaces = options.namespaces,
       .account = account(options, *config),
       .on_change = [&](const ObjectKey& key) { controller->enqueue(key); },
       .on_synced =
           [&] {
             health.synced = true;
             log.info("ready", {{"server", config->server}});
           },
       .on_problem = [&](const Error& error) { log.warn("cannot watch", {{"error", error.message}}); }});
  controller = std::make_unique<Controller>(
      loop, api, cache, transport, log, metrics,
      Controller::Options{.instance = host_name(),
                          .own_namespace = own_namespace(options, *config),
                          .redeploy_period = Millis(1'000) * options.redeploy_seconds,
                          .account = account(options, *config)});
  cache.start();

  BusyThenQuiet memory;
  const Handle heartbeat = loop.every(kHeartbeat, [&] {
    health.last_turn = steady_clock::now();
    if (memory.ask(cpu_seconds())) give_back_memory();
  });
  const Handle on_term = loop.on_signal(SIGTERM, [&] { loop.stop(); });
  const Handle on_int = loop.on_signal(SIGINT, [&] { loop.stop(); });
  log.info("started", {{"version", LIVE_UPDATE_VERSION}, {"server", config->server}});
  const int code = loop.run();
  log.info("stopped");
  return code;
}

void add_bounds(CLI::App& app, Options& options) {
  app.add_option("--redeploy-seconds", options.redeploy_seconds,
                 "a LiveUpdate whose changes fall back is redeployed twice at once, then once in so long")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--own-namespace", options.own_namespace,
                 "nothing is applied in this namespace, where the operator runs; not given: that of its "
                 "service account")
      ->envname("POD_NAMESPACE");
  app.add_option("--service-account", options.service_account,
                 "the name of its service account, by which it writes Checkpoints; not given: it writes none")
      ->envname("SERVICE_ACCOUNT");
}

int parse_and_run(int argc, char** argv) {
  share_one_heap();
  Options options;
  CLI::App app("The live-update operator: applies ChangeSets to the containers that LiveUpdates select.");
  app.set_version_flag("--version", LIVE_UPDATE_VERSION);
  app.add_option("--listen", options.listen, "address of /healthz, /readyz and /metrics")
      ->capture_default_str();
  app.add_option("--probes", options.probes,
                 "address of /healthz and /readyz for those who must have an answer: nothing else is there")
      ->capture_default_str();
  app.add_option("--watch-namespaces", options.namespaces, "namespaces to serve; not given: all")
      ->delimiter(',');
  app.add_option("--agents", options.agents, "directory with live-update-agent-<machine> files")
      ->capture_default_str();
  app.add_option("--agent-idle-minutes", options.agent_idle_minutes,
                 "close a container's session after so long without a change; the next one opens it again")
      ->check(CLI::Range(1, 24 * 60))
      ->capture_default_str();
  add_bounds(app, options);
  app.add_option(
      "--ephemeral-image", options.ephemeral.name,
      "this operator's image, for ephemeral containers that put the agent into containers without a "
      "shell; not given: none are added");
  app.add_option("--ephemeral-pull-policy", options.ephemeral.pull_policy,
                 "of those: Always, IfNotPresent or Never; not given: Kubernetes' default");
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")->capture_default_str();
  app.add_option("--kubeconfig", options.kube.kubeconfig, "outside of a cluster: the kubeconfig file");
  app.add_option("--context", options.kube.context, "outside of a cluster: the context of the kubeconfig");
  CLI11_PARSE(app, argc, argv);
  auto log = Log::create(options.log_level);
  if (!log) {
    std::cerr << log.error().message << "\n";
    return 2;
  }
  return run(options, **log);
}

}  // namespace
}  // namespace live_update

int main(int argc, char** argv) { return live_update::parse_and_run(argc, argv); }
