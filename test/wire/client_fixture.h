// What the wire tests share: certificates, folders, a client for a server.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "test/fakes/awaited_client.h"
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

struct Client : AwaitedClient {
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
  explicit Client(const TlsServer& server) : AwaitedClient(config_for(server.url())) {}
  using AwaitedClient::AwaitedClient;

  Result<Response> get(const std::string& path = "/api/v1/namespaces/shop/pods") {
    return send({.path = path});
  }
};

}  // namespace live_update
