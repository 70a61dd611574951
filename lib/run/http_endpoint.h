// A small HTTP server for probes and scrapers: GET /healthz, /readyz, /metrics.
//
// It answers on threads of its own (civetweb's); what it asks must be safe there: `Answers` are called on
// those threads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"

namespace live_update {

class HttpEndpoint {
 public:
  struct Answers {
    std::function<std::string()> unhealthy;  // why, or empty: healthy
    std::function<std::string()> not_ready;  // likewise
    std::function<std::string()> metrics;    // the body
  };
  // `address`: ":8080" or "127.0.0.1:8080"; port 0: any. Io if the port cannot be had.
  static Result<std::unique_ptr<HttpEndpoint>> listen(const std::string& address, Answers answers);
  ~HttpEndpoint();
  int port() const;  // the one it listens on

 private:
  struct Impl;
  explicit HttpEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
