#include "kube/http_client.h"

#include <cpprest/containerstream.h>
#include <cpprest/http_client.h>

#include <algorithm>
#include <map>

namespace live_update {
namespace {

using web::http::http_exception;
using web::http::http_response;
using CpprestClient = web::http::client::http_client;

constexpr std::size_t kPiece = 64 * 1024;

const web::http::method& cpprest_method(Method method) {
  switch (method) {
    case Method::Get:
      return web::http::methods::GET;
    case Method::Post:
      return web::http::methods::POST;
    case Method::Put:
      return web::http::methods::PUT;
    case Method::Patch:
      return web::http::methods::PATCH;
    case Method::Delete:
      return web::http::methods::DEL;
  }
  return web::http::methods::GET;
}

// The same request object must never be sent twice: each attempt gets its own.
web::http::http_request cpprest_request(const HttpRequest& from) {
  web::http::http_request request(cpprest_method(from.method));
  request.set_request_uri(web::uri(from.target));
  for (const auto& [name, value] : from.headers) request.headers().add(name, value);
  if (!from.body.empty()) request.set_body(from.body, from.content_type);
  return request;
}

std::shared_ptr<CpprestClient> make_client(const ServerUrl& server, const HttpOptions& options,
                                           std::shared_ptr<const TlsIdentity> identity) {
  web::http::client::http_client_config config;
  config.set_timeout(options.idle);
  config.set_max_redirects(0);
  config.set_validate_certificates(!identity->insecure());
  config.set_ssl_context_callback(
      [identity](boost::asio::ssl::context& context) { identity->apply(context.native_handle()); });
  return std::make_shared<CpprestClient>(web::uri("https://" + server.authority()), config);
}

// cpprestsdk's codes are loose: a timeout is 110 whatever its text, a reset is 1 or 2 of category "generic",
// a refusal 113.
TransportError from_exception(const http_exception& error, const TlsIdentity& identity) {
  const std::string text = error.what();
  const int code = error.error_code().value();
  auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  if (code == ETIMEDOUT) return {TransportFailure::Timeout, {}};
  if (has("Operation canceled") || code == ECANCELED) return {TransportFailure::Cancelled, {}};
  if (has("SSL handshake")) {
    const std::string why = identity.take_failure();
    return {TransportFailure::Tls, why.empty() ? "the TLS handshake failed: is this an API server?" : why};
  }
  if (has("resolving address")) return {TransportFailure::Unresolved, {}};
  if (code == EHOSTUNREACH || code == ECONNREFUSED || has("connect to"))
    return {TransportFailure::Refused, "connection refused"};
  return {TransportFailure::Cut, {}};
}

TransportError current_error(const TlsIdentity& identity) {
  try {
    throw;
  } catch (const http_exception& error) {
    return from_exception(error, identity);
  } catch (const pplx::task_canceled&) {
    return {TransportFailure::Cancelled, {}};
  } catch (const std::exception& error) {
    return {TransportFailure::Cut, error.what()};
  } catch (...) {
    return {TransportFailure::Cut, "an unknown error"};
  }
}

// One request between the loop's turns. It tells the loop by number, so that nothing of the loop is ever held or
// freed here.
struct Exchange : std::enable_shared_from_this<Exchange> {
  HttpRequest request;
  bool streaming = false;
  std::size_t longest_body = 0;
  std::shared_ptr<CpprestClient> client;
  std::shared_ptr<const TlsIdentity> identity;
  IoTickets::Ticket ticket;
  std::function<void()> on_headers;
  std::function<void(std::string)> on_bytes;
  std::function<void(HttpClient::Outcome)> on_end;

  pplx::cancellation_token_source cancellation;
  http_response response;
  concurrency::streams::streambuf<std::uint8_t> body;
  HttpResponse collected;
  bool ended = false;

