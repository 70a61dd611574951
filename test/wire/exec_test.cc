#include <fstream>
#include <semaphore>

#include "core/cluster/exec_protocol.h"
#include "kube/exec_client.h"
#include "run/uv_loop.h"
#include "test/wire/client_fixture.h"

namespace live_update {
namespace {

using namespace std::string_literals;

TEST_SUITE_BEGIN("exec");

const std::string kStdoutOf = "\1";

// A session that collects what comes, and stops the loop at its end.
struct Running {
  explicit Running(Client& client, std::vector<std::string> command = {"cat"}) : client(client) {
    ExecCallbacks callbacks;
    callbacks.on_open = [this] {
      opened = true;
      if (on_open) on_open();
    };
    callbacks.on_stdout = [this](std::string bytes) {
      out += bytes;
      if (on_out) on_out();
    };
    callbacks.on_stderr = [this](std::string bytes) { err += bytes; };
    callbacks.on_end = [this](Result<ExecExit> result) {
      CHECK_FALSE(end.has_value());
      end = std::move(result);
      this->client.loop.stop();
    };
    session = client.api->exec(
        {.ns = "shop", .pod = "web-1", .container = "web", .command = std::move(command), .stdin_open = true},
        std::move(callbacks));
  }
  Result<ExecExit> finish() {
    client.run();
    return end.value_or(fail(ErrorKind::Internal, "no end"));
  }
  Client& client;
  bool opened = false;
  std::string out, err;
  std::function<void()> on_open, on_out;
  std::optional<Result<ExecExit>> end;
  std::unique_ptr<ExecSession> session;
};

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  return 0;
}

// Under AddressSanitizer freed memory is kept for a while.
#ifdef __SANITIZE_ADDRESS__
constexpr long kMostGrowth = 300 * 1024;
#else
constexpr long kMostGrowth = 20 * 1024;
#endif

// The end of a server that behaves: it closes after the client. One that closes with bytes unread makes TCP
// throw away what it has sent and the client has not received yet.
void exit_and_wait(Peer& peer, int code) {
  peer.send_exit(code);
  for (;;) peer.read_message();  // until the client is gone
}

// As `cat` does: stdin to stdout until its end.
void cat(Peer& peer) {
  for (;;) {
    const std::string message = peer.read_message();
    if (message == encode_exec_close(ExecChannel::Stdin)) return exit_and_wait(peer, 0);
    peer.send_message(kStdoutOf + message.substr(1));
  }
}

TEST_CASE("a command gets stdin, gives stdout and stderr, and its exit code") {
  SeenRequest seen;
  TlsServer server(pki().server, [&](Peer& peer) {
    seen = peer.accept();
    peer.send_message("\1"s);
    peer.send_message("\2warning");
    peer.send_message("\1" + peer.read_message().substr(1));
    peer.send_exit(3);
  });
  Client client(server);
  Running running(client, {"sh", "-c", "cat; exit 3"});
  running.session->write("hello");
  CHECK(running.finish() == ExecExit{3});
  CHECK(running.opened);
  CHECK(running.out == "hello");
  CHECK(running.err == "warning");
  CHECK(seen.target ==
        "/api/v1/namespaces/shop/pods/web-1/"
        "exec?container=web&command=sh&command=-c&command=cat%3B%20exit%203&stdin=true&stdout=true&stderr="
        "true");
  CHECK(seen.headers["authorization"] == "Bearer secret");
  CHECK(seen.headers["sec-websocket-protocol"] == "v5.channel.k8s.io");
}

TEST_CASE("closing stdin ends the command, after everything written") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  Client client(server);
  Running running(client);
  running.session->write("a");
  running.session->close_stdin();
  CHECK(running.finish() == ExecExit{0});
  CHECK(running.out == "a");
}

TEST_CASE("a second session on an open client, and writes after opening") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  Client client(server);
  for (int i = 0; i < 2; ++i) {
    Running running(client);
    running.on_open = [&] { running.session->write("x"); };
    running.on_out = [&] { running.session->close_stdin(); };
    CHECK(running.finish() == ExecExit{0});
    CHECK(running.out == "x");
  }
}

// Endless bytes that no cut or swap of frames leaves alone: a period that is a multiple of no frame's size.
class Pattern {
 public:
  std::string_view at(std::size_t offset, std::size_t size) const {
    return std::string_view(bytes_).substr(offset % kPeriod, size);
  }

