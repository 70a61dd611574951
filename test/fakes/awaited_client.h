// A client of a real server whose requests are awaited one by one, with a loop that cannot hang.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "kube/io.h"
#include "kube/kube_api_server.h"
#include "run/uv_loop.h"

namespace live_update {

struct AwaitedClient {
  UvLoop loop;
  LoopIo io{loop};
  std::unique_ptr<ApiServer> api;

  explicit AwaitedClient(ClientConfig config, ApiServerOptions options = {}) {
    auto made = make_api_server(loop, std::move(config), options);
    REQUIRE_MESSAGE(made.has_value(), (made ? std::string() : made.error().message));
    api = std::move(*made);
  }

  // Runs the loop until it is stopped; a test that takes longer than this has failed.
  void run(Millis limit = Millis(30'000)) {
    auto guard = loop.after(limit, [&] {
      FAIL_CHECK("nothing happened for " << limit.count() / 1000 << " seconds");
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
  Result<Response> post(const std::string& path, const std::string& body) {
    return send({.method = Method::Post, .path = path, .content_type = "application/json", .body = body});
  }
};

}  // namespace live_update
