#include "run/http_endpoint.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

using namespace live_update;

namespace {

// The whole answer to a GET, headers included.
std::string get(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (write(fd, request.data(), request.size()) > 0) {
      char block[4096];
      for (ssize_t size; (size = read(fd, block, sizeof block)) > 0;)
        answer.append(block, static_cast<std::size_t>(size));
    }
  }
  close(fd);
  return answer;
}

}  // namespace

TEST_CASE("health: fine, not fine with the reason, and the metrics") {
  std::atomic<bool> stuck{false}, synced{false};
  auto endpoint = HttpEndpoint::listen(
      "127.0.0.1:0", {[&] { return stuck ? "the event loop has not turned for 10 s" : ""; },
                      [&] { return synced ? "" : "lists are not in"; }, [] { return "live_update_x 1\n"; }});
  REQUIRE(endpoint);
  const int port = (*endpoint)->port();
  CHECK(get(port, "/healthz").starts_with("HTTP/1.1 200 "));
  CHECK(get(port, "/readyz").starts_with("HTTP/1.1 503 "));
  CHECK(get(port, "/readyz").ends_with("\r\n\r\nlists are not in\n"));
  synced = true;
  CHECK(get(port, "/readyz").ends_with("\r\n\r\nok\n"));
  stuck = true;
  CHECK(get(port, "/healthz").ends_with("\r\n\r\nthe event loop has not turned for 10 s\n"));
  CHECK(get(port, "/metrics").ends_with("\r\n\r\nlive_update_x 1\n"));
  CHECK(get(port, "/metrics").contains("Content-Type: text/plain; version=0.0.4\r\n"));
  CHECK(get(port, "/").starts_with("HTTP/1.1 404 "));
  CHECK(get(port, "/etc/passwd").starts_with("HTTP/1.1 404 "));

  const auto second = HttpEndpoint::listen("127.0.0.1:" + std::to_string(port), {});
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::Io);
  CHECK(second.error().message.starts_with("cannot listen on 127.0.0.1:" + std::to_string(port)));
}
