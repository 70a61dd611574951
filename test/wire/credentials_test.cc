#include "kube/credentials.h"

#include "run/uv_loop.h"
#include "test/wire/client_fixture.h"

namespace live_update {
namespace {

TEST_SUITE_BEGIN("credentials");

// A server that wants `token`; counts what it is asked.
struct TokenServer {
  std::string token = "good";
  std::atomic<int> refused{0};
  TlsServer server{pki().server, [this](Peer& peer) {
                     for (;;) {
                       const bool good = peer.read_request().headers["authorization"] == "Bearer " + token;
                       if (!good) ++refused;
                       peer.respond(good ? 200 : 401, good ? "{}" : "");
                     }
                   }};
};

std::string answer(const std::string& status) {
  return R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":)" + status +
         "}";
}

// The kubeconfig of a user whose plugin is a shell script.
ClientConfig with_plugin(const std::string& url, const TestFolder& folder, const std::string& script) {
  ClientConfig config = Client::config_for(url);
  config.token.clear();
  config.exec.emplace();
  config.exec->command = folder.write("login", "#!/bin/sh\n" + script);
  std::filesystem::permissions(config.exec->command, std::filesystem::perms::owner_all);
  config.exec->api_version = "client.authentication.k8s.io/v1";
  config.exec->interactive = ExecPlugin::Interactive::Never;
  return config;
}

int lines_in(const std::string& file) {
  std::ifstream stream(file);
  int lines = 0;
  for (std::string line; std::getline(stream, line);) ++lines;
  return lines;
}

TEST_CASE("a plugin runs once for many requests, with its arguments, variables and our input") {
  TestFolder folder;
  TokenServer asked;
  const std::string log = folder.write("log", "");
  ClientConfig config = with_plugin(
      asked.server.url(), folder,
      "echo \"$1 $X $KUBERNETES_EXEC_INFO\" >> " + log + "\necho '" + answer(R"({"token":"good"})") + "'\n");
  config.exec->args = {"get-token"};
  config.exec->env = {{"X", "y"}};
  Client client(config);
  CHECK(client.get());
  CHECK(client.get());
  CHECK(lines_in(log) == 1);
  std::ifstream stream(log);
  std::string line;
  std::getline(stream, line);
  CHECK(line ==
        "get-token y "
        "{\"apiVersion\":\"client.authentication.k8s.io/"
        "v1\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false}}");
}

TEST_CASE("a plugin trusts what the system trusts: our own SSL_CERT_FILE is not its") {
  TestFolder folder;
  TokenServer asked;
  const std::string log = folder.write("log", "");
  Client client(with_plugin(asked.server.url(), folder,
                            "echo \"file=$SSL_CERT_FILE dir=$SSL_CERT_DIR\" >> " + log + "\necho '" +
                                answer(R"({"token":"good"})") + "'\n"));
  CHECK(client.get());
  std::ifstream stream(log);
  std::string line;
  std::getline(stream, line);
  CHECK(line == "file=/system/roots.pem dir=");
}

TEST_CASE("requests that wait for the same plugin share one run") {
  TestFolder folder;
  TokenServer asked;
  const std::string log = folder.write("log", "");
  Client client(
      with_plugin(asked.server.url(), folder,
                  "echo x >> " + log + "\nsleep 0.1\necho '" + answer(R"({"token":"good"})") + "'\n"));
  int good = 0;
  std::vector<Handle> handles;
  for (int i = 0; i < 5; ++i)
    handles.push_back(client.api->request({.path = "/api/v1/pods"}, [&](Result<Response> result) {
      CHECK(result);
      if (++good == 5) client.loop.stop();
    }));
  client.run();
  CHECK(good == 5);
  CHECK(lines_in(log) == 1);
}

TEST_CASE("what goes wrong with a plugin is said, with the install hint") {
  TestFolder folder;
  TokenServer asked;
  ClientConfig config = with_plugin(asked.server.url(), folder, "exit 3\n");
  const std::string command = config.exec->command;
  {
    Client client(config);
    CHECK(client.get().error() ==
          Error{ErrorKind::Unauthorized,
                "list pods in namespace shop: the credential plugin " + command +
                    " of user \"ada\" ended with exit code 3: see its own output, or log in again"});
  }
  config.exec->command = "no-such-login-program";
  config.exec->install_hint = "get it from example.com";
  Client client(config);
  CHECK(client.get().error().message ==
        "list pods in namespace shop: the credential plugin no-such-login-program of user \"ada\" cannot be "
        "started: there is no such "
        "program in PATH; get it from example.com");
  CHECK(asked.server.connections() == 0);
}

TEST_CASE("a plugin that hangs is killed with the client") {
  TestFolder folder;
  TokenServer asked;
  const auto start = std::chrono::steady_clock::now();
  {
    Client client(with_plugin(asked.server.url(), folder, "exec sleep 60\n"));
    auto handle = client.api->request({.path = "/x"}, [](Result<Response>) { FAIL_CHECK("answered"); });
    auto stop = client.loop.after(Millis(50), [&] { client.loop.stop(); });
    client.run();
  }
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

TEST_CASE("a certificate from a plugin is used") {
  TestFolder folder;
  std::string name;
  TlsServer server(pki().server, {.client_ca = pki().authority.certificate}, [&](Peer& peer) {
    peer.read_request();
    name = peer.client_name();
    peer.respond(200, "{}");
  });
  auto escaped = [](std::string pem) {
    for (std::size_t at = 0; (at = pem.find('\n', at)) != pem.npos; at += 2) pem.replace(at, 1, "\\n");
    return pem;
  };
  const std::string output =
      folder.write("output", answer("{\"clientCertificateData\":\"" + escaped(pki().client.certificate) +
                                    "\",\"clientKeyData\":\"" + escaped(pki().client.key) + "\"}"));
  Client client(with_plugin(server.url(), folder, "cat " + output + "\n"));
  CHECK(client.get());
  CHECK(name == "ada");
}

TEST_CASE("basic authentication and impersonation are headers of every request") {
  SeenRequest seen;
  TlsServer server(pki().server, [&](Peer& peer) {
    seen = peer.read_request();
    peer.respond(200, "{}");
  });
  ClientConfig config = Client::config_for(server.url());
  config.token.clear();
  config.username = "ada";
  config.password = "lovelace";
  config.impersonate = {{"Impersonate-User", "bob"}, {"Impersonate-Group", "dev"}};
  Client client(config);
  CHECK(client.get());
  CHECK(seen.headers["authorization"] == "Basic YWRhOmxvdmVsYWNl");
  CHECK(seen.headers["impersonate-user"] == "bob");
  CHECK(seen.headers["impersonate-group"] == "dev");
}

TEST_CASE("a token with a line break in it is refused: it would be a second header") {
  UvLoop loop;
  ClientConfig config = Client::config_for("https://127.0.0.1:1");
  config.token = "a\r\nX-Remote-User: admin";
  CHECK(make_api_server(loop, config).error().message ==
        "the token of user \"ada\" has a line break or control character in it");
}

// --- the checks at start

Error refused(const std::function<void(ClientConfig&)>& change) {
  UvLoop loop;
  ClientConfig config = Client::config_for("https://127.0.0.1:1");
  change(config);
  const auto made = make_api_server(loop, config);
  return made ? Error{} : made.error();
}

TEST_CASE("certificates that cannot work are refused at start, with the remedy") {
  CHECK(refused([](auto& c) { c.ca.text = "nonsense"; }).message ==
        "context dev: certificate-authority-data of cluster test has no certificate in it (PEM is expected): "
        "it must be the CA of the cluster");
  CHECK(refused([](auto& c) { c.ca = {.file = "/nowhere/ca.crt"}; }) ==
        Error{ErrorKind::Io,
              "the certificate authority /nowhere/ca.crt cannot be read: check that it exists, its owner and "
              "mode"});
  CHECK(refused([](auto& c) { c.ca.text = make_authority("old", -1).certificate; })
            .message.starts_with("context dev: the certificate authority CN = old in "
                                 "certificate-authority-data of cluster test expired on "));
  const KeyPair old = issue(pki().authority, {"ada", {}, -10, -2});
  const auto expired = refused([&](auto& c) {
    c.client_certificate.text = old.certificate;
    c.client_key.text = old.key;
  });
  CHECK(expired.message.starts_with(
      "context dev: the client certificate client-certificate-data of user ada expired on "));
  CHECK(expired.message.ends_with(": get a new one (log in to the cluster again)"));
  CHECK(refused([&](auto& c) {
          c.client_certificate.text = pki().client.certificate;
          c.client_key.text = pki().server.key;
        }).message ==
        "context dev: the client key client-key-data of user ada does not belong to the certificate "
        "client-certificate-data "
        "of user ada: they must come from the same login");
  CHECK(refused([&](auto& c) {
          c.client_certificate.text = pki().client.certificate;
          c.client_key.text =
              "-----BEGIN ENCRYPTED PRIVATE KEY-----\nxx\n-----END ENCRYPTED PRIVATE KEY-----\n";
        }).message ==
        "context dev: the client key client-key-data of user ada has a passphrase: store it without one");
}

TEST_CASE("an expired authority beside a good one does no harm") {
  UvLoop loop;
  ClientConfig config = Client::config_for("https://127.0.0.1:1");
  config.ca.text = make_authority("old", -1).certificate + pki().authority.certificate;
  CHECK(make_api_server(loop, config).has_value());
}

TEST_CASE("a CA that was replaced on disk is read again when the server's certificate is refused") {
  TestFolder folder;
  const KeyPair next = make_authority("next CA");
  TlsServer server(issue(next, {"x", {"IP:127.0.0.1"}}), [&](Peer& peer) {
    peer.read_request();
    peer.respond(200, "{}");
  });
  ClientConfig config = Client::config_for(server.url());
  config.ca = {.file = folder.write("ca.crt", pki().authority.certificate)};
  Client client(config);
  CHECK_FALSE(client.get());
  folder.write("ca.crt", next.certificate);
  CHECK(client.get());
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
