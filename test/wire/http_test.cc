#include "test/wire/client_fixture.h"

namespace live_update {
namespace {

TEST_SUITE_BEGIN("http");

const std::string kPods = "/api/v1/namespaces/shop/pods";
const std::string kChangeSets = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets";

// Answers every request on a connection in the same way.
TlsServer::Script always(int status, std::string body) {
  return [=](Peer& peer) {
    for (;;) {
      peer.read_request();
      peer.respond(status, body);
    }
  };
}

TEST_CASE("a request carries token, headers and the encoded query; the answer comes whole") {
  SeenRequest seen;
  TlsServer server(pki().server, [&](Peer& peer) {
    seen = peer.read_request();
    peer.respond(200, "{\"a\":1}");
  });
  Client client(server);
  const auto answer =
      client.send({.path = kPods, .query = {{"labelSelector", "app=web,x in (a b)"}, {"limit", "500"}}});
  REQUIRE(answer);
  CHECK(answer->body == "{\"a\":1}");
  CHECK(seen.target == kPods + "?labelSelector=app%3Dweb%2Cx%20in%20%28a%20b%29&limit=500");
  CHECK(seen.headers["authorization"] == "Bearer secret");
  CHECK(seen.headers["accept"] == "application/json");
  CHECK(seen.headers["user-agent"].starts_with("live-update/"));
}

TEST_CASE("a body goes out with exactly the content type asked for") {
  SeenRequest seen;
  TlsServer server(pki().server, [&](Peer& peer) {
    seen = peer.read_request();
    peer.respond(200, "{}");
  });
  Client client(server);
  const Request apply{.method = Method::Patch,
                      .path = kPods + "/a",
                      .query = {{"fieldManager", "x"}, {"force", "true"}},
                      .content_type = "application/apply-patch+yaml",
                      .body = "{\"kind\":\"Pod\"}"};
  REQUIRE(client.send(apply));
  CHECK(seen.method == "PATCH");
  CHECK(seen.headers["content-type"] == "application/apply-patch+yaml");
  CHECK(seen.body == apply.body);
}

TEST_CASE("a client certificate is shown to the server") {
  std::string name;
  TlsServer server(pki().server, {.client_ca = pki().authority.certificate}, [&](Peer& peer) {
    peer.read_request();
    name = peer.client_name();
    peer.respond(200, "{}");
  });
  ClientConfig config = Client::config_for(server.url());
  config.client_certificate.text = pki().client.certificate;
  config.client_key.text = pki().client.key;
  Client client(config);
  CHECK(client.get());
  CHECK(name == "ada");
}

TEST_CASE("a server of another authority is refused, with the remedy") {
  const KeyPair other = make_authority("another CA");
  TlsServer server(issue(other, {"impostor", {"IP:127.0.0.1"}}), always(200, "{}"));
  Client client(server);
  const auto answer = client.get();
  REQUIRE_FALSE(answer);
  CHECK(answer.error() == Error{ErrorKind::Unavailable,
                                "list pods in namespace shop: " + server.url() +
                                    ": the server's certificate (CN = impostor) is not signed by "
                                    "certificate-authority-data of cluster test: "
                                    "is this the right cluster, and its present certificate-authority?"});
}

TEST_CASE("the system's authorities are not trusted beside the cluster's") {
  const KeyPair system = make_authority("a public CA");
  TestFolder folder;
  const char* before = ::getenv("SSL_CERT_FILE");
  REQUIRE(before != nullptr);
  CHECK(std::string(before) == "/dev/null");
  ::setenv("SSL_CERT_FILE", folder.write("roots.pem", system.certificate).c_str(), 1);
  TlsServer server(issue(system, {"public", {"IP:127.0.0.1"}}), always(200, "{}"));
  Client client(server);
  CHECK(client.get().error().message.find("is not signed by") != std::string::npos);
  ::setenv("SSL_CERT_FILE", "/dev/null", 1);
}

TEST_CASE("an expired server certificate says so, with the date") {
  TlsServer server(issue(pki().authority, {"old", {"IP:127.0.0.1"}, -10, -2}), always(200, "{}"));
  Client client(server);
  const auto message = client.get().error().message;
  CHECK(message.find("the server's certificate (CN = old) expired on ") != std::string::npos);
  CHECK(message.find("renew it on the server, or check this machine's clock") != std::string::npos);
}

TEST_CASE("a certificate for another name; tls-server-name cures it, and is the Host") {
  SeenRequest seen;
  TlsServer server(issue(pki().authority, {"x", {"DNS:kubernetes", "IP:10.96.0.1"}}), [&](Peer& peer) {
    seen = peer.read_request();
    peer.respond(200, "{}");
  });
  Client refused(server);
  CHECK(refused.get().error().message.find(
            "is for DNS:kubernetes, IP Address:10.96.0.1, not for 127.0.0.1: set tls-server-name") !=
        std::string::npos);
  ClientConfig config = Client::config_for(server.url());
  config.tls_server_name = "kubernetes";
  Client client(config);
  CHECK(client.get());
  CHECK(seen.headers["host"] == "kubernetes");
}

TEST_CASE("insecure-skip-tls-verify takes any certificate") {
  TlsServer server(issue(make_authority("x"), {"x", {"DNS:nobody"}, -10, -2}), always(200, "{}"));
  ClientConfig config = Client::config_for(server.url());
  config.ca = {};
  config.insecure = true;
  Client client(config);
  CHECK(client.get());
}

TEST_CASE("a server that speaks no TLS") {
  TlsServer server(pki().server, {.tls = false}, {});
  Client client(server);
  const auto answer = client.send({.path = kPods, .deadline = Millis(100)});
  CHECK(answer.error().kind == ErrorKind::Timeout);
}

TEST_CASE("every status has its kind") {
  int status = 0;
  std::string body;
  TlsServer server(pki().server, [&](Peer& peer) {
    for (;;) {
      peer.read_request();
      peer.respond(status, body);
    }
  });
  Client client(server);
  auto kind_of = [&](int code, std::string reason) {
    status = code;
    body = R"({"kind":"Status","status":"Failure","message":"words","reason":")" + reason + "\"}";
    return client.get().error().kind;
  };
  CHECK(kind_of(400, "BadRequest") == ErrorKind::Invalid);
  CHECK(kind_of(401, "Unauthorized") == ErrorKind::Unauthorized);
  CHECK(kind_of(403, "Forbidden") == ErrorKind::Forbidden);
  CHECK(kind_of(404, "NotFound") == ErrorKind::NotFound);
  CHECK(kind_of(409, "AlreadyExists") == ErrorKind::AlreadyExists);
  CHECK(kind_of(409, "Conflict") == ErrorKind::Conflict);
  CHECK(kind_of(410, "Expired") == ErrorKind::Gone);
  CHECK(kind_of(413, "RequestEntityTooLarge") == ErrorKind::TooLarge);
  CHECK(kind_of(422, "Invalid") == ErrorKind::Invalid);
  CHECK(kind_of(429, "TooManyRequests") == ErrorKind::TooManyRequests);
  CHECK(kind_of(500, "InternalError") == ErrorKind::Unavailable);
  CHECK(kind_of(503, "ServiceUnavailable") == ErrorKind::Unavailable);
  CHECK(kind_of(504, "Timeout") == ErrorKind::Timeout);
  CHECK(server.connections() == 1);
}

TEST_CASE("redirects are not followed: the token stays here") {
  TlsServer elsewhere(pki().server, always(200, "{}"));
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.respond(302, "", "Location: " + elsewhere.url() + "/x\r\n");
  });
  Client client(server);
  const auto answer = client.get();
  CHECK(answer.error().kind == ErrorKind::Invalid);
  CHECK(answer.error().message.find("redirects elsewhere, which is not followed") != std::string::npos);
  CHECK(elsewhere.connections() == 0);
}

