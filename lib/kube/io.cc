#include "kube/io.h"

#include <pplx/threadpool.h>

#include <condition_variable>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "kube/environment.h"

extern char** environ;

namespace live_update {
namespace {

// What init_kube_io has changed in the environment, and what was there before.
std::map<std::string, std::optional<std::string>, std::less<>> before;

void replace_variable(const char* name, const char* value) {
  const char* old = std::getenv(name);
  before[name] = old ? std::optional<std::string>(old) : std::nullopt;
  ::setenv(name, value, 1);
}

}  // namespace

void init_kube_io() {
  static const bool once = [] {
    replace_variable("SSL_CERT_FILE", "/dev/null");
    replace_variable("SSL_CERT_DIR", "/nonexistent");
    crossplat::threadpool::initialize_with_threads(
        1);  // with more threads cpprestsdk 2.10.18 can crash on a timeout
    return true;
  }();
  static_cast<void>(once);
}

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

boost::asio::io_context& io_context() { return crossplat::threadpool::shared_instance().service(); }

void post_io(std::function<void()> work) { io_context().post(std::move(work)); }

struct IoTickets::State {
  std::mutex mutex;
  std::condition_variable none;
  int under_way = 0;
};

std::shared_ptr<IoTickets::State> IoTickets::make_state() { return std::make_shared<State>(); }

IoTickets::Ticket IoTickets::take() {
  std::lock_guard lock(state_->mutex);
  ++state_->under_way;
  return Ticket(nullptr, [state = state_](void*) {
    std::lock_guard lock(state->mutex);
    if (--state->under_way == 0) state->none.notify_all();
  });
}

bool IoTickets::wait(Millis limit) {
  std::unique_lock lock(state_->mutex);
  return state_->none.wait_for(lock, limit, [this] { return state_->under_way == 0; });
}

}  // namespace live_update
