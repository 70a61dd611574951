// The event loop with libuv, on the thread that runs it; see run/loop.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

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

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
