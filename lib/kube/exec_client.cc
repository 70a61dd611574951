#include "kube/exec_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

namespace live_update {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = net::ip::tcp;
using ErrorCode = beast::error_code;
using Clock = std::chrono::steady_clock;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kFrame = 32 * 1024;
constexpr std::size_t kShare =
    64 * 1024;  // of what comes in: after so much, the rest waits for the next turn

// A TLS stream that keeps a failed write to itself until reading has come to its end, too.
//
// A command that ends without having read all its input makes the server close with our bytes unread: our
// next write (or ping) fails while its last words, the Status, still wait to be read. Beast gives up reading
// as soon as a write has failed.
class PatientTls {
 public:
  using next_layer_type = beast::ssl_stream<beast::tcp_stream>;
  using executor_type = next_layer_type::executor_type;
  PatientTls(net::io_context& io, net::ssl::context& context) : next_(io, context) {}

  executor_type get_executor() noexcept { return next_.get_executor(); }
  next_layer_type& next_layer() { return next_; }
  const next_layer_type& next_layer() const { return next_; }
  // Called when a write has failed and waits.
  void on_failed_write(std::function<void()> work) { on_failed_write_ = std::move(work); }
  // Lets the failed write complete after all. The owner must call it when it no longer reads: what waits here
  // owns the owner.
  void release() {
    released_ = true;
    if (auto write = std::exchange(failed_write_, nullptr))
      net::post(get_executor(), [w = std::move(write)]() mutable { w(); });
  }

  // What is below knows one type of handler and of buffers, or each of Beast's would compile all of TLS anew.
  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    auto start = [this](auto handler, const Buffers& into) {
      read_some({net::buffer_sequence_begin(into), net::buffer_sequence_end(into)}, std::move(handler));
    };
    return net::async_initiate<Token, void(ErrorCode, std::size_t)>(std::move(start), token, buffers);
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    auto start = [this](auto handler, const Buffers& from) {
      write_some({net::buffer_sequence_begin(from), net::buffer_sequence_end(from)}, std::move(handler));
    };
    return net::async_initiate<Token, void(ErrorCode, std::size_t)>(std::move(start), token, buffers);
  }

 private:
  using Done = std::move_only_function<void(ErrorCode, std::size_t)>;

  void read_some(const std::vector<net::mutable_buffer>& into, Done done) {
    next_.async_read_some(into, [this, done = std::move(done)](ErrorCode error, std::size_t size) mutable {
      if (error) release();
      done(error, size);
    });
  }
  void write_some(const std::vector<net::const_buffer>& from, Done done) {
    next_.async_write_some(from, [this, done = std::move(done)](ErrorCode error, std::size_t size) mutable {
      if (!error || released_) return done(error, size);
      failed_write_ = [done = std::move(done), error]() mutable { done(error, 0); };
      if (on_failed_write_) on_failed_write_();
    });
  }

  next_layer_type next_;
  std::move_only_function<void()> failed_write_;
  std::function<void()> on_failed_write_;
  bool released_ = false;
};

// Beast looks these up by the type of the layer.
template <typename Handler>
void async_teardown(beast::role_type role, PatientTls& stream, Handler&& handler) {
  using websocket::async_teardown;
  async_teardown(role, stream.next_layer(), std::forward<Handler>(handler));
}
[[maybe_unused]] void teardown(beast::role_type role, PatientTls& stream, ErrorCode& error) {
  using websocket::teardown;
  teardown(role, stream.next_layer(), error);
}

// What a session tells the loop. Each of these only posts.
struct Tell {
  std::function<void()> open;
  std::function<void(std::size_t)> written;  // so many queued pieces have left
  std::function<void(ExecChannel, std::string)> data;
  std::function<void(ExecOutcome)> end;
};

// The end of one session that has the socket; its callbacks run between the loop's turns.
class Connection : public std::enable_shared_from_this<Connection> {
  struct Piece {
    ExecChannel channel;
    std::string data;
    std::size_t sent;
  };

