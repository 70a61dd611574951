#include "kube/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "core/api/codec.h"
#include "core/base/base64.h"
#include "kube/url.h"

namespace live_update {
namespace {

namespace fs = std::filesystem;

// A named entry and the file that has it: what its relative paths are relative to, and what errors name.
struct Entry {
  YAML::Node node;
  std::string file;
};
using Entries = std::map<std::string, Entry>;

struct Merged {
  std::string files;  // all that were read, for messages
  std::string current_context;
  Entries clusters, contexts, users;
};

template <typename... Parts>
std::unexpected<Error> invalid(const Parts&... parts) {
  std::string message;
  ((message += parts), ...);
  return fail(ErrorKind::Invalid, std::move(message));
}

std::string in_quotes(const std::string& text) { return "\"" + text + "\""; }

std::vector<std::string> split(const std::string& list, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(list);
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

std::string names_of(const Entries& entries) {
  std::string names;
  for (const auto& [name, entry] : entries) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

// ------------------------------------------------------------------------------------------------ reading
// fields

std::string text(const YAML::Node& node, const char* field) {
  const YAML::Node value = node.IsMap() ? node[field] : YAML::Node();
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

bool flag(const YAML::Node& node, const char* field) { return text(node, field) == "true"; }

// A path in a kubeconfig file is relative to the file's folder.
std::string path_in(const Entry& entry, const char* field) {
  const std::string path = text(entry.node, field);
  if (path.empty() || path.starts_with('/')) return path;
  return (fs::path(entry.file).parent_path() / path).lexically_normal().string();
}

// FIELD-data in base64 wins over the file in FIELD.
Result<PemSource> pem(const Entry& entry, const std::string& field) {
  std::string data = text(entry.node, (field + "-data").c_str());
  if (data.empty()) return PemSource{path_in(entry, field.c_str()), {}};
  std::erase_if(data, [](char c) { return c == '\n' || c == ' ' || c == '\r'; });
  auto decoded = decode_base64(data);
  if (!decoded) return invalid("kubeconfig ", entry.file, ": ", field, "-data ", decoded.error().message);
  return PemSource{{}, std::move(*decoded)};
}

// -------------------------------------------------------------------------------------------------------
// merging

void add_entries(const YAML::Node& root, const char* list, const char* kind, const std::string& file,
                 Entries& into) {
  const YAML::Node entries = root[list];
  if (!entries || !entries.IsSequence()) return;
  for (const auto& entry : entries) {
    if (!entry.IsMap() || text(entry, "name").empty()) continue;
    const YAML::Node body = entry[kind];
    into.try_emplace(text(entry, "name"),
                     Entry{body && body.IsMap() ? body : YAML::Node(YAML::NodeType::Map), file});
  }
}

Result<> add_file(const std::string& file, Merged& merged) {
  YAML::Node root;
  try {
    root = YAML::LoadFile(file);
  } catch (const YAML::BadFile&) {
    return fail(ErrorKind::Io, "kubeconfig " + file + " cannot be read: check its owner and mode");
  } catch (const YAML::Exception& e) {
    return invalid("kubeconfig ", file, ", line ", std::to_string(e.mark.line + 1), ": ", e.msg);
  }
  if (root.IsNull()) return {};
  if (!root.IsMap()) return invalid("kubeconfig ", file, " is not a YAML object of kind Config");
  merged.files += (merged.files.empty() ? "" : ", ") + file;
  if (merged.current_context.empty()) merged.current_context = text(root, "current-context");
  add_entries(root, "clusters", "cluster", file, merged.clusters);
  add_entries(root, "contexts", "context", file, merged.contexts);
  add_entries(root, "users", "user", file, merged.users);
  return {};
}

// The files in question; missing ones among those of $KUBECONFIG do not matter, as with kubectl.
std::vector<std::string> candidates(const KubeOptions& options, const KubeEnvironment& environment) {
  if (!options.kubeconfig.empty()) return {options.kubeconfig};
  if (auto listed = split(environment.kubeconfig, ':'); !listed.empty()) return listed;
  if (environment.home.empty()) return {};
  return {environment.home + "/.kube/config"};
}

bool exists(const std::string& file) {
  std::error_code error;
  return fs::exists(file, error);
}

std::string list_of(const std::vector<std::string>& files) {
  std::string out;
  for (const auto& file : files) out += (out.empty() ? "" : ", ") + file;
  return out.empty() ? "no file, as HOME is not set" : out;
}

Result<Merged> merge_files(const KubeOptions& options, const KubeEnvironment& environment) {
  const auto files = candidates(options, environment);
  Merged merged;
  bool found = false;
  for (const auto& file : files) {
    if (!exists(file)) continue;
    found = true;
    if (auto added = add_file(fs::absolute(file).string(), merged); !added)
      return std::unexpected(added.error());
  }
  if (!found)
    return fail(ErrorKind::NotFound, "there is no kubeconfig file (looked for " + list_of(files) +
                                         "): give --kubeconfig FILE or set KUBECONFIG");
  return merged;
}

// ----------------------------------------------------------------------------------------------------- the
// parts

Result<> read_cluster(const Entry& entry, ClientConfig& config) {
  const std::string where = "kubeconfig " + entry.file + ": cluster " + in_quotes(config.cluster);
  config.server = text(entry.node, "server");
  if (config.server.empty()) return invalid(where, " has no server");
  const auto url = parse_server_url(config.server);
  if (!url) return std::unexpected(url.error().in(where));
  if (url->ipv6())
    return invalid(where, ": the HTTP client cannot reach the literal IPv6 address ", config.server,
                   ": give the address a name in /etc/hosts, use that in `server`, and set tls-server-name");
  if (const auto proxy = text(entry.node, "proxy-url"); !proxy.empty())
    return invalid(where, ": proxy-url ", in_quotes(proxy),
                   " is not supported: use a cluster entry that reaches the API server ",
                   "directly, for example through a VPN or an SSH tunnel to it");
  config.tls_server_name = text(entry.node, "tls-server-name");
  config.insecure = flag(entry.node, "insecure-skip-tls-verify");
  auto ca = pem(entry, "certificate-authority");
  if (!ca) return std::unexpected(ca.error());
  config.ca = std::move(*ca);
  if (config.insecure && !config.ca.empty())
    return invalid(where,
                   " has both insecure-skip-tls-verify and a certificate authority: remove one of them");
  return {};
}

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr std::string_view kHex = "0123456789abcdef";
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20) {
      out += std::string("\\u00") + kHex[byte >> 4] + kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// YAML to JSON, for the cluster's extension that goes to the plugin as it is. Plain scalars that look like a
// number, a truth value or null are that; everything else is text.
std::string to_json(const YAML::Node& node) {
  std::string out;
  if (node.IsMap()) {
    for (const auto& pair : node)
      out += (out.empty() ? "" : ",") + json_string(pair.first.Scalar()) + ":" + to_json(pair.second);
    return "{" + out + "}";
  }
  if (node.IsSequence()) {
    for (const auto& item : node) out += (out.empty() ? "" : ",") + to_json(item);
    return "[" + out + "]";
  }
  if (!node.IsScalar()) return "null";
  const std::string& plain = node.Scalar();
  const bool literal =
      node.Tag() == "?" && (plain == "true" || plain == "false" || plain == "null" ||
                            (!plain.empty() && plain.size() < 16 && (plain == "0" || plain[0] != '0') &&
                             std::ranges::all_of(plain, [](char c) { return c >= '0' && c <= '9'; })));
  return literal ? plain : json_string(plain);
}

std::string exec_extension(const Entry& cluster) {
  const YAML::Node extensions = cluster.node["extensions"];
  if (!extensions || !extensions.IsSequence()) return {};
  for (const auto& extension : extensions)
    if (text(extension, "name") == "client.authentication.k8s.io/exec")
      return to_json(extension["extension"]);
  return {};
}

Result<ExecPlugin::Interactive> read_interactive(const YAML::Node& exec, const std::string& where) {
  const std::string mode = text(exec, "interactiveMode");
  if (mode == "Never") return ExecPlugin::Interactive::Never;
  if (mode == "Always") return ExecPlugin::Interactive::Always;
  if (mode.empty() || mode == "IfAvailable") return ExecPlugin::Interactive::IfAvailable;
  return invalid(where, "interactiveMode ", in_quotes(mode), " is not one of Never, IfAvailable, Always");
}

Result<ExecPlugin> read_exec(const Entry& user, const Entry& cluster, const std::string& name) {
  const YAML::Node exec = user.node["exec"];
  const std::string where = "kubeconfig " + user.file + ": user " + in_quotes(name) + ": exec: ";
  ExecPlugin plugin;
  plugin.command = text(exec, "command");
  if (plugin.command.empty()) return invalid(where, "command is missing");
  if (plugin.command.find('/') != std::string::npos && !plugin.command.starts_with('/'))
    plugin.command = (fs::path(user.file).parent_path() / plugin.command).lexically_normal().string();
  plugin.api_version = text(exec, "apiVersion");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1")
    return invalid(where, "apiVersion ", in_quotes(plugin.api_version), " is not supported: it must be ",
                   "client.authentication.k8s.io/v1 or v1beta1; update the plugin and its kubeconfig entry");
  if (const YAML::Node args = exec["args"]; args && args.IsSequence())
    for (const auto& arg : args) plugin.args.push_back(arg.IsScalar() ? arg.Scalar() : "");
  if (const YAML::Node env = exec["env"]; env && env.IsSequence())
    for (const auto& variable : env) plugin.env.emplace_back(text(variable, "name"), text(variable, "value"));
  plugin.install_hint = text(exec, "installHint");
  plugin.provide_cluster_info = flag(exec, "provideClusterInfo");
  plugin.cluster_config = exec_extension(cluster);
  auto interactive = read_interactive(exec, where);
  if (!interactive) return std::unexpected(interactive.error());
  plugin.interactive = *interactive;
  return plugin;
}

Result<> read_impersonation(const Entry& user, ClientConfig& config) {
  const std::string as = text(user.node, "as");
  const YAML::Node groups = user.node["as-groups"], extra = user.node["as-user-extra"];
  const std::string uid = text(user.node, "as-uid");
  if (as.empty() && (groups || extra || !uid.empty()))
    return invalid("kubeconfig ", user.file, ": user ", in_quotes(config.user),
                   " has as-groups, as-uid or as-user-extra without `as`");
  if (as.empty()) return {};
  config.impersonate.emplace_back("Impersonate-User", as);
  if (!uid.empty()) config.impersonate.emplace_back("Impersonate-Uid", uid);
  if (groups && groups.IsSequence())
    for (const auto& group : groups) config.impersonate.emplace_back("Impersonate-Group", group.Scalar());
  if (extra && extra.IsMap())
    for (const auto& pair : extra)
      for (const auto& value : pair.second)
        config.impersonate.emplace_back("Impersonate-Extra-" + percent_encode(pair.first.Scalar()),
                                        value.Scalar());
  return {};
}

Result<> read_user(const Entry& user, const Entry& cluster, ClientConfig& config) {
  const std::string where = "kubeconfig " + user.file + ": user " + in_quotes(config.user);
  auto certificate = pem(user, "client-certificate");
  if (!certificate) return std::unexpected(certificate.error());
  auto key = pem(user, "client-key");
  if (!key) return std::unexpected(key.error());
  config.client_certificate = std::move(*certificate);
  config.client_key = std::move(*key);
  if (config.client_certificate.empty() != config.client_key.empty())
    return invalid(where, " has only one of client-certificate and client-key: both are needed");
  config.token = text(user.node, "token");
  config.token_file = path_in(user, "tokenFile");
  config.username = text(user.node, "username");
  config.password = text(user.node, "password");
  if (user.node["auth-provider"])
    return invalid(
        where,
        " uses auth-provider, which Kubernetes removed in 1.26: use an exec credential plugin instead");
  if (user.node["exec"]) {
    auto plugin = read_exec(user, cluster, config.user);
    if (!plugin) return std::unexpected(plugin.error());
    config.exec = std::move(*plugin);
  }
  return read_impersonation(user, config);
}

// Go's rule for a cluster entry without a CA: what the system trusts.
Result<> use_system_roots(const KubeEnvironment& environment, ClientConfig& config) {
  if (config.insecure || !config.ca.empty()) return {};
  const auto bundle = std::ranges::find_if(environment.ca_bundles, exists);
  if (bundle == environment.ca_bundles.end())
    return invalid("cluster ", in_quotes(config.cluster),
                   " has no certificate-authority, and this system has no CA bundle (looked for ",
                   list_of(environment.ca_bundles),
                   "): install ca-certificates or add certificate-authority to the cluster");
  config.ca.file = *bundle;
  return {};
}

Result<ClientConfig> pick_context(const Merged& merged, const KubeOptions& options,
                                  const KubeEnvironment& environment) {
  ClientConfig config;
  config.context = options.context.empty() ? merged.current_context : options.context;
  if (config.context.empty())
    return invalid("kubeconfig ", merged.files,
                   " has no current-context: give --context, one of: ", names_of(merged.contexts));
  const auto context = merged.contexts.find(config.context);
  if (context == merged.contexts.end())
    return fail(ErrorKind::NotFound, "kubeconfig " + merged.files + " has no context " +
                                         in_quotes(config.context) +
                                         ": give --context, one of: " + names_of(merged.contexts));
  const Entry& entry = context->second;
  const std::string where = "kubeconfig " + entry.file + ": context " + in_quotes(config.context);
  config.cluster = text(entry.node, "cluster");
  config.user = text(entry.node, "user");
  const auto cluster = merged.clusters.find(config.cluster);
  if (cluster == merged.clusters.end())
    return invalid(where, " names the cluster ", in_quotes(config.cluster),
                   ", which is not among: ", names_of(merged.clusters));
  if (auto read = read_cluster(cluster->second, config); !read) return std::unexpected(read.error());
  const auto user = merged.users.find(config.user);
  if (user == merged.users.end() && !config.user.empty())
    return invalid(where, " names the user ", in_quotes(config.user),
                   ", which is not among: ", names_of(merged.users));
  if (user != merged.users.end())
    if (auto read = read_user(user->second, cluster->second, config); !read)
      return std::unexpected(read.error());
  if (const auto ns = text(entry.node, "namespace"); !ns.empty()) config.ns = ns;
  if (auto roots = use_system_roots(environment, config); !roots) return std::unexpected(roots.error());
  return config;
}

std::string first_line(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

KubeEnvironment KubeEnvironment::of_process() {
  KubeEnvironment environment;
  environment.kubeconfig = variable("KUBECONFIG");
  environment.home = variable("HOME");
  environment.service_host = variable("KUBERNETES_SERVICE_HOST");
  environment.service_port = variable("KUBERNETES_SERVICE_PORT");
  return environment;
}

Result<ClientConfig> load_client_config(const KubeOptions& options, const KubeEnvironment& environment) {
  const bool named = !options.kubeconfig.empty() || !options.context.empty();
  const bool in_pod = !environment.service_host.empty() && exists(environment.service_account + "/token");
  if (!named && in_pod && std::ranges::none_of(candidates(options, environment), exists)) {
    auto config = load_in_cluster(environment);
    if (config && !options.ns.empty()) config->ns = options.ns;
    return config;
  }
  return load_kubeconfig(options, environment);
}

Result<ClientConfig> load_kubeconfig(const KubeOptions& options, const KubeEnvironment& environment) {
  const auto merged = merge_files(options, environment);
  if (!merged) return std::unexpected(merged.error());
  try {
    auto config = pick_context(*merged, options, environment);
    if (config && !options.ns.empty()) config->ns = options.ns;
    return config;
  } catch (const YAML::Exception& e) {
    return invalid("kubeconfig ", merged->files, ": ", e.what());
  }
}

Result<ClientConfig> load_in_cluster(const KubeEnvironment& environment) {
  if (environment.service_host.empty() || environment.service_port.empty())
    return fail(ErrorKind::NotFound,
                "not inside a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  ClientConfig config;
  config.context = config.cluster = "in-cluster";
  config.user = "service account";
  config.token_file = environment.service_account + "/token";
  config.ca.file = environment.service_account + "/ca.crt";
  for (const auto& file : {config.token_file, config.ca.file})
    if (!exists(file))
      return fail(ErrorKind::NotFound,
                  file + " is missing: the pod needs a service account with automountServiceAccountToken");
  const bool ipv6 = environment.service_host.find(':') != std::string::npos;
  config.server = "https://" + (ipv6 ? "kubernetes.default.svc" : environment.service_host) + ":" +
                  environment.service_port;
  if (const auto url = parse_server_url(config.server); !url)
    return std::unexpected(url.error().in("in-cluster"));
  if (const auto ns = first_line(environment.service_account + "/namespace"); !ns.empty()) config.ns = ns;
  return config;
}

}  // namespace live_update