  // What every task of ours ends in: looks at the task, whether we still want its value or not, and lets
  // nothing out. A failed task that nobody looks at kills the process.
  template <typename T, typename Step>
  void settle(const pplx::task<T>& task, Step&& step) noexcept {
    try {
      T value = task.get();
      if (!ended) step(std::move(value));
    } catch (...) {
      end(std::unexpected(current_error(*identity)));
    }
  }

  void start() noexcept {
    if (ended) return;
    try {
      client->request(cpprest_request(request), cancellation.get_token())
          .then([self = shared_from_this()](pplx::task<http_response> task) {
            self->settle(task, [&](http_response got) { self->headers(std::move(got)); });
          });
    } catch (...) {
      end(std::unexpected(current_error(*identity)));
    }
  }

  void headers(http_response got) {
    response = std::move(got);
    body = response.body().streambuf();
    collected.status = response.status_code();
    streaming = streaming && collected.status == 200;
    if (!streaming && response.headers().content_length() > longest_body) return too_large();
    if (streaming) {
      on_headers();
      on_bytes({});
    }
    read();
  }

  // getn of a fixed size would wait until it is full: wait for one byte, then take what is there.
  void read() {
    body.getc().then([self = shared_from_this()](pplx::task<int> task) {
      self->settle(task, [&](int next) {
        if (next == std::char_traits<char>::eof()) return self->end(std::move(self->collected));
        self->take(std::min(self->body.in_avail(), kPiece));
      });
    });
  }

  void take(std::size_t size) {
    auto piece = std::make_shared<std::string>(size, '\0');
    auto* into = reinterpret_cast<std::uint8_t*>(piece->data());
    body.getn(into, size).then([self = shared_from_this(), piece](pplx::task<std::size_t> task) {
      self->settle(task, [&](std::size_t got) {
        piece->resize(got);
        self->deliver(std::move(*piece));
      });
    });
  }

  void deliver(std::string piece) {
    if (streaming) {
      on_bytes(std::move(piece));
    } else {
      if (collected.body.size() + piece.size() > longest_body) return too_large();
      collected.body += piece;
    }
    read();
  }

  void too_large() {
    end(std::unexpected(TransportError{
        TransportFailure::TooLarge, "the answer is larger than " + std::to_string(longest_body) + " bytes"}));
    cancellation.cancel();
  }

  void end(HttpClient::Outcome outcome) {
    if (std::exchange(ended, true)) return;
    if (!outcome) outcome.error().begun = collected.status != 0;
    on_end(std::move(outcome));
    release();
  }

  void cancel() {
    ended = true;
    cancellation.cancel();
    release();
  }

  // Frees what cpprestsdk has here.
  void release() {
    body = {};
    response = {};
    client.reset();
    ticket.reset();
  }
};

}  // namespace

// The loop's side of all exchanges, by number.
struct HttpClient::Exchanges {
  struct Side {
    std::shared_ptr<Exchange> exchange;
    std::shared_ptr<std::function<void(std::string)>>
        on_bytes;  // shared: it may end its own exchange while it runs
    Done done;
    Handle deadline;
  };
  std::map<std::uint64_t, Side> sides;
  std::uint64_t last = 0;

  void headers(std::uint64_t id) {
    if (const auto it = sides.find(id); it != sides.end() && it->second.on_bytes) it->second.deadline.reset();
  }
  void bytes(std::uint64_t id, std::string piece) {
    const auto it = sides.find(id);
    if (it == sides.end()) return;
    const auto on_bytes = it->second.on_bytes;
    (*on_bytes)(std::move(piece));
  }
  void end(std::uint64_t id, Outcome outcome) {
    const auto it = sides.find(id);
    if (it == sides.end()) return;
    Side side = std::move(it->second);
    sides.erase(it);
    side.done(std::move(outcome));
  }
  void expire(std::uint64_t id) {
    stop(id);
    end(id, std::unexpected(TransportError{TransportFailure::Timeout, {}}));
  }
  void cancel(std::uint64_t id) {
    stop(id);
    sides.erase(id);
  }
  // Not within a callback of the exchange itself.
  void stop(std::uint64_t id) {
    const auto it = sides.find(id);
    if (it == sides.end()) return;
    post_io([exchange = std::move(it->second.exchange)] { exchange->cancel(); });
  }
};

// What the client has between the loop's turns.
struct HttpClient::Io {
  explicit Io(Loop& loop) : gate(std::make_shared<LoopGate>(loop)) {}
  std::shared_ptr<LoopGate> gate;
  IoTickets tickets;
  std::shared_ptr<CpprestClient> client;  // freed between turns, when nothing of it is on the stack

