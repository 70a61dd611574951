#include <semaphore>

#include "test/wire/client_fixture.h"

namespace live_update {
namespace {

TEST_SUITE_BEGIN("watch");

const Request kWatch{.path = "/api/v1/namespaces/shop/pods",
                     .query = {{"watch", "true"}, {"allowWatchBookmarks", "true"}}};

// A watch that collects lines, and stops the loop at its end.
struct Watching {
  explicit Watching(Client& client, Request request = kWatch) : client(client) {
    handle = client.api->watch(
        std::move(request),
        [this](std::string line) {
          lines.push_back(std::move(line));
          if (on_line) on_line();
        },
        [this](Result<> result) {
          end = std::move(result);
          this->client.loop.stop();
        });
  }
  Result<> finish() {
    client.run();
    return end.value_or(fail(ErrorKind::Internal, "no end"));
  }
  Client& client;
  std::vector<std::string> lines;
  std::function<void()> on_line;
  std::optional<Result<>> end;
  Handle handle;
};

TEST_CASE("each event arrives at once, before the next one is sent") {
  std::counting_semaphore<> arrived(0);
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.begin_chunks();
    for (int i = 0; i < 3; ++i) {
      peer.send_chunk("{\"event\":" + std::to_string(i) + "}\n");
      arrived.acquire();
    }
    peer.end_chunks();
  });
  Client client(server);
  Watching watching(client);
  watching.on_line = [&] { arrived.release(); };
  CHECK(watching.finish());
  CHECK(watching.lines == std::vector<std::string>{"{\"event\":0}", "{\"event\":1}", "{\"event\":2}"});
}

TEST_CASE("that a watch was accepted is known before there is anything to say; a refused one was not") {
  for (const bool accepts : {true, false}) {
    std::counting_semaphore<> begun(0);
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.read_request();
      if (!accepts) return peer.respond(503, "{}");
      peer.begin_chunks();
      begun.acquire();
      peer.end_chunks();
    });
    Client client(server);
    int times = 0;
    Request request = kWatch;
    request.on_begun = [&] { ++times, begun.release(); };
    Watching watching(client, std::move(request));
    CHECK(watching.finish().has_value() == accepts);
    CHECK(times == (accepts ? 1 : 0));
    CHECK(watching.lines.empty());
  }
}

TEST_CASE("lines in pieces, several in one piece, empty ones, and one of a megabyte") {
  const std::string large(1 << 20, 'x');
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.begin_chunks();
    for (const char* piece : {"{\"a", "\":1}", "\n{}\r\n\n", "[]\n[1]\n"}) peer.send_chunk(piece);
    peer.send_chunk(large + "\n");
    peer.end_chunks();
  });
  Client client(server);
  Watching watching(client);
  CHECK(watching.finish());
  CHECK(watching.lines == std::vector<std::string>{"{\"a\":1}", "{}", "[]", "[1]", large});
}

TEST_CASE("a line that does not end is refused: memory stays bounded") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.begin_chunks();
    for (;;) peer.send_chunk(std::string(10'000, 'x'));
  });
  Client client(Client::config_for(server.url()), {.longest_line = 100'000});
  Watching watching(client);
  CHECK(watching.finish().error() ==
        Error{ErrorKind::TooLarge,
              "watch pods in namespace shop: a line of the answer is longer than 100000 bytes"});
}

TEST_CASE("a cut watch is an error that can be retried; its lines stay delivered") {
  for (const bool in_line : {false, true}) {
    TlsServer server(pki().server, [&](Peer& peer) {
      peer.read_request();
      peer.begin_chunks();
      peer.send_chunk("{}\n");
      if (in_line) peer.send_chunk("{\"cut");
      ::usleep(20'000);
      peer.reset();
    });
    Client client(server);
    Watching watching(client);
    const auto end = watching.finish();
    CHECK(end.error() == Error{ErrorKind::Unavailable, "watch pods in namespace shop: the connection to " +
                                                           server.url() + " was cut"});
    CHECK(watching.lines == std::vector<std::string>{"{}"});
    CHECK(server.connections() == 1);
  }
}

TEST_CASE("an idle watch ends as if the server had ended it") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.begin_chunks();
    peer.send_chunk("{}\n");
    peer.read_request();
  });
  Client client(Client::config_for(server.url()), {.watch = {.idle = Millis(500)}});
  Watching watching(client);
  CHECK(watching.finish());
  CHECK(watching.lines.size() == 1);
}

TEST_CASE("a watch that never begins is a timeout") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.read_request();
  });
  Client client(server);
  Request request = kWatch;
  request.deadline = Millis(100);
  Watching watching(client, request);
  CHECK(watching.finish().error().kind == ErrorKind::Timeout);
}

TEST_CASE("the deadline is for the beginning only") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.begin_chunks();
    for (int i = 0; i < 20; ++i) {
      peer.send_chunk("{}\n");
      ::usleep(30'000);
    }
    peer.end_chunks();
  });
  Client client(server);
  Request request = kWatch;
  request.deadline = Millis(500);
  Watching watching(client, request);
  CHECK(watching.finish());
  CHECK(watching.lines.size() == 20);
}

TEST_CASE("410 is Gone, and other refusals are classified too") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.respond(
        410,
        R"-({"kind":"Status","status":"Failure","reason":"Expired","message":"too old resource version: 1 (9)","code":410})-");
  });
  Client client(server);
  Watching watching(client);
  CHECK(watching.finish().error() ==
        Error{ErrorKind::Gone, "watch pods in namespace shop: too old resource version: 1 (9)"});
  CHECK(watching.lines.empty());
}

TEST_CASE("401 on a watch reads the token again") {
  TestFolder folder;
  TlsServer server(pki().server, [&](Peer& peer) {
    for (;;) {
      if (peer.read_request().headers["authorization"] != "Bearer new") {
        folder.write("token", "new");
        peer.respond(401, "");
        continue;
      }
      peer.begin_chunks();
      peer.send_chunk("{}\n");
      peer.end_chunks();
    }
  });
  ClientConfig config = Client::config_for(server.url());
  config.token_file = folder.write("token", "old");
  Client client(config);
  Watching watching(client);
  CHECK(watching.finish());
  CHECK(watching.lines.size() == 1);
}

TEST_CASE("a cancelled watch lets go of its connection") {
  std::binary_semaphore cut(0);
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.begin_chunks();
    try {
      for (;;) {
        peer.send_chunk("{}\n");
        ::usleep(2000);
      }
    } catch (const std::exception&) {
      cut.release();
      throw;
    }
  });
  Client client(server);
  Watching watching(client);
  watching.on_line = [&] {
    if (watching.lines.size() == 3) client.loop.stop();
  };
  client.run();
  watching.handle.reset();
  const Handle look = client.loop.every(Millis(1), [&] {
    if (cut.try_acquire()) client.loop.stop();
  });
  client.run();  // fails if nobody stops it
}

TEST_CASE("a line may end its own watch: nothing follows") {
  TlsServer server(pki().server, [&](Peer& peer) {
    peer.read_request();
    peer.begin_chunks();
    peer.send_chunk("1\n2\n3\n");
    peer.send_chunk("4\n");
    peer.end_chunks();
  });
  Client client(server);
  Watching watching(client);
  Handle later;
  watching.on_line = [&] {
    watching.handle.reset();
    later = client.loop.after(Millis(30), [&] { client.loop.stop(); });
  };
  client.run();
  CHECK(watching.lines == std::vector<std::string>{"1"});
  CHECK_FALSE(watching.end.has_value());
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
