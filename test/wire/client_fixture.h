// What the wire tests share: a loop that cannot hang, certificates, a client for a server, and results
// awaited.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kube/kube_api_server.h"
#include "test/wire/pki.h"
#include "test/wire/tls_server.h"

namespace live_update {

struct Pki {
  KeyPair authority = make_authority("test CA");
  KeyPair server = issue(authority, {"apiserver", {"IP:127.0.0.1", "IP:::1", "DNS:kubernetes"}});
  KeyPair client = issue(authority, {"ada", {}});
};
// Made once: it takes a few milliseconds.
inline const Pki& pki() {
  static const Pki made;
  return made;
}

// A folder of its own for each test.
class TestFolder {
 public:
  TestFolder() {
    char name[] = "/tmp/wire_test.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

struct Client {
  Loop loop;
  ApiServerOptions options;
  std::unique_ptr<ApiServer> api;

  static ClientConfig config_for(const std::string& url) {
    ClientConfig config;
    config.server = url;
    config.context = "dev";
    config.cluster = "test";
    config.user = "ada";
    config.ca.text = pki().authority.certificate;
    config.token = "secret";
    return config;
  }
  explicit Client(const TlsServer& server) : Client(config_for(server.url())) {}
  explicit Client(ClientConfig config, ApiServerOptions with = {}) : options(with) {
    auto made = make_api_server(loop, std::move(config), options);
    REQUIRE_MESSAGE(made.has_value(), (made ? std::string() : made.error().message));
    api = std::move(*made);
  }

  // Runs the loop until it is stopped; a test that takes longer than this has failed.
  void run() {
    auto guard = loop.after(Millis(30'000), [&] {
      FAIL_CHECK("nothing happened for half a minute");
      loop.stop();
    });
    loop.run();
  }
  Result<Response> send(Request request) {
    std::optional<Result<Response>> answer;
    auto handle = api->request(std::move(request), [&](Result<Response> result) {
      answer = std::move(result);
      loop.stop();
    });
    CHECK_FALSE(answer.has_value());
    run();
    return answer.value_or(fail(ErrorKind::Internal, "no answer"));
  }
  Result<Response> get(const std::string& path = "/api/v1/namespaces/shop/pods") {
    return send({.path = path});
  }
  Result<Response> post(const std::string& path, const std::string& body) {
    return send({.method = Method::Post, .path = path, .content_type = "application/json", .body = body});
  }
};

}  // namespace live_update
