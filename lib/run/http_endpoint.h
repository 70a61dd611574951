// A small HTTP server for probes and scrapers: GET of a few pages, one answer for each connection.
//
// One thread of its own waits for all connections at once, so a slow one keeps nobody waiting: each has a
// time to say what it wants and to take the answer, and of too many the oldest is closed. What must be
// answered whatever happens to other pages has an endpoint of its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "run/loop.h"

namespace live_update {

class HttpEndpoint {
 public:
  struct Answer {
    int code = 200;
    std::string body, type = "text/plain";
  };
  using Pages = std::map<std::string, std::function<Answer()>, std::less<>>;  // by path
  struct Limits {
    Millis patience{2'000};  // for the request, and again for each part of the answer that is taken
    std::size_t connections = 64;
  };
  // `address`: ":8080" or "127.0.0.1:8080"; port 0: any. Pages are made on the endpoint's thread. Io if the
  // port cannot be had.
  static Result<std::unique_ptr<HttpEndpoint>> listen(const std::string& address, Pages pages, Limits limits);
  static Result<std::unique_ptr<HttpEndpoint>> listen(const std::string& address, Pages pages) {
    return listen(address, std::move(pages), Limits());
  }
  ~HttpEndpoint();
  int port() const;  // the one it listens on

  // A page that says 200 and "ok", or 503 and what is wrong.
  static std::function<Answer()> check(std::function<std::string()> problem);

 private:
  struct Impl;
  explicit HttpEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
