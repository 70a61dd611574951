#include "test/sim/world/link.h"

#include <algorithm>

namespace live_update::sim {
namespace {

const char* method_name(Method method) {
  constexpr const char* names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  return names[static_cast<int>(method)];
}

constexpr std::size_t kRemembered = 5;

const Error kCut{ErrorKind::Unavailable, "the connection was cut"};

int timeout_of(const Request& request) {
  for (const auto& [name, value] : request.query)
    if (name == "timeoutSeconds") return std::stoi(value);
  return 300;
}

template <typename T>
void drop_expired(std::vector<std::weak_ptr<T>>& all) {
  std::erase_if(all, [](const auto& it) { return it.expired(); });
}

}  // namespace

class Link::Pipe {
 public:
  explicit Pipe(Link& link) : link_(link) {}
  void put(Callback work, bool can_stall = false) {
    Instant due = link_.loop_.now() + link_.lag();
    if (can_stall) due = std::max({due, link_.weather.stalled_until, stalled_until});
    if (!calls_.empty()) due = std::max(due, calls_.back().first);
    calls_.emplace_back(due, std::move(work));
    if (calls_.size() == 1) arm();
  }
  void clear() {
    calls_.clear();
    timer_.reset();
  }
  Instant stalled_until{};

 private:
  void arm() {
    if (calls_.empty()) return timer_.reset();
    const auto wait = std::chrono::ceil<Micros>(calls_.front().first - link_.loop_.now());
    timer_ = link_.loop_.in(std::max(wait, Micros(0)), [this] {
      Callback work = std::move(calls_.front().second);
      calls_.pop_front();
      arm();
      work();
    });
  }
  Link& link_;
  std::deque<std::pair<Instant, Callback>> calls_;
  Handle timer_;
};

struct Link::Exchange {
  Request request;
  std::move_only_function<void(Result<Response>)> done;
  Handle inner, timer;
  bool sent = false;
};

struct Link::Watching {
  explicit Watching(Link& link) : pipe(link) {}
  std::function<void(std::string)> on_line;
  std::move_only_function<void(Result<>)> on_end;
  Pipe pipe;
  std::deque<std::string> told;  // the last few events
  Handle inner, timer, expiry;
  void end(Result<> how) {
    inner.reset();
    pipe.clear();
    timer.reset();
    if (auto ended = std::exchange(on_end, nullptr)) ended(std::move(how));
  }
};

struct Link::Session {
  explicit Session(Link& link) : up(link), down(link) {}
  ExecCallbacks callbacks;
  std::unique_ptr<ExecSession> inner;
  Pipe up, down;
  Handle timer;
  bool ended = false;  // the client has nothing to do with it any more
  void end(Result<ExecExit> how) {
    if (std::exchange(ended, true)) return;
    down.clear();
    if (auto told = std::move(callbacks.on_end)) told(std::move(how));
  }
};

class LinkExec : public ExecSession {
 public:
  LinkExec(Link& link, std::shared_ptr<Link::Session> session) : link_(link), session_(std::move(session)) {}
  ~LinkExec() override {
    session_->ended = true;
    session_->down.clear();
    session_->callbacks = {};
    link_.linger(std::move(session_));
  }
  void write(std::string bytes, Callback written) override {
    if (session_->ended) return;
    session_->up.put([s = session_.get(), bytes = std::move(bytes), written = std::move(written)]() mutable {
      if (s->inner) s->inner->write(std::move(bytes));
      if (written && !s->ended) written();
    });
  }
  void close_stdin() override {
    session_->up.put([s = session_.get()] {
      if (s->inner) s->inner->close_stdin();
    });
  }

