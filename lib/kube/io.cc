#include "kube/io.h"

#include <pplx/threadpool.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "kube/environment.h"
#include "run/uv_loop.h"

extern char** environ;

namespace live_update {
namespace {

constexpr int kMostHandlers = 64;  // between two turns

// What `init` has changed in the environment, and what was there before.
std::map<std::string, std::optional<std::string>, std::less<>> before;

void replace_variable(const char* name, const char* value) {
  const char* old = std::getenv(name);
  before[name] = old ? std::optional<std::string>(old) : std::nullopt;
  ::setenv(name, value, 1);
}

void init() {
  static const bool once = [] {
    replace_variable("SSL_CERT_FILE", "/dev/null");
    replace_variable("SSL_CERT_DIR", "/nonexistent");
    // None of its own: LoopIo lends it the loop's. With several cpprestsdk 2.10.18 can crash on a timeout.
    crossplat::threadpool::initialize_with_threads(0);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

std::vector<std::string> environment_for_children() {
  std::vector<std::string> out;
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view have = *variable;
    if (!before.contains(have.substr(0, have.find('=')))) out.emplace_back(have);
  }
  for (const auto& [name, value] : before)
    if (value) out.push_back(name + "=" + *value);
  return out;
}

boost::asio::io_context& io_context() {
  init();
  return crossplat::threadpool::shared_instance().service();
}

void post_io(std::function<void()> work) { io_context().post(std::move(work)); }

// The descriptor of libuv, which must not be closed here.
struct LoopIo::Watched : std::enable_shared_from_this<Watched> {
  explicit Watched(int descriptor) : uv(io_context(), descriptor) {}
  // Once: it is readable until libuv has had its turn.
  void arm() {
    if (std::exchange(armed, true)) return;
    uv.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                  [self = shared_from_this()](boost::system::error_code) { self->armed = false; });
  }
  boost::asio::posix::stream_descriptor uv;
  bool armed = false;
};

LoopIo::LoopIo(UvLoop& loop) : watched_(std::make_shared<Watched>(loop.descriptor())), loop_(loop) {
  loop.wait_with([watched = watched_](std::optional<Millis> most) {
    auto& io = io_context();
    watched->arm();
    const std::size_t done = most ? io.run_one_for(*most) : io.run_one();
    for (int i = 0; done > 0 && i < kMostHandlers && io.poll_one() > 0; ++i) {
    }
  });
}

LoopIo::~LoopIo() {
  loop_.wait_with(nullptr);
  watched_->uv.release();
}

struct IoTickets::State {
  int under_way = 0;
};

std::shared_ptr<IoTickets::State> IoTickets::make_state() { return std::make_shared<State>(); }

IoTickets::Ticket IoTickets::take() {
  ++state_->under_way;
  return Ticket(nullptr, [state = state_](void*) { --state->under_way; });
}

bool IoTickets::wait(Millis limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (state_->under_way > 0 && std::chrono::steady_clock::now() < until) io_context().run_one_until(until);
  return state_->under_way == 0;
}

}  // namespace live_update
