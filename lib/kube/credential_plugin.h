// Exec credential plugins: the JSON they get and give (pure), and running one.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "core/api/kinds.h"
#include "core/base/result.h"
#include "kube/kubeconfig.h"
#include "run/loop.h"

namespace live_update {

struct PluginCredential {
  std::string token;
  std::string certificate, key;  // PEM
  std::optional<Time> expires;   // not given: good until the server says 401
  bool operator==(const PluginCredential&) const = default;
};

// What the cluster entry says, for plugins with provideClusterInfo; `ca` is PEM.
struct PluginClusterInfo {
  std::string server, tls_server_name, ca;
  bool insecure = false;
};

// The value of KUBERNETES_EXEC_INFO.
std::string plugin_input(const ExecPlugin& plugin, const PluginClusterInfo& cluster, bool interactive);

// What a plugin printed. Unauthorized, with what is wrong about it.
Result<PluginCredential> parse_plugin_output(const ExecPlugin& plugin, std::string_view output);

// One run of a plugin, on a thread of its own: it may take seconds, or wait for a person. Its stderr is ours;
// its stdin too, if a person may be asked. Destroying it kills the program.
class PluginRun {
 public:
  // `done` comes on the loop with stdout, or an Error that names the program, the user entry and the install
  // hint.
  PluginRun(Loop& loop, const ExecPlugin& plugin, std::string user, std::string input, bool interactive,
            std::move_only_function<void(Result<std::string>)> done);
  ~PluginRun();
  PluginRun(const PluginRun&) = delete;
  PluginRun& operator=(const PluginRun&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::jthread thread_;
};

}  // namespace live_update