  void replace(std::shared_ptr<CpprestClient> by) {
    post_io([old = std::exchange(client, std::move(by)), ticket = tickets.take()]() mutable { old.reset(); });
  }
};

HttpClient::HttpClient(Loop& loop, ServerUrl server, HttpOptions options)
    : loop_(loop),
      server_(std::move(server)),
      options_(options),
      exchanges_(std::make_shared<Exchanges>()),
      io_(std::make_shared<Io>(loop)) {}

HttpClient::~HttpClient() {
  while (!exchanges_->sides.empty()) exchanges_->cancel(exchanges_->sides.begin()->first);
  io_->gate->close();
  io_->replace(nullptr);
  io_->tickets.wait(Millis(2000));
}

void HttpClient::use(std::shared_ptr<const TlsIdentity> identity, const std::string& server_name) {
  host_header_ = server_name;
  if (identity == identity_) return;
  identity_ = std::move(identity);
  io_->replace(make_client(server_, options_, identity_));
}

Handle HttpClient::send(HttpRequest request, Done done) {
  return start(std::move(request), nullptr, std::move(done));
}

Handle HttpClient::stream(HttpRequest request, std::function<void(std::string)> on_bytes, Done done) {
  return start(std::move(request), std::move(on_bytes), std::move(done));
}

Handle HttpClient::start(HttpRequest request, std::function<void(std::string)> on_bytes, Done done) {
  if (!host_header_.empty()) request.headers.emplace_back("Host", host_header_);
  const auto id = ++exchanges_->last;
  const std::weak_ptr<Exchanges> weak = exchanges_;
  const auto gate = io_->gate;
  const Millis deadline = request.deadline;

  auto exchange = std::make_shared<Exchange>();
  exchange->request = std::move(request);
  exchange->streaming = static_cast<bool>(on_bytes);
  exchange->longest_body = options_.longest_body;
  exchange->client = io_->client;
  exchange->identity = identity_;
  exchange->ticket = io_->tickets.take();
  // Posts a call of `method` on the loop's side, if that is still there.
  auto tell = [weak, gate, id](auto method, auto... what) {
    gate->post([weak, id, method, ... what = std::move(what)]() mutable {
      if (const auto exchanges = weak.lock()) ((*exchanges).*method)(id, std::move(what)...);
    });
  };
  exchange->on_headers = [tell] { tell(&Exchanges::headers); };
  exchange->on_bytes = [tell](std::string piece) { tell(&Exchanges::bytes, std::move(piece)); };
  exchange->on_end = [tell](Outcome outcome) { tell(&Exchanges::end, std::move(outcome)); };

  Exchanges::Side& side = exchanges_->sides[id];
  side.exchange = exchange;
  if (on_bytes) side.on_bytes = std::make_shared<std::function<void(std::string)>>(std::move(on_bytes));
  side.done = std::move(done);
  side.deadline = loop_.after(deadline, [weak, id] {
    if (const auto exchanges = weak.lock()) exchanges->expire(id);
  });
  exchange->start();
  return Handle([weak, id] {
    if (const auto exchanges = weak.lock()) exchanges->cancel(id);
  });
}

}  // namespace live_update
