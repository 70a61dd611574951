// The ports, counted: every request, watch and exec session of an ApiServer, and every delivery of a
// transport.
//
// Loop thread only. Each outlives nothing: what it stands before and the metrics must outlive it.
#pragma once

#include "kube/api_server.h"
#include "run/metrics.h"

namespace live_update {

class MeteredApiServer : public ApiServer {
 public:
  MeteredApiServer(ApiServer& api, Metrics& metrics) : api_(api), metrics_(metrics) {}
  [[nodiscard]] Handle request(Request request,
                               std::move_only_function<void(Result<Response>)> done) override;
  [[nodiscard]] Handle watch(Request request, std::function<void(std::string)> on_line,
                             std::move_only_function<void(Result<>)> on_end) override;
  [[nodiscard]] std::unique_ptr<ExecSession> exec(ExecRequest request, ExecCallbacks callbacks) override;

 private:
  ApiServer& api_;
  Metrics& metrics_;
};

}  // namespace live_update