 private:
  Link& link_;
  std::shared_ptr<Link::Session> session_;
};

Link::Link(SimLoop& loop, FakeApiServer& server, std::string name, Random random, Trace& trace,
           std::function<void(const Request&)> on_write)
    : loop_(loop),
      server_(server),
      name_(std::move(name)),
      random_(random),
      trace_(trace),
      on_write_(std::move(on_write)) {}

std::optional<Error> Link::trouble() {
  if (weather.down) return Error{ErrorKind::Unavailable, "connection refused"};
  if (!random_.permille(weather.refused)) return {};
  switch (random_.below(3)) {
    case 0:
      return Error{ErrorKind::TooManyRequests, "too many requests, please try again later"};
    case 1:
      return Error{ErrorKind::Unavailable, "etcdserver: leader changed"};
    default:
      return Error{ErrorKind::Timeout, "etcdserver: request timed out"};
  }
}

// Whoever does not want the answer any more may be too late to take the request back.
Handle Link::request(Request request, std::move_only_function<void(Result<Response>)> done) {
  auto exchange = std::make_shared<Exchange>(std::move(request), std::move(done));
  drop_expired(exchanges_);
  exchanges_.push_back(exchange);
  exchange->timer = loop_.in(lag(), [this, exchange] { forward(exchange); });
  return Handle([this, exchange] {
    exchange->done = nullptr;
    if (!exchange->sent && random_.below(2) == 0) exchange->timer.reset();
  });
}

void Link::forward(const std::shared_ptr<Exchange>& exchange) {
  exchange->sent = true;
  const bool writes = exchange->request.method != Method::Get;
  if (const auto error = trouble()) return finish(exchange, std::unexpected(*error));
  if (writes && !weather.forbidden.empty() &&
      exchange->request.body.contains("\"path\":\"" + weather.forbidden + "\""))
    return finish(exchange, fail(ErrorKind::Forbidden, "admission webhook \"paths\" denied the request"));
  if (writes) on_write_(exchange->request);
  const bool lost = random_.permille(weather.lost);
  exchange->inner = server_.request(exchange->request, [this, exchange, lost,
                                                        writes](Result<Response> result) {
    const std::string what =
        std::string(method_name(exchange->request.method)) + " " + exchange->request.path;
    if (writes)
      trace_.add(name_, what + " -> " + (result ? "ok" : result.error().message) + (lost ? ", lost" : ""));
    finish(exchange, lost ? Result<Response>(std::unexpected(kCut)) : std::move(result));
  });
}

void Link::finish(const std::shared_ptr<Exchange>& exchange, Result<Response> result) {
  exchange->timer = loop_.in(lag(), [exchange, result = std::move(result)]() mutable {
    auto keep = std::move(exchange->timer);
    if (auto done = std::exchange(exchange->done, nullptr)) done(std::move(result));
  });
}

Handle Link::watch(Request request, std::function<void(std::string)> on_line,
                   std::move_only_function<void(Result<>)> on_end) {
  auto watching = std::make_shared<Watching>(*this);
  watching->on_line = std::move(on_line);
  watching->on_end = std::move(on_end);
  drop_expired(watches_);
  watches_.push_back(watching);
  const Millis lasts = std::chrono::seconds(timeout_of(request));
  Watching* raw = watching.get();
  auto begun = std::move(request.on_begun);
  request.on_begun = [raw, begun = std::move(begun)] {
    raw->pipe.put([begun] {
      if (begun) begun();
    });
  };
  watching->timer = loop_.in(lag(), [this, raw, lasts, request = std::move(request)]() mutable {
    if (const auto error = trouble())
      return raw->pipe.put([raw, error = *error] { raw->end(std::unexpected(error)); });
    raw->expiry = loop_.after(lasts, [raw] { raw->end({}); });
    raw->inner = server_.watch(
        std::move(request), [this, raw](std::string line) { tell(*raw, std::move(line)); },
        [raw](Result<> how) {
          raw->pipe.put([raw, how = std::move(how)]() mutable { raw->end(std::move(how)); }, true);
        });
  });
  return Handle([watching] {
    watching->on_end = nullptr;
    watching->end({});
  });
}

// As where a watch went on from an older version than it had come to: some events again, in their order, so that
// the last word of each object stays the last.
void Link::tell(Watching& watching, std::string line) {
  const auto put = [&](std::string text) {
    watching.pipe.put([raw = &watching, text = std::move(text)]() mutable { raw->on_line(std::move(text)); },
                      true);
  };
  watching.told.push_back(line);
  if (watching.told.size() > kRemembered) watching.told.pop_front();
  put(std::move(line));
  if (weather.doubled == 0 || !random_.permille(weather.doubled)) return;
  const int again = random_.between(1, static_cast<int>(watching.told.size()));
  for (auto it = watching.told.end() - again; it != watching.told.end(); ++it) put(*it);
}

void Link::stall_apart(Micros most) {
  for (const auto& weak : watches_)
    if (const auto it = weak.lock())
      it->pipe.stalled_until = loop_.now() + Micros(random_.below(static_cast<int>(most.count()) + 1));
}

std::unique_ptr<ExecSession> Link::exec(ExecRequest request, ExecCallbacks callbacks) {
  auto session = std::make_shared<Session>(*this);
  drop_expired(sessions_);
  sessions_.push_back(session);
  session->callbacks = std::move(callbacks);
  Session* s = session.get();
  session->timer = loop_.in(lag(), [this, s, request = std::move(request)]() mutable {
    if (const auto error = trouble())
      return s->down.put([s, error = *error] { s->end(std::unexpected(error)); });
    const auto told = [s](auto ExecCallbacks::* which) {
      return [s, which](std::string bytes) {
        if (s->ended) return;
        s->down.put([s, which, bytes = std::move(bytes)]() mutable {
          if (s->callbacks.*which) (s->callbacks.*which)(std::move(bytes));
        });
      };
    };
    s->inner = server_.exec(std::move(request), {.on_open =
                                                     [s] {
                                                       if (s->ended) return;
                                                       s->down.put([s] {
                                                         if (s->callbacks.on_open) s->callbacks.on_open();
                                                       });
                                                     },
                                                 .on_stdout = told(&ExecCallbacks::on_stdout),
                                                 .on_stderr = told(&ExecCallbacks::on_stderr),
                                                 .on_end =
                                                     [s](Result<ExecExit> how) {
                                                       if (s->ended) return;
                                                       s->down.put([s, how = std::move(how)]() mutable {
                                                         s->end(std::move(how));
                                                       });
                                                     }});
  });
  return std::make_unique<LinkExec>(*this, std::move(session));
}

// What was written before a connection broke may still arrive there.
void Link::linger(std::shared_ptr<Session> session) {
  Session* s = session.get();
  s->timer = loop_.in(Micros(random_.below(50'000)), [session = std::move(session)]() mutable {
    session->up.clear();
    auto gone = std::move(session->inner);
  });
}

void Link::cut() {
  trace_.add(name_, "all its connections are cut");
  for (const auto& weak : std::exchange(exchanges_, {}))
    if (const auto it = weak.lock(); it && it->done) {
      if (it->sent || random_.below(2) == 0) it->timer.reset();
      it->inner.reset();
      loop_.post([it] {
        if (auto done = std::exchange(it->done, nullptr)) done(std::unexpected(kCut));
      });
    }
  for (const auto& weak : std::exchange(watches_, {}))
    if (const auto it = weak.lock()) {
      it->inner.reset();
      it->pipe.clear();
      it->expiry.reset();
      it->timer = loop_.in(lag(), [raw = it.get()] { raw->end(std::unexpected(kCut)); });
    }
  for (const auto& weak : std::exchange(sessions_, {}))
    if (const auto it = weak.lock(); it && !it->ended) {
      it->down.clear();
      it->down.put([s = it.get()] { s->end(std::unexpected(kCut)); });
    }
}

}  // namespace live_update::sim
