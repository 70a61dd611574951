#include "kube/url.h"

#include <doctest/doctest.h>

namespace live_update {
namespace {

TEST_SUITE_BEGIN("url");

TEST_CASE("server addresses") {
  CHECK(parse_server_url("https://10.0.0.1:6443") == ServerUrl{"10.0.0.1", "6443", ""});
  CHECK(parse_server_url("https://api.example.com/") == ServerUrl{"api.example.com", "443", ""});
  CHECK(parse_server_url("https://rancher/k8s/clusters/c-1/") ==
        ServerUrl{"rancher", "443", "/k8s/clusters/c-1"});
  CHECK(parse_server_url("https://[fd00::1]:6443/x")->authority() == "[fd00::1]:6443");
  CHECK(parse_server_url("https://[::1]") == ServerUrl{"::1", "443", ""});
}

TEST_CASE("addresses that are none say why") {
  CHECK(parse_server_url("10.0.0.1:6443").error().message ==
        "the server address \"10.0.0.1:6443\" does not begin with https://, and nothing else is supported");
  for (const char* bad :
       {"https://", "https://:6443", "https://a:", "https://a:0", "https://a:65536", "https://a:6x",
        "https://a b", "https://u@a", "https://a?x", "https://a#x", "https://[::1", "https://[]:1",
        "https://[::1]x", "https://a/b?c", "https://::1:6443", "https://a:123456789012"})
    CHECK_MESSAGE(parse_server_url(bad).error().kind == ErrorKind::Invalid, bad);
}

TEST_CASE("everything that is not unreserved is encoded") {
  CHECK(percent_encode("aZ0-._~") == "aZ0-._~");
  CHECK(percent_encode("a b/&;=%+#[]\\\"\n\xc3\xa9") == "a%20b%2F%26%3B%3D%25%2B%23%5B%5D%5C%22%0A%C3%A9");
}

TEST_CASE("targets") {
  const ServerUrl server{"h", "1", "/p"};
  CHECK(request_target(server, "/api/v1/pods", {}) == "/p/api/v1/pods");
  CHECK(request_target(server, "/x", {{"command", "a&b"}, {"command", ""}}) == "/p/x?command=a%26b&command=");
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
