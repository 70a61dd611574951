#include "run/http_endpoint.h"

#include <CivetServer.h>

namespace live_update {

namespace {

class Page : public CivetHandler {
 public:
  // Gives the status code and the body.
  explicit Page(std::function<std::pair<int, std::string>()> answer, std::string type)
      : answer_(std::move(answer)), type_(std::move(type)) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    const auto [code, body] = answer_();
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", code,
              code == 200 ? "OK" : "Service Unavailable", type_.c_str(), body.size());
    mg_write(connection, body.data(), body.size());
    return true;
  }

 private:
  std::function<std::pair<int, std::string>()> answer_;
  std::string type_;
};

std::function<std::pair<int, std::string>()> check(std::function<std::string()> problem) {
  return [problem = std::move(problem)] {
    const std::string why = problem();
    return why.empty() ? std::pair<int, std::string>(200, "ok\n")
                       : std::pair<int, std::string>(503, why + "\n");
  };
}

}  // namespace

struct HttpEndpoint::Impl {
  Impl(const std::vector<std::string>& options, Answers answers)
      : health(check(std::move(answers.unhealthy)), "text/plain"),
        ready(check(std::move(answers.not_ready)), "text/plain"),
        metrics([body = std::move(answers.metrics)] { return std::pair<int, std::string>(200, body()); },
                "text/plain; version=0.0.4"),
        server(options) {
    server.addHandler("/healthz", health);
    server.addHandler("/readyz", ready);
    server.addHandler("/metrics", metrics);
  }
  Page health, ready, metrics;
  CivetServer server;  // last: it ends before the pages do
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpEndpoint::~HttpEndpoint() = default;

int HttpEndpoint::port() const { return impl_->server.getListeningPorts().front(); }

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::listen(const std::string& address, Answers answers) {
  const std::string port = address.starts_with(":") ? address.substr(1) : address;
  try {
    auto impl = std::make_unique<Impl>(std::vector<std::string>{"listening_ports", port, "num_threads", "2"},
                                       std::move(answers));
    return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
  } catch (const CivetException& e) {
    return fail(ErrorKind::Io, "cannot listen on " + address + " for /healthz and /metrics: " + e.what() +
                                   "; choose another --listen");
  }
}

}  // namespace live_update
