#include "kube/io.h"

#include <pplx/threadpool.h>

#include <condition_variable>
#include <cstdlib>

namespace live_update {

void init_kube_io() {
  static const bool once = [] {
    ::setenv("SSL_CERT_FILE", "/dev/null", 1);
    ::setenv("SSL_CERT_DIR", "/nonexistent", 1);
    crossplat::threadpool::initialize_with_threads(
        1);  // with more threads cpprestsdk 2.10.18 can crash on a timeout
    return true;
  }();
  static_cast<void>(once);
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
