// The event loop: libuv on the main thread, which owns all state (style: one loop thread, one I/O thread).
//
// Everything here is called on the loop's thread, `post` aside. Callbacks run on the loop, never inside the
// call that armed them and never after their Handle is gone. Time: `now` is read once per turn of the loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace live_update {

using Callback = std::move_only_function<void()>;

// Whatever is under way; destroying it (or `reset`) cancels it, and its callbacks do not run afterwards.
// Move-only.
class Handle {
 public:
  Handle() = default;
  explicit Handle(Callback cancel) : cancel_(std::move(cancel)) {}
  Handle(Handle&& other) noexcept : cancel_(std::exchange(other.cancel_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      cancel_ = std::exchange(other.cancel_, nullptr);
    }
    return *this;
  }
  ~Handle() { reset(); }
  void reset() {
    if (auto cancel = std::exchange(cancel_, nullptr)) cancel();
  }
  explicit operator bool() const { return static_cast<bool>(cancel_); }

 private:
  Callback cancel_;
};

// Monotonic time for deadlines and backoff; core takes it as an argument.
using Instant = std::chrono::steady_clock::time_point;
using Millis = std::chrono::milliseconds;

// `Loop::after`, or a test's.
using After = std::function<Handle(Millis, Callback)>;

// Destroying it drops what is still posted; Handles may outlive it and do nothing then. No other thread may
// call `post` any more.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until `stop`; returns the exit code given there. `stop` lets the callbacks of the same turn finish,
  // and works before `run`.
  int run();
  void stop(int exit_code = 0);

  // From any thread: runs `work` on the loop soon, in the order of the calls. The only function that other
  // threads may call.
  void post(Callback work);

  Instant now() const;             // at the begin of this turn
  Time wall_clock() const;         // likewise
  static Time exact_wall_clock();  // as of now, within a turn, too: to measure what a turn does

  // Called at the end of each turn with the CPU time that it took this thread: waiting is not counted, what
  // other processes and threads take is not either. One watcher; before `run`.
  void on_turn(std::function<void(std::chrono::nanoseconds)> work);

  // Once, after `delay`: never earlier, up to a millisecond later (0: on the next turn).
  [[nodiscard]] Handle after(Millis delay, Callback work);
  // Again and again, `period` apart.
  [[nodiscard]] Handle every(Millis period, std::function<void()> work);
  // Whenever `fd` is readable, at its end or broken (a read tells). A pipe, socket, terminal, inotify or
  // event descriptor, not a regular file; one Handle for one descriptor; it becomes non-blocking. The caller
  // keeps it open for as long as the Handle lives.
  [[nodiscard]] Handle on_readable(int fd, std::function<void()> work);
  // For SIGINT, SIGTERM, SIGHUP.
  [[nodiscard]] Handle on_signal(int number, std::function<void()> work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
