#include "test/wire/tls_server.h"

#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "core/cluster/exec_protocol.h"

namespace live_update {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = net::ip::tcp;
using Tls = net::ssl::stream<tcp::socket&>;

SeenRequest seen(const http::request<http::string_body>& request) {
  SeenRequest out{std::string(request.method_string()), std::string(request.target()), request.body(), {}};
  for (const auto& field : request) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.headers[name] += (out.headers[name].empty() ? "" : ",") + std::string(field.value());
  }
  return out;
}

class TlsPeer : public Peer {
 public:
  TlsPeer(tcp::socket& socket, net::ssl::context& context) : socket_(socket), tls_(socket, context) {}

  void handshake() { tls_.handshake(net::ssl::stream_base::server); }

  SeenRequest read_request() override {
    http::request_parser<http::string_body> parser;
    parser.body_limit(std::uint64_t{1} << 30);
    http::read(tls_, buffer_, parser);
    return seen(parser.get());
  }
  void send(const std::string& raw) override { net::write(tls_, net::buffer(raw)); }
  void reset() override {
    socket_.set_option(net::socket_base::linger(true, 0));
    socket_.close();
  }
  std::string client_name() override {
    X509* certificate = SSL_get_peer_certificate(tls_.native_handle());
    if (!certificate) return {};
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    return name;
  }

  SeenRequest accept(const std::string& subprotocol) override {
    http::request<http::string_body> request;
    http::read(tls_, buffer_, request);
    websocket_.emplace(tls_);
    websocket_->set_option(
        beast::websocket::stream_base::decorator([subprotocol](beast::websocket::response_type& response) {
          if (!subprotocol.empty()) response.set(http::field::sec_websocket_protocol, subprotocol);
        }));
    websocket_->binary(true);
    websocket_->read_message_max(0);
    websocket_->accept(request);
    return seen(request);
  }
  std::string read_message() override {
    beast::flat_buffer message;
    websocket_->read(message);
    return beast::buffers_to_string(message.data());
  }
  void send_message(const std::string& message) override { websocket_->write(net::buffer(message)); }
  void close_websocket() override { websocket_->close(beast::websocket::close_code::normal); }

 private:
  tcp::socket& socket_;
  Tls tls_;
  beast::flat_buffer buffer_;
  std::optional<beast::websocket::stream<Tls&>> websocket_;
};

}  // namespace

void Peer::respond(int status, const std::string& body, const std::string& more_headers) {
  send("HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Type: application/json\r\nContent-Length: " +
       std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body);
}

void Peer::begin_chunks(int status) {
  send("HTTP/1.1 " + std::to_string(status) +
       " x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void Peer::send_chunk(const std::string& data) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  send(size + data + "\r\n");
}

void Peer::send_exit(int code) {
  const std::string failure =
      R"({"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":")" +
      std::to_string(code) + "\"}]}}";
  send_message(
      encode_exec_frame(ExecChannel::Error, code == 0 ? R"({"metadata":{},"status":"Success"})" : failure));
}

struct TlsServer::Impl {
  Options options;
  net::io_context io;
  net::ssl::context context{net::ssl::context::tls_server};
  tcp::acceptor acceptor{io};
  std::mutex mutex;  // guards the sockets and threads
  bool stopping = false;
  std::vector<std::unique_ptr<tcp::socket>> sockets;
  std::vector<std::thread> threads;

  void use(const KeyPair& identity) {
    context.use_certificate_chain(net::buffer(identity.certificate));
    context.use_private_key(net::buffer(identity.key), net::ssl::context::pem);
    if (options.client_ca.empty()) return;
    context.add_certificate_authority(net::buffer(options.client_ca));
    context.set_verify_mode(net::ssl::verify_peer);
  }
  void listen() {
    const tcp::endpoint endpoint(net::ip::make_address(options.address), 0);
    acceptor.open(endpoint.protocol());
    if (options.receive_buffer > 0)
      acceptor.set_option(net::socket_base::receive_buffer_size(options.receive_buffer));
    acceptor.bind(endpoint);
    acceptor.listen();
  }
};

TlsServer::TlsServer(KeyPair identity, Script script)
    : TlsServer(std::move(identity), Options{}, std::move(script)) {}

TlsServer::TlsServer(KeyPair identity, Options options, Script script)
    : impl_(std::make_unique<Impl>()), script_(std::move(script)) {
  impl_->options = std::move(options);
  impl_->use(identity);
  impl_->listen();
  acceptor_ = std::thread([this] { accept_all(); });
}

TlsServer::~TlsServer() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    ::shutdown(impl_->acceptor.native_handle(), SHUT_RDWR);
    for (const auto& socket : impl_->sockets) ::shutdown(socket->native_handle(), SHUT_RDWR);
  }
  acceptor_.join();
  for (auto& thread : impl_->threads) thread.join();
}

int TlsServer::port() const { return impl_->acceptor.local_endpoint().port(); }

std::string TlsServer::url() const {
  const bool ipv6 = impl_->options.address.find(':') != std::string::npos;
  return "https://" + (ipv6 ? "[" + impl_->options.address + "]" : impl_->options.address) + ":" +
         std::to_string(port());
}

void TlsServer::accept_all() {
  for (;;) {
    auto socket = std::make_unique<tcp::socket>(impl_->io);
    beast::error_code error;
    impl_->acceptor.accept(*socket, error);
    std::lock_guard lock(impl_->mutex);
    if (error || impl_->stopping) return;
    socket->set_option(tcp::no_delay(true));
    ++connections_;
    impl_->sockets.push_back(std::move(socket));
    impl_->threads.emplace_back([this, number = impl_->sockets.size() - 1] { serve(number); });
  }
}

void TlsServer::serve(std::size_t number) {
  tcp::socket* socket = nullptr;
  {
    std::lock_guard lock(impl_->mutex);
    socket = impl_->sockets[number].get();
  }
  try {
    if (!impl_->options.tls) {
      char byte;
      for (;;) socket->read_some(net::buffer(&byte, 1));
    }
    TlsPeer peer(*socket, impl_->context);
    peer.handshake();
    script_(peer);
  } catch (const std::exception&) {  // cut, by either side
  }
  ::shutdown(socket->native_handle(), SHUT_RDWR);
}

}  // namespace live_update