 private:
  static constexpr std::size_t kPeriod = 1'000'003, kMost = 1 << 20;
  std::string bytes_ = [] {
    std::string bytes(kPeriod + kMost, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>((i % kPeriod) * 7 + (i % kPeriod) / 4096);
    return bytes;
  }();
};

TEST_CASE("50 MB arrive whole, in both directions, with bounded memory") {
  constexpr std::size_t kPiece = 256 << 10, kTotal = 200 * kPiece;
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  // Pings all the while: they must not disturb what is being written.
  Client client(Client::config_for(server.url()), {.exec = {.ping = Millis(1), .silence = Millis(60'000)}});
  Running running(client);
  const Pattern pattern;
  const long before = resident_kib();
  std::size_t sent = 0, received = 0, under_way = 0, most = 0;
  bool equal = true;
  std::function<void()> fill = [&] {
    while (sent < kTotal && under_way < 2) {
      most = std::max(most, ++under_way);
      running.session->write(std::string(pattern.at(sent, kPiece)), [&] {
        --under_way;
        fill();
      });
      sent += kPiece;
      if (sent == kTotal) running.session->close_stdin();
    }
  };
  running.on_out = [&] {
    equal &= running.out == pattern.at(received, running.out.size());
    received += running.out.size();
    running.out.clear();
  };
  fill();
  const auto end = running.finish();
  CHECK_MESSAGE(end == ExecExit{0}, (end ? "" : end.error().message));
  CHECK(received == kTotal);
  CHECK(equal);
  CHECK(most == 2);
  CHECK(resident_kib() - before < kMostGrowth);
}

TEST_CASE("a slow reader: what is written waits, and says so") {
  std::binary_semaphore go_on(0);
  std::size_t got = 0;
  TlsServer server(pki().server, {.receive_buffer = 4096}, [&](Peer& peer) {
    peer.accept();
    go_on.acquire();
    for (;;) {
      const auto message = peer.read_message();
      if (message == encode_exec_close(ExecChannel::Stdin)) return exit_and_wait(peer, 0);
      got += message.size() - 1;
    }
  });
  Client client(server);
  Running running(client);
  int written = 0;
  Handle look;
  constexpr int kPieces = 400;
  running.on_open = [&] {
    for (int i = 0; i < kPieces; ++i) running.session->write(std::string(64 << 10, 'x'), [&] { ++written; });
    running.session->close_stdin();
    look = client.loop.after(Millis(300), [&] {
      CHECK(written < kPieces / 2);
      go_on.release();
    });
  };
  CHECK(running.finish() == ExecExit{0});
  CHECK(written == kPieces);
  CHECK(got == std::size_t{kPieces} * (64 << 10));
}

TEST_CASE("a busy loop: reading pauses, memory stays bounded, nothing is lost") {
  constexpr std::size_t kTotal = 64 << 20;
  std::atomic<std::size_t> sent{0};
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    const std::string message = kStdoutOf + std::string(32 << 10, 'y');
    for (; sent < kTotal; sent += message.size() - 1) peer.send_message(message);
    exit_and_wait(peer, 0);
  });
  Client client(server);
  Running running(client);
  std::size_t received = 0;
  bool blocked = false;
  running.on_out = [&] {
    received += running.out.size();
    running.out.clear();
    if (std::exchange(blocked, true)) return;
    ::usleep(200'000);
    CHECK(sent < kTotal / 2);
  };
  CHECK(running.finish() == ExecExit{0});
  CHECK(received == kTotal);
}

TEST_CASE("a session that floods its output has its share of each turn of the loop, and the end comes last") {
  constexpr std::size_t kTotal = 8 << 20;
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    const std::string message = kStdoutOf + std::string(32 << 10, 'y');
    for (std::size_t sent = 0; sent < kTotal; sent += message.size() - 1) peer.send_message(message);
    exit_and_wait(peer, 7);
  });
  Client client(server);
  Running running(client);
  std::size_t received = 0, share = 0, largest = 0;
  Instant turn{};
  running.on_out = [&] {
    if (received == 0) ::usleep(100'000);  // it gathers meanwhile
    if (std::exchange(turn, client.loop.now()) != client.loop.now()) share = 0;
    received += running.out.size();
    share += running.out.size();
    largest = std::max(largest, share);
    running.out.clear();
    CHECK_FALSE(running.end.has_value());
  };
  CHECK(running.finish() == ExecExit{7});
  CHECK(received == kTotal);
  CHECK(largest <= 128 << 10);
}

TEST_CASE("a command that ends without reading its input: its output and exit code still arrive") {
  TlsServer server(pki().server, {.receive_buffer = 4096}, [&](Peer& peer) {
    peer.accept();
    ::usleep(50'000);
    peer.send_message(kStdoutOf + std::string(10'000, 'o'));
    peer.send_exit(5);
    ::usleep(50'000);
    peer.reset();
  });
  Client client(server);
  Running running(client);
  running.on_open = [&] {
    running.session->write(std::string(4 << 20, 'i'));
    post_io([] { ::usleep(200'000); });  // so that the failing write is seen before the server's last words
  };
  const auto end = running.finish();
  CHECK_MESSAGE(end == ExecExit{5}, (end ? "" : end.error().message));
  CHECK(running.out.size() == 10'000);
}

TEST_CASE("another subprotocol, or none, is refused") {
  for (const char* protocol : {"v4.channel.k8s.io", ""}) {
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.accept(protocol);
      peer.read_message();
    });
    Client client(server);
    Running running(client);
    CHECK(running.finish().error() ==
          Error{ErrorKind::Internal, "exec cat in container web of pod shop/web-1: the server speaks \"" +
                                         std::string(protocol) +
                                         "\" and not v5.channel.k8s.io: Kubernetes 1.30 or newer is needed"});
    CHECK_FALSE(running.opened);
  }
}

TEST_CASE("a refused upgrade says why, from the Status in its body") {
  struct Case {
    int status;
    std::string body;
    ErrorKind kind;
    std::string part;
  };
  const Case cases[] = {
      {403,
       R"({"status":"Failure","reason":"Forbidden","message":"pods \"web-1\" is forbidden: User \"ada\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"shop\""})",
       ErrorKind::Forbidden,
       "\"ada\" may not exec cat in container web of pod shop/web-1: pods \"web-1\" is forbidden"},
      {403, "", ErrorKind::Internal, "Kubernetes 1.30 or newer is needed"},
      {404,
       R"({"status":"Failure","reason":"NotFound","message":"pods \"web-1\" not found","details":{"name":"web-1","kind":"pods"}})",
       ErrorKind::NotFound, "pods \"web-1\" not found"},
      {400,
       R"({"status":"Failure","reason":"BadRequest","message":"container web is not valid for pod web-1"})",
       ErrorKind::NotFound, "there is no such container"},
      {500,
       R"-({"status":"Failure","reason":"InternalError","message":"unable to upgrade connection: container not found (\"web\")"})-",
       ErrorKind::NotFound, "container not found"},
      {500, "error dialing backend", ErrorKind::Unavailable, "error dialing backend"},
      {302, "", ErrorKind::Invalid, "redirects elsewhere"},
      {200, "{}", ErrorKind::Invalid, ""},
  };
  for (const Case& one : cases) {
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.read_request();
      peer.respond(one.status, one.body);
    });
    Client client(server);
    Running running(client);
    const auto end = running.finish();
    REQUIRE_FALSE(end);
    CHECK_MESSAGE(end.error().kind == one.kind, end.error().message);
    CHECK_MESSAGE(end.error().message.find(one.part) != std::string::npos, end.error().message);
  }
}

TEST_CASE("an expired token is read again before the command starts; nothing written is lost") {
  TestFolder folder;
  std::atomic<int> refused{0};
  TlsServer server(pki().server, [&](Peer& peer) {
    if (refused == 0) {
      CHECK(peer.read_request().headers["authorization"] == "Bearer old");
      folder.write("token", "new");
      ++refused;
      return peer.respond(401, R"({"status":"Failure","message":"Unauthorized"})");
    }
    CHECK(peer.accept().headers["authorization"] == "Bearer new");
    cat(peer);
  });
  ClientConfig config = Client::config_for(server.url());
  config.token_file = folder.write("token", "old");
  Client client(config);
  Running running(client);
  running.session->write("kept");
  running.session->close_stdin();
  CHECK(running.finish() == ExecExit{0});
  CHECK(running.out == "kept");
}

TEST_CASE("the program is not there") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    peer.send_message(
        "\3"s +
        R"({"status":"Failure","reason":"InternalError","message":"Internal error occurred: exec failed: exec: \"tar\": executable file not found in $PATH: unknown","code":500})");
  });
  Client client(server);
  Running running(client, {"tar"});
  CHECK(running.finish().error() ==
        Error{ErrorKind::Invalid,
              "exec tar in container web of pod shop/web-1: the program cannot be started in the container: "
              "\"tar\": executable file not found in $PATH"});
}

