// The I/O thread: one thread that carries the bytes of all connections (cpprestsdk's pool at size 1, shared
// with Boost.Beast).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "run/loop.h"

namespace boost::asio {
class io_context;
}

namespace live_update {

// First thing in `main`, before any thread and any other use of lib/kube: sizes the pool, and keeps OpenSSL
// from trusting (and parsing, 28 ms for each connection) the system's authorities beside the cluster's own.
// Calling it again does nothing.
void init_kube_io();

boost::asio::io_context& io_context();

// Runs `work` on the I/O thread. Any thread.
void post_io(std::function<void()> work);

// The way back from the I/O thread to the loop; it outlives both its ends. Once closed, what is posted is
// dropped.
class LoopGate {
 public:
  explicit LoopGate(Loop& loop) : loop_(&loop) {}
  void post(Callback work) {
    std::lock_guard lock(mutex_);
    if (loop_) loop_->post(std::move(work));
  }
  void close() {
    std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }

 private:
  std::mutex mutex_;
  Loop* loop_;
};

// Counts what is under way on the I/O thread (each operation holds a `Ticket`), so that a program can wait
// for its end before the pool goes away.
class IoTickets {
 public:
  using Ticket = std::shared_ptr<void>;
  Ticket take();
  // Waits until all tickets are gone, or `limit`; false if some are left. Not on the I/O thread.
  bool wait(Millis limit);

 private:
  struct State;
  std::shared_ptr<State> state_ = make_state();
  static std::shared_ptr<State> make_state();
};

}  // namespace live_update
