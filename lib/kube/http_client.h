// HTTPS to one server, over cpprestsdk (which stays in http_client.cc). Knows nothing of Kubernetes: no
// retries, no credentials.
//
// Called and answered on the loop; bytes travel between its turns. Redirects are never followed (the follower
// would take the token along to any host). cpprestsdk itself sends a request again, a POST too, if a kept
// connection turns out to be closed: every create must be idempotent by its name.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kube/api_server.h"
#include "kube/io.h"
#include "kube/status_error.h"
#include "kube/tls.h"
#include "kube/url.h"
#include "run/loop.h"

namespace live_update {

struct HttpRequest {
  Method method = Method::Get;
  std::string target;  // path?query, encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type, body;
  Millis deadline{10'000};  // for the whole exchange; of a stream until its headers are in
};

struct HttpResponse {
  int status = 0;
  std::string body;  // empty where it went to `on_bytes`
  bool operator==(const HttpResponse&) const = default;
};

struct HttpOptions {
  // A connection on which nothing arrives for so long is given up (cpprestsdk's timer). For a stream: an idle
  // end.
  Millis idle{60'000};
  std::size_t longest_body = std::size_t{256} << 20;  // larger answers are refused; streams are not counted
};

class HttpClient {
 public:
  using Outcome = std::expected<HttpResponse, TransportError>;
  using Done = std::move_only_function<void(Outcome)>;

  HttpClient(Loop& loop, ServerUrl server, HttpOptions options = {});
  // Cancels what is under way, and waits until that has let go of it.
  ~HttpClient();

  // For connections made from now on; if it is another one than before, kept connections are not used again.
  // `server_name`: the Host header, if it must differ from the server's own (tls-server-name).
  void use(std::shared_ptr<const TlsIdentity> identity, const std::string& server_name);

  // `done` once, on the loop, never inside this call. `use` must have been called.
  [[nodiscard]] Handle send(HttpRequest request, Done done);
  // The same, but the body of a 200 goes to `on_bytes` as it arrives; first, with the headers, an empty piece.
  [[nodiscard]] Handle stream(HttpRequest request, std::function<void(std::string)> on_bytes, Done done);

 private:
  struct Exchanges;
  struct Io;
  Handle start(HttpRequest request, std::function<void(std::string)> on_bytes, Done done);

  Loop& loop_;
  const ServerUrl server_;
  const HttpOptions options_;
  std::shared_ptr<const TlsIdentity> identity_;
  std::string host_header_;
  std::shared_ptr<Exchanges> exchanges_;
  std::shared_ptr<Io> io_;
};

}  // namespace live_update