  // A completion handler: success goes to `next`, failure ends the session as `failure`; nothing once it has
  // ended.
  template <typename Next>
  auto step(Next next, TransportFailure failure) {
    return [self = shared_from_this(), next, failure](ErrorCode error, auto&&... values) {
      if (self->ended_) return;
      if (error) return self->fail(TransportError{failure, error.message()});
      next(std::forward<decltype(values)>(values)...);
    };
  }

 public:
  Connection(ServerUrl server, ExecOptions options, std::string target, Headers headers,
             std::shared_ptr<net::ssl::context> context, std::shared_ptr<const TlsIdentity> identity,
             Tell tell, IoTickets::Ticket ticket)
      : server_(std::move(server)),
        options_(options),
        target_(std::move(target)),
        headers_(std::move(headers)),
        context_(std::move(context)),
        identity_(std::move(identity)),
        tell_(std::move(tell)),
        ticket_(std::move(ticket)),
        resolver_(io_context()),
        stream_(io_context(), *context_),
        timer_(io_context()) {}

  void start() {
    if (ended_) return;
    within(options_.connect, "connecting");
    resolver_.async_resolve(
        server_.host, server_.port,
        step([this](tcp::resolver::results_type found) { connect(found); }, TransportFailure::Unresolved));
  }

  // `data` on `channel`, or the close of it; counted as one piece for `written`.
  void write(ExecChannel channel, std::string data) {
    if (ended_) return;
    out_.push_back({channel, std::move(data), 0});
    if (open_ && !writing_) write_next();
  }

  // The loop has handled `size` bytes more. It may keep to itself that it has handled a few.
  void handled(std::size_t size) {
    unread_ -= size;
    if (!paused_ || ended_ || unread_ > options_.most_unread / 2) return;
    paused_ = false;
    heard_ = Clock::now();
    read();
  }

  // Ends it without a word to the loop.
  void cancel() {
    if (std::exchange(ended_, true)) return;
    drop();
  }

 private:
  PatientTls::next_layer_type& tls() { return stream_.next_layer().next_layer(); }

  void connect(const tcp::resolver::results_type& found) {
    auto connected = [self = shared_from_this()](ErrorCode error, const tcp::endpoint&) {
      if (self->ended_) return;
      if (error) return self->fail(TransportError{TransportFailure::Refused, error.message()});
      self->handshake();
    };
    beast::get_lowest_layer(stream_).async_connect(found, std::move(connected));
  }

  void handshake() {
    beast::get_lowest_layer(stream_).socket().set_option(tcp::no_delay(true));
    identity_->set_sni(tls().native_handle());
    tls().async_handshake(net::ssl::stream_base::client, [self = shared_from_this()](ErrorCode error) {
      if (self->ended_) return;
      if (error) return self->tls_failed(error);
      self->upgrade();
    });
  }

  void tls_failed(ErrorCode error) {
    const std::string why = identity_->take_failure();
    fail(TransportError{TransportFailure::Tls,
                        why.empty() ? "the TLS handshake failed: " + error.message() : why});
  }

  void upgrade() {
    within(options_.upgrade, "waiting for the command to start");
    stream_.set_option(
        websocket::stream_base::decorator([headers = headers_](websocket::request_type& request) {
          for (const auto& [name, value] : headers) request.insert(name, value);
          request.set(beast::http::field::sec_websocket_protocol, std::string(kExecProtocol));
        }));
    stream_.binary(true);
    stream_.auto_fragment(false);
    stream_.write_buffer_bytes(2 * kFrame);
    stream_.read_message_max(options_.longest_message);
    stream_.control_callback([this](websocket::frame_type, beast::string_view) { heard_ = Clock::now(); });
    stream_.async_handshake(answer_, server_.authority(), target_,
                            [self = shared_from_this()](ErrorCode error) { self->upgraded(error); });
  }

