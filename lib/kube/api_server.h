// The port to the Kubernetes API server: requests, watches, exec sessions. `test/fakes/fake_api_server.h` is
// the in-memory one.
//
// Called on the loop's thread, answered on the loop's thread; bytes travel between its turns. Every error is
// classified and its message names the object, the server's own words and a remedy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/cluster/exec_protocol.h"
#include "run/loop.h"

namespace live_update {

enum class Method { Get, Post, Put, Patch, Delete };

struct Request {
  Method method = Method::Get;
  std::string path;  // "/api/v1/namespaces/shop/pods", segments already encoded
  std::vector<std::pair<std::string, std::string>> query;  // not yet encoded
  std::string content_type;  // of the body: application/json, application/apply-patch+yaml,
                             // application/merge-patch+json
  std::string body;
  Millis deadline{10'000};              // for the whole exchange
  std::function<void()> on_begun = {};  // of a watch: it was accepted, though there may be nothing to say yet
};

struct Response {
  int status = 0;
  std::string body;
};

struct ExecRequest {
  std::string ns, pod, container;
  std::vector<std::string> command;
  bool stdin_open = false;
};

// Callbacks of one session, all on the loop. `on_end` comes exactly once and last, unless the session is
// destroyed first. Its error means that the command did not start, or that the connection broke and nothing
// is known of it:
//   Invalid      the container has no such program, or it is not executable
//   NotFound     no such pod or container
//   Unavailable  the container is not running, the connection was cut, a peer fell silent: retry
//   Forbidden, Unauthorized, Timeout, Internal as for requests.
struct ExecCallbacks {
  std::function<void()> on_open;
  std::function<void(std::string)> on_stdout, on_stderr;
  std::function<void(Result<ExecExit>)> on_end;
};

// One running command in a container. Destroying it cuts the connection (the command may go on).
class ExecSession {
 public:
  virtual ~ExecSession() = default;
  // Appends to stdin. `written` runs when the bytes have left for the network: keep a bounded amount under
  // way (back-pressure). May be called before on_open.
  virtual void write(std::string bytes, Callback written = {}) = 0;
  // End of stdin (v5.channel.k8s.io close frame), after everything written.
  virtual void close_stdin() = 0;
};

class ApiServer {
 public:
  virtual ~ApiServer() = default;
  // Any status of 400 and above is an Error. `done` runs once, on the loop.
  [[nodiscard]] virtual Handle request(Request request,
                                       std::move_only_function<void(Result<Response>)> done) = 0;
  // A GET whose answer is lines that keep coming. `on_line` per complete line; `on_end` once: a value for a
  // clean end or the idle end of a watch, else an error. 410 arrives either as an Error of kind Gone or as a
  // line with an ERROR event.
  [[nodiscard]] virtual Handle watch(Request request, std::function<void(std::string)> on_line,
                                     std::move_only_function<void(Result<>)> on_end) = 0;
  [[nodiscard]] virtual std::unique_ptr<ExecSession> exec(ExecRequest request, ExecCallbacks callbacks) = 0;
};

}  // namespace live_update
