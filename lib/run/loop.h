// The port to the event loop, which owns all state (one thread, which carries the bytes, too): turns, time, timers,
// descriptors, and what else a process gets by chance. run/uv_loop.h is the real one, with libuv on the main
// thread; in test/sim time is virtual.
//
// Everything here is called on the loop's thread, `post` aside. Callbacks run on the loop, never inside the
// call that armed them and never after their Handle is gone. Time: `now` is read once per turn of the loop.
#pragma once

#include <chrono>
#include <cstdint>
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
  Loop() = default;
  virtual ~Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until `stop`; returns the exit code given there. `stop` lets the callbacks of the same turn finish,
  // and works before `run`.
  virtual int run() = 0;
  virtual void stop(int exit_code = 0) = 0;

  // From any thread: runs `work` on the loop soon, in the order of the calls. The only function that other
  // threads may call.
  virtual void post(Callback work) = 0;

  virtual Instant now() const = 0;      // at the begin of this turn
  virtual Time wall_clock() const = 0;  // likewise
  // As of now, within a turn, too: to measure what a turn does.
  virtual Instant exact_now() const = 0;
  virtual Time exact_wall_clock() const = 0;

  // Differs for each process and call, to spread retries and to tell processes apart; no secret.
  virtual std::uint64_t random() = 0;

  // Once, after `delay`: never earlier, up to a millisecond later (0: on the next turn).
  [[nodiscard]] virtual Handle after(Millis delay, Callback work) = 0;
  // Again and again, `period` apart.
  [[nodiscard]] virtual Handle every(Millis period, std::function<void()> work) = 0;
  // Whenever `fd` is readable, at its end or broken (a read tells). A pipe, socket, terminal, inotify or
  // event descriptor, not a regular file; one Handle for one descriptor; it becomes non-blocking. The caller
  // keeps it open for as long as the Handle lives.
  [[nodiscard]] virtual Handle on_readable(int fd, std::function<void()> work) = 0;
  // For SIGINT, SIGTERM, SIGHUP.
  [[nodiscard]] virtual Handle on_signal(int number, std::function<void()> work) = 0;
};

}  // namespace live_update