TEST_CASE("a connection that ends without a Status: nothing is known of the command") {
  for (const bool politely : {false, true}) {
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.accept();
      peer.send_message(kStdoutOf + "partial");
      peer.read_message();
      politely ? peer.close_websocket() : peer.reset();
    });
    Client client(server);
    Running running(client);
    running.on_out = [&] { running.session->write("x"); };
    const auto end = running.finish();
    CHECK(end.error().kind == ErrorKind::Unavailable);
    CHECK(end.error().message.starts_with("exec cat in container web of pod shop/web-1: the connection to " +
                                          server.url() + " was cut"));
    CHECK(running.out == "partial");
  }
}

TEST_CASE("frames that make no sense end the session") {
  for (const std::string& message : {""s, "\0x"s, "\7x"s, "\xff"s, "\3no json"s}) {
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.accept();
      peer.send_message(message);
      peer.read_message();
    });
    Client client(server);
    Running running(client);
    CHECK(running.finish().error().kind == ErrorKind::Internal);
  }
}

TEST_CASE("a message that is too large ends the session") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    peer.send_message(kStdoutOf + std::string(200'000, 'x'));
    peer.read_message();
  });
  Client client(Client::config_for(server.url()), {.exec = {.longest_message = 100'000}});
  Running running(client);
  CHECK(running.finish().error().kind == ErrorKind::Unavailable);
}

TEST_CASE("a peer that fell silent is noticed") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    ::usleep(400'000);  // answers no ping
  });
  Client client(Client::config_for(server.url()), {.exec = {.ping = Millis(20), .silence = Millis(100)}});
  Running running(client);
  CHECK(running.finish().error() ==
        Error{ErrorKind::Unavailable, "exec cat in container web of pod shop/web-1: the connection to " +
                                          server.url() + " was cut (the server has fallen silent)"});
}

