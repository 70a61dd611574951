#include "kube/kube_api_server.h"

#include <deque>
#include <utility>

#include "kube/credentials.h"
#include "kube/line_splitter.h"
#include "kube/status_error.h"

namespace live_update {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

Headers with_defaults(Headers headers) {
  headers.emplace_back("User-Agent", "live-update/" LIVE_UPDATE_VERSION);
  return headers;
}

bool idempotent(const Request& request) {
  return request.method != Method::Post && request.content_type != "application/json-patch+json";
}

// A request or a watch under way, on the loop. Its Handle owns it; callbacks hold it weakly.
struct Call {
  Request request;
  Instant deadline;
  std::function<void(std::string)> on_line;  // of a watch
  std::move_only_function<void(Result<Response>)> done;
  std::optional<LineSplitter> lines;
  Handle inner;
  std::uint64_t generation = 0;  // of the credentials in use
  bool refreshed = false, retried = false;

  void finish(Result<Response> result) {
    if (!done) return;
    inner.reset();
    std::exchange(done, nullptr)(std::move(result));
  }
};

// An exec session on the loop. What is written before it is open waits, so that it can be opened again with
// newer credentials.
struct ExecState {
  ExecRequest request;
  ExecCallbacks callbacks;
  std::unique_ptr<ExecSession> inner;
  std::deque<std::pair<std::string, Callback>> early;
  Handle later;
  std::uint64_t generation = 0;
  bool close_early = false, open = false, refreshed = false, ended = false;

  void opened() {
    open = true;
    for (auto& [bytes, written] : std::exchange(early, {}))
      inner->write(std::move(bytes), std::move(written));
    if (close_early) inner->close_stdin();
    if (callbacks.on_open) callbacks.on_open();
  }
  void end(Result<ExecExit> result) {
    if (std::exchange(ended, true)) return;
    if (callbacks.on_end) callbacks.on_end(std::move(result));
  }
};

class KubeExecSession : public ExecSession {
 public:
  explicit KubeExecSession(std::shared_ptr<ExecState> state) : state_(std::move(state)) {}
  ~KubeExecSession() override {
    state_->ended = true;
    state_->later.reset();
    state_->inner.reset();
  }
  void write(std::string bytes, Callback written) override {
    if (state_->ended) return;
    if (state_->open) return state_->inner->write(std::move(bytes), std::move(written));
    state_->early.emplace_back(std::move(bytes), std::move(written));
  }
  void close_stdin() override {
    if (state_->ended) return;
    if (state_->open) return state_->inner->close_stdin();
    state_->close_early = true;
  }

 private:
  std::shared_ptr<ExecState> state_;
};

class KubeApiServer : public ApiServer {
 public:
  KubeApiServer(Loop& loop, ClientConfig config, ServerUrl url, const ApiServerOptions& options)
      : loop_(loop),
        names_{config.server, config.context, config.user},
        server_name_(config.tls_server_name),
        url_(std::move(url)),
        longest_line_(options.longest_line),
        api_(loop, url_, options.api),
        watch_(loop, url_, options.watch),
        exec_(loop, url_, options.exec),
        credentials_(loop, std::move(config)) {}

  Credentials& credentials() { return credentials_; }

  Handle request(Request request, std::move_only_function<void(Result<Response>)> done) override {
    return start(std::move(request), nullptr, std::move(done));
  }

  Handle watch(Request request, std::function<void(std::string)> on_line,
               std::move_only_function<void(Result<>)> on_end) override {
    return start(std::move(request), std::move(on_line),
                 [on_end = std::move(on_end)](Result<Response> result) mutable {
                   on_end(result ? Result<>() : std::unexpected(std::move(result.error())));
                 });
  }

  std::unique_ptr<ExecSession> exec(ExecRequest request, ExecCallbacks callbacks) override {
    auto state = std::make_shared<ExecState>();
    state->request = std::move(request);
    state->callbacks = std::move(callbacks);
    credentials_.get([this, weak = std::weak_ptr(state)](Result<Auth> auth) {
      if (const auto s = weak.lock()) open(s, std::move(auth));
    });
    return std::make_unique<KubeExecSession>(std::move(state));
  }

 private:
  // ---- requests and watches