  void upgraded(ErrorCode error) {
    if (ended_) return;
    if (error == websocket::error::upgrade_declined)
      return fail(ExecRefusal{static_cast<int>(answer_.result_int()), answer_.body()});
    if (error.category() == websocket::make_error_code(websocket::error::closed).category())
      return fail(ExecBroken{"the server's answer to the upgrade is no WebSocket: " + error.message()});
    if (error) return fail(TransportError{TransportFailure::Cut, error.message()});
    const auto protocol = answer_[beast::http::field::sec_websocket_protocol];
    if (protocol != beast::string_view(kExecProtocol.data(), kExecProtocol.size()))
      return fail(ExecBroken{"the server speaks \"" + std::string(protocol) + "\" and not " +
                             std::string(kExecProtocol) + ": Kubernetes 1.30 or newer is needed"});
    open_ = true;
    heard_ = progress_ = Clock::now();
    tell_.open();
    watch_peer();
    stream_.next_layer().on_failed_write([this] { read_the_rest(); });
    read();
    if (!out_.empty()) write_next();
  }

  // ---- reading

  void read() {
    stream_.async_read(in_, step([this](std::size_t) { take(); }, TransportFailure::Cut));
  }

  void take() {
    heard_ = Clock::now();
    const auto data = in_.data();
    const auto frame = decode_exec_frame({static_cast<const char*>(data.data()), data.size()});
    if (!frame) return fail(ExecBroken{frame.error().message});
    if (frame->channel == ExecChannel::Error && !frame->data.empty()) return command_ended(frame->data);
    if (frame->channel != ExecChannel::Close && !frame->data.empty()) deliver(*frame);
    in_.consume(in_.size());
    if (unread_ > options_.most_unread) {
      paused_ = true;
    } else {
      read();
    }
  }

  void deliver(const ExecFrame& frame) {
    unread_ += frame.data.size();
    tell_.data(frame.channel, std::string(frame.data));
  }

  void command_ended(std::string_view status) {
    auto exit = decode_exec_status(status);
    finish(exit ? ExecOutcome(*exit) : std::unexpected(ExecFailure(exit.error())));
  }

  // ---- writing: one frame under way, the rest waits

  void write_next() {
    writing_ = true;
    Piece& piece = out_.front();
    const std::size_t size = std::min(kFrame, piece.data.size() - piece.sent);
    head_ = static_cast<char>(piece.channel);
    const std::array<net::const_buffer, 2> frame{net::buffer(&head_, 1),
                                                 net::buffer(piece.data.data() + piece.sent, size)};
    piece.sent += size;
    stream_.async_write(frame, step([this](std::size_t) { wrote(); }, TransportFailure::Cut));
  }

  void wrote() {
    writing_ = false;
    progress_ = Clock::now();
    if (out_.front().sent == out_.front().data.size()) {
      out_.pop_front();
      tell_.written(1);
    }
    if (!out_.empty()) write_next();
  }

  // ---- time

  void within(Millis limit, const char* doing) {
    timer_.expires_after(limit);
    timer_.async_wait([self = shared_from_this(), doing](ErrorCode error) {
      if (!error && !self->ended_) self->fail(TransportError{TransportFailure::Timeout, doing});
    });
  }

  void watch_peer() {
    timer_.expires_after(options_.ping);
    timer_.async_wait([self = shared_from_this()](ErrorCode error) {
      if (!error && !self->ended_) self->check_peer();
    });
  }

  void check_peer() {
    const auto now = Clock::now();
    const bool silent =
        !paused_ && now - std::max(heard_, progress_) > (writing_ ? options_.stuck : options_.silence);
    if (silent) return fail(TransportError{TransportFailure::Cut, "the server has fallen silent"});
    if (!pinging_) {
      pinging_ = true;
      stream_.async_ping({}, [self = shared_from_this()](ErrorCode) { self->pinging_ = false; });
    }
    watch_peer();
  }

