#include "operator/metered.h"

#include <utility>

namespace live_update {
namespace {

std::string_view verb_of(Method method) {
  switch (method) {
    case Method::Get:
      return "GET";
    case Method::Post:
      return "POST";
    case Method::Put:
      return "PUT";
    case Method::Patch:
      return "PATCH";
    case Method::Delete:
      return "DELETE";
  }
  return "";
}

class MeteredSession : public ExecSession {
 public:
  MeteredSession(std::unique_ptr<ExecSession> session, Metrics& metrics)
      : session_(std::move(session)), metrics_(metrics) {
    metrics_.exec_opened();
  }
  ~MeteredSession() override { metrics_.exec_closed(); }
  void write(std::string bytes, Callback written) override {
    session_->write(std::move(bytes), std::move(written));
  }
  void close_stdin() override { session_->close_stdin(); }

 private:
  std::unique_ptr<ExecSession> session_;
  Metrics& metrics_;
};

}  // namespace

Handle MeteredApiServer::request(Request request, std::move_only_function<void(Result<Response>)> done) {
  const auto verb = verb_of(request.method);
  return api_.request(std::move(request),
                      [&metrics = metrics_, verb, done = std::move(done)](Result<Response> result) mutable {
                        metrics.api_request(verb, result ? std::to_string(result->status)
                                                         : std::string(to_string(result.error().kind)));
                        done(std::move(result));
                      });
}

Handle MeteredApiServer::watch(Request request, std::function<void(std::string)> on_line,
                               std::move_only_function<void(Result<>)> on_end) {
  return api_.watch(std::move(request), std::move(on_line),
                    [&metrics = metrics_, on_end = std::move(on_end)](Result<> result) mutable {
                      metrics.api_request("WATCH", result ? "200" : to_string(result.error().kind));
                      on_end(std::move(result));
                    });
}

std::unique_ptr<ExecSession> MeteredApiServer::exec(ExecRequest request, ExecCallbacks callbacks) {
  callbacks.on_end = [&metrics = metrics_, on_end = std::move(callbacks.on_end)](Result<ExecExit> exit) {
    metrics.exec_ended(!exit ? "error" : exit->code == 0 ? "success" : "exit");
    on_end(std::move(exit));
  };
  return std::make_unique<MeteredSession>(api_.exec(std::move(request), std::move(callbacks)), metrics_);
}

}  // namespace live_update