  Handle start(Request request, std::function<void(std::string)> on_line,
               std::move_only_function<void(Result<Response>)> done) {
    auto call = std::make_shared<Call>();
    call->deadline = loop_.now() + request.deadline;
    call->request = std::move(request);
    call->on_line = std::move(on_line);
    call->done = std::move(done);
    credentials_.get([this, weak = std::weak_ptr(call)](Result<Auth> auth) {
      if (const auto c = weak.lock()) attempt(c, std::move(auth));
    });
    return Handle([call = std::move(call)] {
      call->done = nullptr;
      call->inner.reset();
    });
  }

  void attempt(const std::shared_ptr<Call>& call, Result<Auth> auth) {
    const std::weak_ptr<Call> weak = call;
    if (!call->done) return;
    if (!auth) return finish_later(call, std::move(auth.error()).in(describe(call->request)));
    call->generation = auth->generation;
    call->lines.emplace(longest_line_);
    HttpRequest http{call->request.method,
                     request_target(url_, call->request.path, call->request.query),
                     with_defaults(std::move(auth->headers)),
                     call->request.content_type,
                     call->request.body,
                     std::max(std::chrono::ceil<Millis>(call->deadline - loop_.now()), Millis(1))};
    http.headers.emplace_back("Accept", "application/json");
    auto answer = [this, weak](HttpClient::Outcome outcome) {
      if (const auto c = weak.lock()) answered(c, std::move(outcome));
    };
    HttpClient& client = call->on_line ? watch_ : api_;
    client.use(auth->tls, server_name_);
    call->inner = call->on_line
                      ? client.stream(
                            std::move(http), [this, weak](std::string bytes) { feed(weak, bytes); }, answer)
                      : client.send(std::move(http), answer);
  }

  void feed(const std::weak_ptr<Call>& weak, const std::string& bytes) {
    const auto call = weak.lock();
    if (!call || !call->done) return;
    if (bytes.empty() && call->request.on_begun) call->request.on_begun();
    const auto fed = call->lines->feed(bytes, [&](std::string line) {
      if (call->done) call->on_line(std::move(line));  // it may have ended the watch
    });
    if (!fed && call->done) call->finish(std::unexpected(fed.error().in(describe(call->request))));
  }

  void answered(const std::shared_ptr<Call>& call, HttpClient::Outcome outcome) {
    if (!outcome) return failed(call, outcome.error());
    if (outcome->status == 401 && !std::exchange(call->refreshed, true))
      return refresh(call, classify_status(names_, call->request, outcome->status, outcome->body));
    if (outcome->status >= 300)
      return call->finish(
          std::unexpected(classify_status(names_, call->request, outcome->status, outcome->body)));
    if (call->on_line && call->lines->partial())
      return call->finish(fail(ErrorKind::Unavailable,
                               describe(call->request) + ": the answer ended in the middle of a line"));
    call->finish(Response{outcome->status, std::move(outcome->body)});
  }

  void failed(const std::shared_ptr<Call>& call, const TransportError& error) {
    if (call->on_line && error.begun && error.what == TransportFailure::Timeout)
      return call->finish(Response{});  // idle
    Error classified = classify_transport(names_, describe(call->request), error);
    if (error.what == TransportFailure::Tls && !std::exchange(call->refreshed, true))
      return refresh(call, std::move(classified));
    const bool again =
        error.what == TransportFailure::Cut && idempotent(call->request) && !(call->on_line && error.begun);
    if (!again || std::exchange(call->retried, true))
      return call->finish(std::unexpected(std::move(classified)));
    credentials_.get([this, weak = std::weak_ptr(call)](Result<Auth> auth) {
      if (const auto c = weak.lock()) attempt(c, std::move(auth));
    });
  }

  // Newer credentials and another attempt; `otherwise` if there are none.
  void refresh(const std::shared_ptr<Call>& call, Error otherwise) {
    auto refreshed = [this, weak = std::weak_ptr(call), otherwise](Result<Auth> auth) {
      const auto c = weak.lock();
      if (!c) return;
      if (auth && auth->generation == c->generation) return c->finish(std::unexpected(otherwise));
      attempt(c, std::move(auth));
    };
    credentials_.refresh(call->generation, std::move(refreshed));
  }

  // Never inside the call that started it.
  void finish_later(const std::shared_ptr<Call>& call, Error error) {
    call->inner = loop_.after(Millis(0), [weak = std::weak_ptr(call), error = std::move(error)] {
      if (const auto c = weak.lock()) c->finish(std::unexpected(error));
    });
  }