  // Nothing more can be sent: what the server has said already is read, and that must not take long.
  void read_the_rest() {
    timer_.expires_after(std::chrono::seconds(2));
    timer_.async_wait([self = shared_from_this()](ErrorCode error) {
      if (error || self->ended_) return;
      if (self->paused_) return self->read_the_rest();
      self->fail(TransportError{TransportFailure::Cut, "writing failed"});
    });
  }

  // ---- the end

  template <typename Why>
  void fail(Why why) {
    if (std::exchange(ended_, true)) return;
    tell_.end(std::unexpected(ExecFailure(std::move(why))));
    drop();
  }

  // The command has ended: the loop knows at once, and the server gets a second for a proper goodbye.
  void finish(ExecOutcome outcome) {
    ended_ = true;
    tell_.end(std::move(outcome));
    timer_.expires_after(std::chrono::seconds(1));
    timer_.async_wait([self = shared_from_this()](ErrorCode) { self->drop(); });
    stream_.async_close(websocket::close_code::normal,
                        [self = shared_from_this()](ErrorCode) { self->timer_.cancel(); });
  }

  // Closing the socket completes whatever is under way; the handlers see `ended_` and let go.
  void drop() {
    timer_.cancel();
    resolver_.cancel();
    beast::get_lowest_layer(stream_).close();
    stream_.next_layer().release();
    ticket_.reset();
  }

  const ServerUrl server_;
  const ExecOptions options_;
  const std::string target_;
  const Headers headers_;
  const std::shared_ptr<net::ssl::context> context_;
  const std::shared_ptr<const TlsIdentity> identity_;
  const Tell tell_;
  IoTickets::Ticket ticket_;

  tcp::resolver resolver_;
  websocket::stream<PatientTls, false> stream_;
  net::steady_timer timer_;
  websocket::response_type answer_;
  beast::flat_buffer in_;
  std::deque<Piece> out_;
  char head_ = 0;
  std::size_t unread_ = 0;
  Clock::time_point heard_, progress_;
  bool open_ = false, writing_ = false, paused_ = false, pinging_ = false, ended_ = false;
};

}  // namespace

struct ExecClient::Io {
  explicit Io(Loop& loop) : gate(std::make_shared<LoopGate>(loop)) {}
  std::shared_ptr<LoopGate> gate;
  IoTickets tickets;
  std::shared_ptr<net::ssl::context> context;
  std::vector<std::weak_ptr<Connection>> connections;
};

// The loop's side. The state is shared with callbacks that run, so that an event may destroy the session.
class ExecClient::Session : public ExecSession {
 public:
  struct State {
    ExecEvents events;
    std::deque<Callback> written;
    std::weak_ptr<Connection> connection;
    bool alive = true;

    // What has come and waits for its turn, and how much of it has had this one.
    const Loop& loop;
    const std::size_t report;         // the connection hears of what is handled when it is more than this
    std::function<void()> come_back;  // on the next turn
    std::deque<std::pair<ExecChannel, std::string>> inbox;
    std::optional<ExecOutcome> outcome;
    Instant turn{};
    std::size_t share = 0, handled = 0;
    bool coming_back = false;
  };

  explicit Session(std::shared_ptr<State> state, std::shared_ptr<Connection> connection)
      : state_(std::move(state)), connection_(std::move(connection)) {}

  ~Session() override {
    state_->alive = false;
    post_io([connection = std::move(connection_)] { connection->cancel(); });
  }

  void write(std::string bytes, Callback written) override {
    state_->written.push_back(std::move(written));
    connection_->write(ExecChannel::Stdin, std::move(bytes));
  }

  void close_stdin() override {
    state_->written.emplace_back();
    connection_->write(ExecChannel::Close, std::string(1, static_cast<char>(ExecChannel::Stdin)));
  }

  static void written(State& state, std::size_t count) {
    for (; count > 0 && state.alive && !state.written.empty(); --count) {
      Callback callback = std::move(state.written.front());
      state.written.pop_front();
      if (callback) callback();
    }
  }

