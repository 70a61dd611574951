// How the bytes of all connections travel: cpprestsdk's pool, shared with Boost.Beast, has no thread of its own, and the
// loop's does its work in between two turns (LoopIo). A thread beside it cost each save a dozen switches between the two.
#pragma once

#include <functional>
#include <memory>

#include "run/loop.h"

namespace boost::asio {
class io_context;
}

namespace live_update {

class UvLoop;

boost::asio::io_context& io_context();

// Lets the thread of a loop carry the bytes: where libuv would wait, it waits for connections, too. One beside each
// loop that clients are made on, before them and for longer than them. The first one, which is made before there is any
// thread, keeps OpenSSL from trusting (and parsing, 28 ms for each connection) the system's authorities beside the
// cluster's own.
class LoopIo {
 public:
  explicit LoopIo(UvLoop& loop);
  ~LoopIo();
  LoopIo(const LoopIo&) = delete;
  LoopIo& operator=(const LoopIo&) = delete;

 private:
  struct Watched;
  std::shared_ptr<Watched> watched_;
  UvLoop& loop_;
};

// Runs `work` between two turns of the loop, when nothing of a client is on the stack.
void post_io(std::function<void()> work);

// The way from what happens between turns back to the loop; it outlives both its ends. Once closed, what is posted is
// dropped.
class LoopGate {
 public:
  explicit LoopGate(Loop& loop) : loop_(&loop) {}
  void post(Callback work) {
    if (loop_) loop_->post(std::move(work));
  }
  void close() { loop_ = nullptr; }

 private:
  Loop* loop_;
};

// Counts what is under way (each operation holds a `Ticket`), so that a program can wait
// for its end before the pool goes away.
class IoTickets {
 public:
  using Ticket = std::shared_ptr<void>;
  Ticket take();
  // Waits until all tickets are gone, or `limit`; false if some are left. Meanwhile only they go on.
  bool wait(Millis limit);

 private:
  struct State;
  std::shared_ptr<State> state_ = make_state();
  static std::shared_ptr<State> make_state();
};

}  // namespace live_update