TEST_CASE("an expired token is read again from its file, once") {
  TestFolder folder;
  std::vector<std::string> tokens;
  TlsServer server(pki().server, [&](Peer& peer) {
    for (;;) {
      tokens.push_back(peer.read_request().headers["authorization"]);
      const bool good = tokens.back() == "Bearer new";
      peer.respond(good ? 200 : 401, good ? "{}" : R"({"status":"Failure","message":"Unauthorized"})");
    }
  });
  ClientConfig config = Client::config_for(server.url());
  config.token_file = folder.write("token", "old\n");
  Client client(config);
  const auto refused = client.get();
  CHECK(refused.error() == Error{ErrorKind::Unauthorized,
                                 "list pods in namespace shop: the credentials of user \"ada\" (context dev) "
                                 "are not accepted or have "
                                 "expired: log in to the cluster again (Unauthorized)"});
  CHECK(tokens == std::vector<std::string>{"Bearer old"});  // the file has nothing newer: no second attempt
  folder.write("token", "new\n");
  CHECK(client.get());
  CHECK(tokens == std::vector<std::string>{"Bearer old", "Bearer old", "Bearer new"});
}

TEST_CASE("the deadline is for the whole exchange, headers or body missing") {
  for (const bool begin : {false, true}) {
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.read_request();
      if (begin) peer.begin_chunks();
      for (int i = 0; begin && i < 100; ++i) {
        peer.send_chunk("x");  // activity does not prolong it
        ::usleep(10'000);
      }
      peer.read_request();
    });
    Client client(server);
    const auto start = std::chrono::steady_clock::now();
    const auto answer = client.send({.path = kPods, .deadline = Millis(100)});
    CHECK(answer.error() == Error{ErrorKind::Timeout, "list pods in namespace shop: no answer from " +
                                                          server.url() + " in time"});
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  }
}

TEST_CASE("nobody listens") {
  std::string url;
  {
    TlsServer server(pki().server, always(200, "{}"));
    url = server.url();
  }
  Client client(Client::config_for(url));
  CHECK(client.get().error() ==
        Error{ErrorKind::Unavailable,
              "list pods in namespace shop: no connection to " + url +
                  " (connection refused): is the cluster running? check --context (now dev)"});
}