TEST_CASE("pongs keep an idle session alive") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  Client client(Client::config_for(server.url()), {.exec = {.ping = Millis(20), .silence = Millis(500)}});
  Running running(client);
  auto end = client.loop.after(Millis(800), [&] { running.session->close_stdin(); });
  CHECK(running.finish() == ExecExit{0});
}

TEST_CASE("a command that does not read its input is given more time, but not for ever") {
  TlsServer server(pki().server, {.receive_buffer = 4096}, [&](Peer& peer) {
    peer.accept();
    ::usleep(1'600'000);
  });
  Client client(Client::config_for(server.url()),
                {.exec = {.ping = Millis(20), .silence = Millis(400), .stuck = Millis(1000)}});
  Running running(client);
  std::chrono::steady_clock::time_point opened;
  running.on_open = [&] {
    opened = std::chrono::steady_clock::now();
    running.session->write(std::string(16 << 20, 'x'));
  };
  CHECK(running.finish().error().message.find("fallen silent") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - opened > Millis(1000));
}

TEST_CASE("deadlines: no TLS, no answer to the upgrade, nobody there") {
  TlsServer mute(pki().server, {.tls = false}, {});
  TlsServer deaf(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.read_request();
  });
  const ApiServerOptions no_tls{.exec = {.connect = Millis(80)}};
  const ApiServerOptions no_answer{.exec = {.upgrade = Millis(80)}};
  Client to_mute(Client::config_for(mute.url()), no_tls);
  Running first(to_mute);
  CHECK(first.finish().error().message.find("in time (connecting)") != std::string::npos);
  Client to_deaf(Client::config_for(deaf.url()), no_answer);
  Running second(to_deaf);
  CHECK(second.finish().error().message.find("in time (waiting for the command to start)") !=
        std::string::npos);
  Client to_nobody(Client::config_for("https://127.0.0.1:1"));
  Running third(to_nobody);
  CHECK(third.finish().error() ==
        Error{ErrorKind::Unavailable,
              "exec cat in container web of pod shop/web-1: no connection to https://127.0.0.1:1 (Connection "
              "refused): is the cluster running? check --context (now dev)"});
}

