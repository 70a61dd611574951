#include "kube/kubeconfig.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace live_update {
namespace {

namespace fs = std::filesystem;

TEST_SUITE_BEGIN("kubeconfig");

// A folder with kubeconfig files, and an environment that sees nothing else.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/kubeconfig_test.XXXXXX";
    root_ = ::mkdtemp(name);
    environment.home = root_;
    environment.service_account = root_ + "/sa";
    environment.ca_bundles = {write("bundle.crt", "CA")};
  }
  ~Folder() { fs::remove_all(root_); }
  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = fs::path(root_) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string path(const std::string& name) const { return root_ + "/" + name; }
  Result<ClientConfig> load(const std::string& yaml, const std::string& context = {}) {
    return load_client_config({.kubeconfig = write("config", yaml), .context = context, .ns = {}},
                              environment);
  }
  // One context "dev" with `cluster` and `user` fields as given.
  Result<ClientConfig> load_one(const std::string& cluster, const std::string& user) {
    return load(
        "current-context: dev\ncontexts: [{name: dev, context: {cluster: c, user: u, namespace: shop}}]\n"
        "clusters: [{name: c, cluster: {" +
        cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n");
  }
  KubeEnvironment environment;

 private:
  std::string root_;
};

const std::string kServer = "server: 'https://10.0.0.1:6443'";

TEST_CASE("a context gives server, namespace, certificates and token") {
  Folder folder;
  const auto config = folder.load_one(kServer + ", certificate-authority-data: Q0E=",
                                      "client-certificate-data: Q0VSVA==, client-key: key.pem, token: t");
  REQUIRE(config);
  CHECK(config->server == "https://10.0.0.1:6443");
  CHECK(config->ns == "shop");
  CHECK(config->context + config->cluster + config->user == "devcu");
  CHECK(config->ca == PemSource{"", "CA"});
  CHECK(config->client_certificate == PemSource{"", "CERT"});
  CHECK(config->client_key == PemSource{folder.path("key.pem"), ""});
  CHECK(config->token == "t");
}

TEST_CASE("KUBECONFIG is a list: the first file to name an entry wins, missing ones do not matter") {
  Folder folder;
  const auto a = folder.write("a/config",
                              "current-context: dev\nclusters: [{name: c, cluster: {server: "
                              "'https://first:1', certificate-authority: ca.crt}}]\n");
  const auto b =
      folder.write("b/config",
                   "current-context: other\ncontexts: [{name: dev, context: {cluster: c, user: u}}]\n"
                   "clusters: [{name: c, cluster: {server: 'https://second:2'}}]\nusers: [{name: u, user: "
                   "{tokenFile: ../token}}]\n");
  folder.environment.kubeconfig = a + ":" + folder.path("missing") + ":" + b;
  const auto config = load_client_config({}, folder.environment);
  REQUIRE(config);
  CHECK(config->server == "https://first:1");
  CHECK(config->ca.file == folder.path("a/ca.crt"));
  CHECK(config->token_file == folder.path("token"));
  CHECK(config->ns == "default");
}

TEST_CASE("the home folder's file is the default; -n wins over the context's namespace") {
  Folder folder;
  folder.write(".kube/config",
               "current-context: dev\ncontexts: [{name: dev, context: {cluster: c, namespace: "
               "a}}]\nclusters: [{name: c, cluster: {" +
                   kServer + "}}]\n");
  const auto config = load_client_config({.kubeconfig = {}, .context = {}, .ns = "b"}, folder.environment);
  REQUIRE(config);
  CHECK(config->ns == "b");
  CHECK(config->ca.file == folder.path("bundle.crt"));
}

TEST_CASE("errors name the file, the context, the entry and the remedy") {
  Folder folder;
  const std::string file = folder.path("config");
  CHECK(load_client_config({}, folder.environment).error().message ==
        "there is no kubeconfig file (looked for " + folder.path(".kube/config") +
            "): give --kubeconfig FILE or set KUBECONFIG");
  CHECK(folder.load("contexts: [{name: dev, context: {}}]", "prod").error().message ==
        "kubeconfig " + file + " has no context \"prod\": give --context, one of: dev");
  CHECK(folder.load("contexts: [{name: dev, context: {}}]").error().message ==
        "kubeconfig " + file + " has no current-context: give --context, one of: dev");
  CHECK(folder.load("contexts: [{name: dev, context: {cluster: c}}]", "dev").error().message ==
        "kubeconfig " + file + ": context \"dev\" names the cluster \"c\", which is not among: none");
  CHECK(folder.load("a: [\n").error().message.starts_with("kubeconfig " + file + ", line 2: "));
  CHECK(folder.load("just text").error().message ==
        "kubeconfig " + file + " is not a YAML object of kind Config");
  CHECK(folder.load_one("server: 'http://10.0.0.1'", "").error().message ==
        "kubeconfig " + file +
            ": cluster \"c\": the server address \"http://10.0.0.1\" does not begin with https://, and "
            "nothing else is supported");
  CHECK(folder.load_one(kServer + ", certificate-authority-data: '%%%%'", "")
            .error()
            .message.starts_with("kubeconfig " + file + ": certificate-authority-data "));
  CHECK(folder.load_one(kServer, "client-certificate: a.crt").error().message ==
        "kubeconfig " + file +
            ": user \"u\" has only one of client-certificate and client-key: both are needed");
}

