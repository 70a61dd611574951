// The event loop with libuv, on the thread that runs it; see run/loop.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "run/loop.h"

namespace live_update {

class UvLoop final : public Loop {
 public:
  UvLoop();
  ~UvLoop() override;

  int run() override;
  void stop(int exit_code = 0) override;
  void post(Callback work) override;
  Instant now() const override;
  Time wall_clock() const override;
  Instant exact_now() const override;
  Time exact_wall_clock() const override;
  std::uint64_t random() override;
  [[nodiscard]] Handle after(Millis delay, Callback work) override;
  [[nodiscard]] Handle every(Millis period, std::function<void()> work) override;
  [[nodiscard]] Handle on_readable(int fd, std::function<void()> work) override;
  [[nodiscard]] Handle on_signal(int number, std::function<void()> work) override;

  // Called at the end of each turn with the CPU time that it took this thread: waiting is not counted, what
  // other processes and threads take is not either. One watcher; before `run`.
  void on_turn(std::function<void(std::chrono::nanoseconds)> work);

  // Where the thread has more to wait for than libuv knows of: `wait` is called in the place of libuv's own wait.
  // It returns after `most` (nothing: not before something has come), when `descriptor` is readable, or when it has
  // done some of its own work. Nothing given: libuv waits again. Not while it runs.
  using Wait = std::function<void(std::optional<Millis> most)>;
  void wait_with(Wait wait);
  int descriptor() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