  // ---- exec

  std::string exec_target(const ExecRequest& request) const {
    const std::string path =
        "/api/v1/namespaces/" + percent_encode(request.ns) + "/pods/" + percent_encode(request.pod) + "/exec";
    Headers query;
    if (!request.container.empty()) query.emplace_back("container", request.container);
    for (const auto& argument : request.command) query.emplace_back("command", argument);
    if (request.stdin_open) query.emplace_back("stdin", "true");
    query.emplace_back("stdout", "true");
    query.emplace_back("stderr", "true");
    return request_target(url_, path, query);
  }

  void open(const std::shared_ptr<ExecState>& state, Result<Auth> auth) {
    if (state->ended) return;
    const std::weak_ptr<ExecState> weak = state;
    if (!auth) {
      state->later = loop_.after(Millis(0), [weak, error = auth.error().in(describe(state->request))] {
        if (const auto s = weak.lock()) s->end(std::unexpected(error));
      });
      return;
    }
    state->generation = auth->generation;
    exec_.use(auth->tls);
    ExecEvents events;
    events.on_open = [weak] {
      if (const auto s = weak.lock()) s->opened();
    };
    events.on_stdout = [weak](std::string bytes) {
      if (const auto s = weak.lock(); s && s->callbacks.on_stdout) s->callbacks.on_stdout(std::move(bytes));
    };
    events.on_stderr = [weak](std::string bytes) {
      if (const auto s = weak.lock(); s && s->callbacks.on_stderr) s->callbacks.on_stderr(std::move(bytes));
    };
    events.on_end = [this, weak](ExecOutcome outcome) {
      if (const auto s = weak.lock()) exec_ended(s, std::move(outcome));
    };
    state->inner =
        exec_.open(exec_target(state->request), with_defaults(std::move(auth->headers)), std::move(events));
  }

  void exec_ended(const std::shared_ptr<ExecState>& state, ExecOutcome outcome) {
    if (outcome) return state->end(*outcome);
    const Error error = exec_error(state->request, outcome.error());
    const auto* refusal = std::get_if<ExecRefusal>(&outcome.error());
    const auto* transport = std::get_if<TransportError>(&outcome.error());
    const bool stale =
        (refusal && refusal->status == 401) || (transport && transport->what == TransportFailure::Tls);
    if (!stale || std::exchange(state->refreshed, true)) return state->end(std::unexpected(error));
    credentials_.refresh(state->generation, [this, weak = std::weak_ptr(state), error](Result<Auth> auth) {
      const auto s = weak.lock();
      if (!s) return;
      if (auth && auth->generation == s->generation) return s->end(std::unexpected(error));
      open(s, std::move(auth));
    });
  }

  Error exec_error(const ExecRequest& request, const ExecFailure& failure) const {
    const std::string what = describe(request);
    if (const auto* transport = std::get_if<TransportError>(&failure))
      return classify_transport(names_, what, *transport);
    if (const auto* refusal = std::get_if<ExecRefusal>(&failure))
      return classify_exec_refusal(names_, request, refusal->status, refusal->body);
    if (const auto* broken = std::get_if<ExecBroken>(&failure))
      return Error{ErrorKind::Internal, broken->message}.in(what);
    return std::get<Error>(failure).in(what);
  }

  Loop& loop_;
  const ServerNames names_;
  const std::string server_name_;
  const ServerUrl url_;
  const std::size_t longest_line_;
  HttpClient api_, watch_;
  ExecClient exec_;
  Credentials credentials_;
};

}  // namespace

Result<std::unique_ptr<ApiServer>> make_api_server(Loop& loop, ClientConfig config,
                                                   ApiServerOptions options) {
  auto url = parse_server_url(config.server);
  if (!url) return std::unexpected(url.error().in("context " + config.context));
  const bool plugin = config.exec.has_value();
  auto server = std::make_unique<KubeApiServer>(loop, std::move(config), std::move(*url), options);
  Result<> usable;
  if (!plugin)
    server->credentials().get(
        [&](Result<Auth> auth) { usable = auth ? Result<>() : std::unexpected(auth.error()); });
  if (!usable) return std::unexpected(usable.error());
  return server;
}

}  // namespace live_update