TEST_CASE("what we cannot do is refused with a clear error") {
  Folder folder;
  CHECK(folder.load_one(kServer + ", proxy-url: 'socks5://p:1'", "")
            .error()
            .message.find("proxy-url \"socks5://p:1\" is not supported") != std::string::npos);
  CHECK(folder.load_one(kServer + ", insecure-skip-tls-verify: true, certificate-authority: ca", "")
            .error()
            .message.find("remove one") != std::string::npos);
  CHECK(folder.load_one("server: 'https://[::1]:6443'", "").error().message.find("literal IPv6 address") !=
        std::string::npos);
  CHECK(
      folder.load_one(kServer, "auth-provider: {name: gcp}").error().message.find("exec credential plugin") !=
      std::string::npos);
  CHECK(folder.load_one(kServer, "as-groups: [a]").error().message.find("without `as`") != std::string::npos);
}

TEST_CASE("insecure and tls-server-name") {
  Folder folder;
  const auto config = folder.load_one(kServer + ", insecure-skip-tls-verify: true, tls-server-name: api",
                                      "username: a, password: b");
  REQUIRE(config);
  CHECK(config->insecure);
  CHECK(config->ca.empty());
  CHECK(config->tls_server_name == "api");
  CHECK(config->username + config->password == "ab");
}

TEST_CASE("no CA in the cluster entry and none on the system") {
  Folder folder;
  folder.environment.ca_bundles = {"/nowhere/ca.crt"};
  CHECK(folder.load_one(kServer, "")
            .error()
            .message.find("looked for /nowhere/ca.crt): install ca-certificates") != std::string::npos);
}

TEST_CASE("impersonation becomes headers") {
  Folder folder;
  const auto config = folder.load_one(
      kServer, "as: bob, as-uid: '7', as-groups: [dev, ops], as-user-extra: {'acme.com/x': [y]}");
  REQUIRE(config);
  CHECK(config->impersonate ==
        std::vector<std::pair<std::string, std::string>>{{"Impersonate-User", "bob"},
                                                         {"Impersonate-Uid", "7"},
                                                         {"Impersonate-Group", "dev"},
                                                         {"Impersonate-Group", "ops"},
                                                         {"Impersonate-Extra-acme.com%2Fx", "y"}});
}

TEST_CASE("exec credential plugins") {
  Folder folder;
  const auto config =
      folder.load_one(kServer +
                          ", extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: "
                          "\"a\\\"b\", n: 5, s: '5', l: [true]}}]",
                      "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/login, args: [a, "
                      "b], env: [{name: X, value: y}], "
                      "installHint: get it, provideClusterInfo: true, interactiveMode: Never}");
  REQUIRE(config);
  REQUIRE(config->exec);
  CHECK(config->exec->command == folder.path("bin/login"));
  CHECK(config->exec->args == std::vector<std::string>{"a", "b"});
  CHECK(config->exec->env == std::vector<std::pair<std::string, std::string>>{{"X", "y"}});
  CHECK(config->exec->cluster_config == R"({"audience":"a\"b","n":5,"s":"5","l":[true]})");
  CHECK(config->exec->provide_cluster_info);
  CHECK(config->exec->interactive == ExecPlugin::Interactive::Never);
  CHECK(folder.load_one(kServer, "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}")
            .error()
            .message.find("is not supported") != std::string::npos);
  CHECK(folder.load_one(kServer, "exec: {apiVersion: client.authentication.k8s.io/v1}")
            .error()
            .message.find("command is missing") != std::string::npos);
  CHECK(
      folder
          .load_one(kServer,
                    "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Maybe}")
          .error()
          .message.find("Maybe") != std::string::npos);
}

TEST_CASE("inside a pod: the service account") {
  Folder folder;
  folder.environment.service_host = "10.96.0.1";
  folder.environment.service_port = "443";
  CHECK(load_in_cluster(folder.environment).error().message.find("automountServiceAccountToken") !=
        std::string::npos);
  folder.write("sa/token", "t");
  folder.write("sa/ca.crt", "c");
  folder.write("sa/namespace", "live-update");
  const auto config = load_client_config({}, folder.environment);
  REQUIRE(config);
  CHECK(config->server == "https://10.96.0.1:443");
  CHECK(config->ns == "live-update");
  CHECK(config->context == "in-cluster");
  CHECK(config->token_file == folder.path("sa/token"));
  folder.environment.service_host = "fd00::1";
  CHECK(load_in_cluster(folder.environment)->server == "https://kubernetes.default.svc:443");
}

TEST_CASE("inside a pod a kubeconfig that is there, or --context, still wins") {
  Folder folder;
  folder.environment.service_host = "10.96.0.1";
  folder.environment.service_port = "443";
  folder.write("sa/token", "t");
  CHECK(load_client_config({.kubeconfig = {}, .context = "dev", .ns = {}}, folder.environment).error().kind ==
        ErrorKind::NotFound);
  CHECK(folder.load_one(kServer, "")->context == "dev");
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
