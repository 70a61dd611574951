// How to reach and convince an API server: from kubeconfig files, or from inside a pod. Reads files, does no
// network.
//
// kubeconfig rules are kubectl's: KUBECONFIG lists files; the first one to set a value or to name an entry
// wins; a relative path in a file is relative to that file's folder.
// https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ Errors name the file,
// the context, the entry and the remedy.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace live_update {

// PEM text, embedded or in a file. A file is read again when it changes (tls.h).
struct PemSource {
  std::string file, text;
  bool empty() const { return file.empty() && text.empty(); }
  bool operator==(const PemSource&) const = default;
};

// An exec credential plugin (client.authentication.k8s.io): a program of the user's that prints a token or a
// certificate.
struct ExecPlugin {
  enum class Interactive { Never, IfAvailable, Always };
  std::string command;  // a path if it has a slash in it, else looked up in PATH
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // on top of ours
  std::string api_version;                               // client.authentication.k8s.io/v1 or v1beta1
  std::string install_hint;
  bool provide_cluster_info = false;
  std::string cluster_config;  // JSON of the cluster's extension client.authentication.k8s.io/exec, or empty
  Interactive interactive = Interactive::IfAvailable;
  bool operator==(const ExecPlugin&) const = default;
};

// Everything about one context, as a value.
struct ClientConfig {
  std::string server;                  // https://10.0.0.1:6443, checked
  std::string ns = "default";          // the context's namespace, or the pod's own
  std::string context, cluster, user;  // names, for messages; context is "in-cluster" inside a pod
  PemSource ca;                        // nothing: the system's CA bundle
  PemSource client_certificate, client_key;
  std::string tls_server_name;    // the name the server's certificate must have, if not that of `server`
  bool insecure = false;          // insecure-skip-tls-verify
  std::string token, token_file;  // the file wins, and is read again (credentials.h)
  std::string username, password;
  std::optional<ExecPlugin> exec;
  std::vector<std::pair<std::string, std::string>> impersonate;  // Impersonate-* headers of every request
  bool operator==(const ClientConfig&) const = default;
};

// What of the process the loader looks at; a value, so that tests give their own.
struct KubeEnvironment {
  std::string kubeconfig;                  // $KUBECONFIG
  std::string home;                        // $HOME
  std::string service_host, service_port;  // $KUBERNETES_SERVICE_HOST, _PORT
  std::string service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
  std::vector<std::string> ca_bundles = {"/etc/ssl/certs/ca-certificates.crt",
                                         "/etc/pki/tls/certs/ca-bundle.crt"};
  static KubeEnvironment of_process();
};

// As on the command line; empty: not given.
struct KubeOptions {
  std::string kubeconfig, context, ns;
};

// --kubeconfig, else $KUBECONFIG, else ~/.kube/config; and where none of these exists, inside a pod the
// service account.
Result<ClientConfig> load_client_config(const KubeOptions& options, const KubeEnvironment& environment);

Result<ClientConfig> load_kubeconfig(const KubeOptions& options, const KubeEnvironment& environment);

// The service account of the pod we run in. An IPv6 service address is replaced by its name,
// kubernetes.default.svc, because the HTTP client cannot resolve a literal one.
Result<ClientConfig> load_in_cluster(const KubeEnvironment& environment);

}  // namespace live_update