  static void data(State& state, ExecChannel channel, std::string bytes) {
    state.inbox.emplace_back(channel, std::move(bytes));
    if (!state.coming_back) take(state);
  }

  static void end(State& state, ExecOutcome outcome) {
    state.outcome = std::move(outcome);
    if (!state.coming_back) take(state);
  }

  static void resume(State& state) {
    state.coming_back = false;
    take(state);
  }

  // A container that floods its output keeps neither other sessions nor the rest of the loop waiting.
  static void take(State& state) {
    if (const Instant now = state.loop.now(); std::exchange(state.turn, now) != now) state.share = 0;
    while (state.alive && !state.inbox.empty()) {
      if (state.share >= kShare) {
        state.coming_back = true;
        return state.come_back();
      }
      auto [channel, bytes] = std::move(state.inbox.front());
      state.inbox.pop_front();
      const std::size_t size = bytes.size();
      state.share += size;
      const auto& event = channel == ExecChannel::Stdout ? state.events.on_stdout : state.events.on_stderr;
      if (event) event(std::move(bytes));
      state.handled += size;
      if (state.handled <= state.report) continue;
      const std::size_t handled = std::exchange(state.handled, 0);
      if (const auto connection = state.connection.lock()) connection->handled(handled);
    }
    if (!state.alive || !state.outcome) return;
    if (state.events.on_end) state.events.on_end(*std::exchange(state.outcome, std::nullopt));
  }

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<Connection> connection_;
};

ExecClient::ExecClient(Loop& loop, ServerUrl server, ExecOptions options)
    : loop_(loop), server_(std::move(server)), options_(options), io_(std::make_shared<Io>(loop)) {}

ExecClient::~ExecClient() {
  io_->gate->close();
  for (const auto& weak : io_->connections)
    post_io([weak] {
      if (const auto connection = weak.lock()) connection->cancel();
    });
  io_->tickets.wait(Millis(2000));
}

void ExecClient::use(std::shared_ptr<const TlsIdentity> identity) {
  if (identity == identity_) return;
  identity_ = std::move(identity);
  io_->context = std::make_shared<net::ssl::context>(net::ssl::context::tls_client);
  identity_->apply(io_->context->native_handle());
}

std::unique_ptr<ExecSession> ExecClient::open(std::string target, Headers headers, ExecEvents events) {
  auto state = std::make_shared<Session::State>(
      Session::State{.events = std::move(events), .loop = loop_, .report = options_.most_unread / 4});
  const std::weak_ptr<Session::State> weak = state;
  const auto gate = io_->gate;
  // Posts `work(state, ...)` on the loop, where it runs if the session is still there.
  auto tell = [weak, gate](auto work, auto... what) {
    gate->post([weak, work, ... what = std::move(what)]() mutable {
      if (const auto state = weak.lock(); state && state->alive) work(*state, std::move(what)...);
    });
  };
  state->come_back = [tell] { tell(&Session::resume); };
  Tell to_loop;
  to_loop.open = [tell] {
    tell([](Session::State& s) {
      if (s.events.on_open) s.events.on_open();
    });
  };
  to_loop.written = [tell](std::size_t count) { tell(&Session::written, count); };
  to_loop.data = [tell](ExecChannel channel, std::string bytes) {
    tell(&Session::data, channel, std::move(bytes));
  };
  to_loop.end = [tell](ExecOutcome outcome) { tell(&Session::end, std::move(outcome)); };

  auto connection =
      std::make_shared<Connection>(server_, options_, std::move(target), std::move(headers), io_->context,
                                   identity_, std::move(to_loop), io_->tickets.take());
  state->connection = connection;
  std::erase_if(io_->connections, [](const auto& old) { return old.expired(); });
  io_->connections.push_back(connection);
  post_io([connection] { connection->start(); });
  return std::make_unique<Session>(std::move(state), std::move(connection));
}

}  // namespace live_update