TEST_CASE("certificates are checked as for requests") {
  TlsServer server(issue(pki().authority, {"x", {"DNS:kubernetes"}}), [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  Client refused(server);
  Running first(refused);
  CHECK(first.finish().error().message.find(
            "is for DNS:kubernetes, not for 127.0.0.1: set tls-server-name") != std::string::npos);
  ClientConfig config = Client::config_for(server.url());
  config.tls_server_name = "kubernetes";
  Client client(config);
  Running second(client);
  second.session->close_stdin();
  CHECK(second.finish() == ExecExit{0});
}

TEST_CASE("IPv6") {
  TlsServer server(pki().server, {.address = "::1"}, [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  UvLoop loop;
  const LoopIo io(loop);
  ExecClient client(loop, *parse_server_url(server.url()));
  client.use(
      *TlsIdentity::make({.ca = pki().authority.certificate, .server_name = "::1"}, loop.wall_clock()));
  std::optional<ExecOutcome> end;
  auto session = client.open("/exec", {}, {.on_end = [&](ExecOutcome outcome) {
                               end = std::move(outcome);
                               loop.stop();
                             }});
  session->close_stdin();
  auto guard = loop.after(Millis(5000), [&] { loop.stop(); });
  loop.run();
  REQUIRE(end);
  CHECK(end->has_value());
}

TEST_CASE("cancelled in every state: no callback, and the server sees the end") {
  // 0: at once, 1: in the TLS handshake, 2: waiting for the upgrade, 3: open and idle, 4: in the middle of a
  // write
  for (const int state : {0, 1, 2, 3, 4}) {
    std::atomic<bool> reached{false}, gone{false};
    TlsServer mute(pki().server, {.tls = false}, {});
    TlsServer server(pki().server, {.receive_buffer = 4096}, [&](Peer& peer) {
      try {
        if (state == 2) {
          peer.read_request();
          reached = true;
          peer.read_request();
        }
        peer.accept();
        if (state == 4) ::usleep(50'000);
        for (;;) peer.read_message();
      } catch (const std::exception&) {
        gone = true;
        throw;
      }
    });
    Client client(Client::config_for(state == 1 ? mute.url() : server.url()));
    auto running = std::make_unique<Running>(client);
    running->on_open = [&] {
      if (state == 4) running->session->write(std::string(8 << 20, 'x'));
      reached = true;
    };
    auto poll = client.loop.every(Millis(1), [&] {
      if (state == 0 || (state == 1 && mute.connections() > 0) || reached) client.loop.stop();
    });
    client.run();
    poll.reset();
    running->session.reset();
    CHECK_FALSE(running->end.has_value());
    running.reset();
    if (state < 2) continue;
    auto until_gone = client.loop.every(Millis(1), [&] {
      if (gone) client.loop.stop();
    });
    client.run();
    CHECK(gone);
  }
}

TEST_CASE("a session may be destroyed in each of its own callbacks") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    peer.send_message("\1out");
    peer.send_exit(0);
  });
  for (const int in : {0, 1, 2}) {
    Client client(server);
    std::unique_ptr<ExecSession> session;
    int calls = 0;
    auto drop = [&](int which) {
      ++calls;
      if (which != in) return;
      session.reset();
      client.loop.stop();
    };
    ExecCallbacks callbacks;
    callbacks.on_open = [&] { drop(0); };
    callbacks.on_stdout = [&](std::string) { drop(1); };
    callbacks.on_end = [&](Result<ExecExit>) { drop(2); };
    session = client.api->exec({.ns = "a", .pod = "b", .command = {"x"}}, std::move(callbacks));
    client.run();
    CHECK(calls == in + 1);
  }
}

TEST_CASE("sessions outlive the client in silence") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  Client client(server);
  Running running(client);
  running.on_open = [&] { client.loop.stop(); };
  client.run();
  client.api.reset();
  running.session->write("x");
  running.session.reset();
  CHECK_FALSE(running.end.has_value());
}

TEST_CASE("twenty sessions at once") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.accept();
    cat(peer);
  });
  Client client(server);
  int ended = 0;
  std::vector<std::unique_ptr<ExecSession>> sessions;
  for (int i = 0; i < 20; ++i) {
    ExecCallbacks callbacks;
    callbacks.on_end = [&](Result<ExecExit> result) {
      CHECK(result == ExecExit{0});
      if (++ended == 20) client.loop.stop();
    };
    sessions.push_back(client.api->exec({.ns = "a", .pod = "b", .command = {"cat"}, .stdin_open = true},
                                        std::move(callbacks)));
    sessions.back()->write(std::string(100'000, 'z'));
    sessions.back()->close_stdin();
  }
  client.run();
  CHECK(ended == 20);
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
