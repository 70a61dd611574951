#include "run/http_endpoint.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

using namespace live_update;

namespace {

// A connection of a client; closed with it.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client& say(const std::string& text) {
    if (connected_) (void)!send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    return *this;
  }
  // All that comes until the server closes.
  std::string hear() {
    std::string answer;
    char block[4096];
    for (ssize_t size; connected_ && (size = read(fd_, block, sizeof block)) > 0;)
      answer.append(block, static_cast<std::size_t>(size));
    return answer;
  }

 private:
  int fd_;
  bool connected_ = false;
};

std::string said(int port, const std::string& request) { return Client(port).say(request).hear(); }
// The whole answer to a GET, headers included.
std::string get(int port, const std::string& path) {
  return said(port, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

HttpEndpoint::Pages healthy() {
  return {{"/healthz", HttpEndpoint::check([] { return ""; })}};
}

}  // namespace

TEST_CASE("health: fine, not fine with the reason, and the metrics") {
  std::atomic<bool> stuck{false}, synced{false};
  auto endpoint = HttpEndpoint::listen(
      "127.0.0.1:0",
      {{"/healthz",
        HttpEndpoint::check([&] { return stuck ? "the event loop has not turned for 10 s" : ""; })},
       {"/readyz", HttpEndpoint::check([&] { return synced ? "" : "lists are not in"; })},
       {"/metrics",
        [] { return HttpEndpoint::Answer{200, "live_update_x 1\n", "text/plain; version=0.0.4"}; }}});
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
  CHECK(get(port, "/metrics?x=1").starts_with("HTTP/1.1 200 "));
  CHECK(said(port, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  CHECK(said(port, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));

  const auto second = HttpEndpoint::listen("127.0.0.1:" + std::to_string(port), {});
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::Io);
  CHECK(second.error().message.starts_with("cannot listen on 127.0.0.1:" + std::to_string(port)));
}

TEST_CASE("slow clients, however many, do not keep the others waiting") {
  auto endpoint = HttpEndpoint::listen("127.0.0.1:0", healthy());
  REQUIRE(endpoint);
  const int port = (*endpoint)->port();
  std::vector<std::unique_ptr<Client>> slow;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<Client>(port));
    slow.back()->say("GET /healthz HTT");
    CHECK(get(port, "/healthz").starts_with("HTTP/1.1 200 "));
  }
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(1'500));
  // Of too many the oldest go; the newest is heard when it has said the rest.
  CHECK(slow.front()->hear().empty());
  CHECK(slow.back()->say("P/1.1\r\n\r\n").hear().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a client that does not say what it wants is left after a while, however busy it is") {
  auto endpoint = HttpEndpoint::listen("127.0.0.1:0", healthy(), {.patience = Millis(50)});
  REQUIRE(endpoint);
  Client slow((*endpoint)->port());
  CHECK(slow.say("GET").hear().empty());
  Client endless((*endpoint)->port());
  endless.say("GET /healthz HTTP/1.1\r\n");
  for (int i = 0; i < 100; ++i) endless.say("X: " + std::string(1000, 'x') + "\r\n");
  CHECK(endless.say("\r\n").hear().empty());
  CHECK(get((*endpoint)->port(), "/healthz").starts_with("HTTP/1.1 200 "));
}