TEST_CASE("a cut connection: GET is tried once more, POST is not") {
  std::atomic<int> requests{0};
  TlsServer server(pki().server, [&](Peer& peer) {
    const auto seen = peer.read_request();
    if (++requests == 1 || seen.method == "POST") return peer.reset();
    peer.respond(200, "{}");
  });
  Client client(server);
  CHECK(client.get());
  CHECK(requests == 2);
  const auto answer = client.post(kChangeSets, "{}");
  CHECK(answer.error() ==
        Error{ErrorKind::Unavailable,
              "create changesets in namespace shop: the connection to " + server.url() + " was cut"});
}

TEST_CASE("a GET that is cut twice is an error") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.reset();
  });
  Client client(server);
  CHECK(client.get().error().kind == ErrorKind::Unavailable);
  CHECK(server.connections() == 2);
}

TEST_CASE("cpprestsdk sends a POST again on a kept connection that is closed: why names must be fixed") {
  std::atomic<int> posts{0};
  TlsServer server(pki().server, [&](Peer& peer) {
    for (;;) {
      if (peer.read_request().method == "POST" && ++posts == 1) return;
      peer.respond(200, "{}");
    }
  });
  Client client(server);
  CHECK(client.get());
  CHECK(client.post(kChangeSets, "{}"));
  CHECK(posts == 2);
}

TEST_CASE("an answer that is too large is refused, with and without Content-Length") {
  for (const bool chunked : {false, true}) {
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.read_request();
      if (!chunked) return peer.respond(200, std::string(100'000, 'x'));
      peer.begin_chunks();
      for (;;) peer.send_chunk(std::string(10'000, 'x'));
    });
    Client client(Client::config_for(server.url()), {.api = {.longest_body = 50'000}});
    CHECK(client.get().error() ==
          Error{ErrorKind::TooLarge, "list pods in namespace shop: the answer is larger than 50000 bytes"});
  }
}

TEST_CASE("large answers come whole") {
  std::string body(20 << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  TlsServer server(pki().server, always(200, body));
  Client client(server);
  const auto answer = client.get();
  REQUIRE(answer);
  CHECK(answer->body == body);
}

TEST_CASE("cancelled in every state: no callback, and the client goes on") {
  // 0: before it starts, 1: in the TLS handshake, 2: waiting for headers, 3: in the body
  for (const int state : {0, 1, 2, 3}) {
    std::atomic<bool> reached{false};
    TlsServer mute(pki().server, {.tls = false}, {});
    TlsServer server(pki().server, [&](Peer& peer) {
      if (peer.read_request().target == "/good") return peer.respond(200, "{}");
      if (state == 3) {
        peer.begin_chunks();
        peer.send_chunk("x");
      }
      reached = true;
      peer.read_request();
    });
    Client client(Client::config_for(state == 1 ? mute.url() : server.url()));
    bool called = false;
    {
      auto handle = client.api->request({.path = "/bad"}, [&](Result<Response>) { called = true; });
      auto poll = client.loop.every(Millis(1), [&] {
        if (state < 2 ? mute.connections() > 0 || state == 0 : reached.load()) client.loop.stop();
      });
      if (state > 0) client.run();
    }
    if (state != 1) CHECK(client.get("/good"));
    CHECK_FALSE(called);
  }
}

TEST_CASE("many timeouts and cancels at once do no harm") {
  TlsServer server(pki().server, [&](Peer& peer) {
    for (;;) {
      const auto seen = peer.read_request();
      if (seen.target == "/slow") ::usleep(3000);
      peer.respond(200, "{}");
    }
  });
  Client client(server);
  std::vector<Handle> handles;
  int answered = 0;
  for (int i = 0; i < 200; ++i) {
    handles.push_back(client.api->request({.path = i % 2 ? "/slow" : "/fast", .deadline = Millis(1 + i % 5)},
                                          [&](Result<Response>) { ++answered; }));
  }
  auto cancel = client.loop.every(Millis(1), [&] {
    if (handles.empty()) return client.loop.stop();
    for (int i = 0; i < 10 && !handles.empty(); ++i) handles.pop_back();
  });
  client.run();
  cancel.reset();
  const auto after = client.get("/fast");
  CHECK_MESSAGE(after, (after ? "" : after.error().message));
}

TEST_CASE("the answer may destroy its own Handle; destroying the client cancels the rest") {
  TlsServer server(pki().server, [&](Peer& peer) {
    for (;;) {
      if (peer.read_request().target == "/slow") peer.read_request();
      peer.respond(200, "{}");
    }
  });
  Client client(server);
  Handle handle, slow;
  bool called = false;
  slow = client.api->request({.path = "/slow"}, [&](Result<Response>) { called = true; });
  handle = client.api->request({.path = "/x"}, [&](Result<Response>) {
    handle.reset();
    client.loop.stop();
  });
  client.run();
  client.api.reset();
  slow.reset();
  CHECK_FALSE(called);
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
