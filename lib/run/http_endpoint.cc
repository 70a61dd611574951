#include "run/http_endpoint.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <optional>
#include <thread>
#include <vector>

namespace live_update {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestRequest = 8 * 1024;
constexpr int kBacklog = 512;

std::string reason_of(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

std::string text_of(const HttpEndpoint::Answer& answer) {
  return "HTTP/1.1 " + std::to_string(answer.code) + " " + reason_of(answer.code) +
         "\r\nContent-Type: " + answer.type + "\r\nContent-Length: " + std::to_string(answer.body.size()) +
         "\r\nConnection: close\r\n\r\n" + answer.body;
}

HttpEndpoint::Answer answer_to(std::string_view request, const HttpEndpoint::Pages& pages) {
  const std::string_view line = request.substr(0, request.find("\r\n"));
  const std::size_t method = line.find(' '), version = line.rfind(' ');
  if (method == line.npos || version <= method) return {400, "this is no HTTP request\n"};
  if (line.substr(0, method) != "GET") return {405, "only GET is answered\n"};
  std::string_view path = line.substr(method + 1, version - method - 1);
  path = path.substr(0, path.find('?'));
  const auto page = pages.find(path);
  return page == pages.end() ? HttpEndpoint::Answer{404, "there is no such page\n"} : page->second();
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// What getaddrinfo finds for ":8080" or "127.0.0.1:8080", IPv6 first: such a socket takes IPv4, too.
std::vector<addrinfo> addresses(const std::string& host, const std::string& port, addrinfo*& owner) {
  addrinfo wish{};
  wish.ai_socktype = SOCK_STREAM;
  wish.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  std::vector<addrinfo> all;
  if (getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &wish, &owner) != 0) return all;
  for (const addrinfo* it = owner; it; it = it->ai_next) all.push_back(*it);
  std::ranges::stable_sort(all, std::ranges::greater{},
                           [](const auto& it) { return it.ai_family == AF_INET6; });
  return all;
}

Result<Socket> listener_at(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon == address.npos ? 0 : colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo* owner = nullptr;
  std::string why = "this is no address";
  const int on = 1, off = 0;
  std::optional<Socket> made;
  for (const addrinfo& it : addresses(host, address.substr(colon + 1), owner)) {
    Socket socket(::socket(it.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (it.ai_family == AF_INET6) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(socket.get(), it.ai_addr, it.ai_addrlen) == 0 && ::listen(socket.get(), kBacklog) == 0) {
      made = std::move(socket);
      break;
    }
    why = std::strerror(errno);
  }
  if (owner) freeaddrinfo(owner);
  if (made) return std::move(*made);
  return fail(ErrorKind::Io, "cannot listen on " + address + " for probes and metrics: " + why +
                                 "; choose another --listen or --probes");
}

}  // namespace

struct HttpEndpoint::Impl {
  struct Connection {
    Socket socket;
    Clock::time_point due;
    std::string request, answer;
    std::size_t sent = 0;
    bool over = false;
  };

  Impl(Socket at, Pages all, Limits bounds)
      : listener(std::move(at)), pages(std::move(all)), limits(bounds), thread([this] { serve(); }) {}
  ~Impl() {
    const std::uint64_t one = 1;
    (void)!write(wake.get(), &one, sizeof one);
    thread.join();
  }

  void serve() {
    for (;;) {
      std::vector<pollfd> polls{{wake.get(), POLLIN, 0}, {listener.get(), POLLIN, 0}};
      for (const auto& it : connections)
        polls.push_back({it.socket.get(), static_cast<short>(it.answer.empty() ? POLLIN : POLLOUT), 0});
      poll(polls.data(), polls.size(), wait());
      if (polls[0].revents) return;
      std::size_t at = 2;
      for (auto& it : connections)
        if (polls[at++].revents) it.answer.empty() ? read(it) : write_on(it);
      const auto now = Clock::now();
      std::erase_if(connections, [&](const auto& it) { return it.over || it.due <= now; });
      if (polls[1].revents) accept_all();
    }
  }

  int wait() const {
    if (connections.empty()) return -1;
    const auto first = std::ranges::min_element(connections, {}, &Connection::due)->due;
    return static_cast<int>(
        std::max<Millis::rep>(0, std::chrono::ceil<Millis>(first - Clock::now()).count()));
  }

  // As many as there is room for: then those that wait are looked at, too.
  void accept_all() {
    for (std::size_t i = 0; i < limits.connections; ++i) {
      Socket socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.get() < 0) {
        if (errno == EMFILE || errno == ENFILE) make_room();
        return;
      }
      if (connections.size() >= limits.connections) connections.pop_front();
      connections.push_back({std::move(socket), Clock::now() + limits.patience});
    }
  }

  // The process has no descriptor left.
  void make_room() {
    if (!connections.empty()) return connections.pop_front();
    poll(nullptr, 0, 10);
  }

  void read(Connection& it) {
    char block[2048];
    const auto got = ::read(it.socket.get(), block, sizeof block);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    it.over = got <= 0 || it.request.size() > kLongestRequest;
    if (it.over) return;
    it.request.append(block, static_cast<std::size_t>(got));
    if (it.request.find("\r\n\r\n") == it.request.npos) return;
    it.answer = text_of(answer_to(it.request, pages));
    write_on(it);
  }

  void write_on(Connection& it) {
    const auto rest = std::string_view(it.answer).substr(it.sent);
    const auto sent = send(it.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    it.sent += static_cast<std::size_t>(std::max<ssize_t>(0, sent));
    it.due = Clock::now() + limits.patience;
    it.over = sent < 0 || it.sent == it.answer.size();
  }

  Socket listener;
  Socket wake{eventfd(0, EFD_CLOEXEC)};
  const Pages pages;
  const Limits limits;
  std::list<Connection> connections;  // the oldest first
  std::thread thread;                 // last: all else is there when it begins
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpEndpoint::~HttpEndpoint() = default;

int HttpEndpoint::port() const {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  getsockname(impl_->listener.get(), reinterpret_cast<sockaddr*>(&at), &size);
  return ntohs(at.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&at)->sin6_port
                                        : reinterpret_cast<const sockaddr_in*>(&at)->sin_port);
}

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::listen(const std::string& address, Pages pages,
                                                           Limits limits) {
  auto listener = listener_at(address);
  if (!listener) return std::unexpected(listener.error());
  return std::unique_ptr<HttpEndpoint>(
      new HttpEndpoint(std::make_unique<Impl>(std::move(*listener), std::move(pages), limits)));
}

std::function<HttpEndpoint::Answer()> HttpEndpoint::check(std::function<std::string()> problem) {
  return [problem = std::move(problem)] {
    const std::string why = problem();
    return why.empty() ? Answer{200, "ok\n"} : Answer{503, why + "\n"};
  };
}

}  // namespace live_update
