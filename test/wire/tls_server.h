// An API server on loopback that behaves as badly as a test wants: TLS, HTTP/1.1, WebSocket; one thread for
// each connection.
//
// A test gives a script (a function) that is run with each new connection once its TLS handshake is done.
// Everything blocks; a connection that is cut makes the calls throw, which ends the script. The destructor
// cuts all connections and joins the threads.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test/wire/pki.h"

namespace live_update {

struct SeenRequest {
  std::string method, target, body;
  std::map<std::string, std::string> headers;  // names in lower case
};

// The server's end of one connection.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual SeenRequest read_request() = 0;
  virtual void send(const std::string& raw) = 0;
  virtual void reset() = 0;               // cuts TCP without a word
  virtual std::string client_name() = 0;  // common name of the client's certificate, or empty

  void respond(int status, const std::string& body, const std::string& more_headers = {});
  void begin_chunks(int status = 200);
  void send_chunk(const std::string& data);
  void end_chunks() { send("0\r\n\r\n"); }

  // WebSocket, after `accept` with the subprotocol to answer with (empty: none).
  virtual SeenRequest accept(const std::string& subprotocol = "v5.channel.k8s.io") = 0;
  virtual std::string read_message() = 0;
  virtual void send_message(const std::string& message) = 0;
  virtual void close_websocket() = 0;
  void send_exit(int code);
};

class TlsServer {
 public:
  using Script = std::function<void(Peer&)>;
  struct Options {
    std::string address = "127.0.0.1";
    bool tls = true;          // false: accepts TCP and says nothing
    std::string client_ca{};  // asks for a client certificate
    int receive_buffer = 0;   // of the socket; small: the client soon has to wait
  };

  TlsServer(KeyPair identity, Script script);
  TlsServer(KeyPair identity, Options options, Script script);
  ~TlsServer();

  int port() const;
  std::string url() const;  // https://127.0.0.1:port
  int connections() const { return connections_; }

 private:
  struct Impl;
  void accept_all();
  void serve(std::size_t number);

  std::unique_ptr<Impl> impl_;
  Script script_;
  std::atomic<int> connections_{0};
  std::thread acceptor_;
};

}  // namespace live_update
