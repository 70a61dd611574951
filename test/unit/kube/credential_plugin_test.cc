#include "kube/credential_plugin.h"

#include <doctest/doctest.h>

namespace live_update {
namespace {

TEST_SUITE_BEGIN("credential plugin");

ExecPlugin plugin() {
  ExecPlugin plugin;
  plugin.command = "login";
  plugin.api_version = "client.authentication.k8s.io/v1";
  return plugin;
}

std::string output(const std::string& status) {
  return R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":)" + status +
         "}";
}

TEST_CASE("what the plugin is told") {
  ExecPlugin asked = plugin();
  const PluginClusterInfo cluster{"https://a:1", "kubernetes", "CA", false};
  CHECK(
      plugin_input(asked, cluster, false) ==
      R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}})");
  asked.provide_cluster_info = true;
  asked.cluster_config = R"({"x":1})";
  CHECK(
      plugin_input(asked, cluster, true) ==
      R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":true,"cluster":{)"
      R"("server":"https://a:1","tls-server-name":"kubernetes","certificate-authority-data":"Q0E=","config":{"x":1}}}})");
}

TEST_CASE("what it answers") {
  const auto credential =
      parse_plugin_output(plugin(), output(R"({"token":"t","expirationTimestamp":"2026-01-01T00:00:00Z"})"));
  REQUIRE(credential);
  CHECK(credential->token == "t");
  CHECK(credential->expires.has_value());
  CHECK(parse_plugin_output(plugin(), output(R"({"clientCertificateData":"C","clientKeyData":"K"})")) ==
        PluginCredential{"", "C", "K", std::nullopt});
}

TEST_CASE("answers that are of no use say why") {
  auto message = [](const std::string& text) { return parse_plugin_output(plugin(), text).error().message; };
  CHECK(message("") == "the credential plugin login printed no JSON object");
  CHECK(message("{}") ==
        "the credential plugin login answered with apiVersion \"\", but its kubeconfig entry says "
        "client.authentication.k8s.io/v1");
  CHECK(message(output("null")) == "the credential plugin login gave no status with a credential");
  CHECK(message(output("{}")) == "the credential plugin login gave neither a token nor a certificate");
  CHECK(message(output(R"({"clientKeyData":"K"})")) ==
        "the credential plugin login gave only one of clientCertificateData and clientKeyData");
  CHECK(message(output(R"({"token":"t","expirationTimestamp":"tomorrow"})")) ==
        "the credential plugin login gave an expirationTimestamp that is no time: \"tomorrow\"");
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
