// The loop of a simulation: virtual time that jumps to the next timer, one thread, no descriptors. All processes
// of a world share it; one that has crashed has dropped its Handles, so nothing of it runs any more.
//
// What is due at one moment runs in the order in which it was asked for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "run/loop.h"
#include "test/sim/world/random.h"

namespace live_update::sim {

using Micros = std::chrono::microseconds;

class SimLoop final : public Loop {
 public:
  explicit SimLoop(std::uint64_t seed);
  ~SimLoop() override;

  int run() override;
  void stop(int exit_code = 0) override;
  void post(Callback work) override;
  Instant now() const override { return now_; }
  Time wall_clock() const override;
  Instant exact_now() const override { return now_; }
  Time exact_wall_clock() const override { return wall_clock(); }
  std::uint64_t random() override { return random_.next(); }
  [[nodiscard]] Handle after(Millis delay, Callback work) override { return in(delay, std::move(work)); }
  [[nodiscard]] Handle every(Millis period, std::function<void()> work) override;
  [[nodiscard]] Handle on_readable(int fd, std::function<void()> work) override;
  [[nodiscard]] Handle on_signal(int number, std::function<void()> work) override;

  // As `after`, finer.
  [[nodiscard]] Handle in(Micros delay, Callback work);

  // Runs what is due next, if that is before `until`, else moves the time there. False: the latter.
  bool step(Instant until);
  void run_until(Instant until) {
    while (step(until)) {
    }
  }
  std::uint64_t steps() const { return steps_; }
  // The wall clock, not what timers go by, is set forward or back.
  void jump(Micros by) { wall_ += by; }
  Micros elapsed() const { return std::chrono::duration_cast<Micros>(now_ - Instant{}); }

 private:
  using Key = std::pair<Instant, std::uint64_t>;
  struct Queue {
    std::map<Key, Callback> work;
    std::uint64_t order = 0;
  };
  Key put(Instant due, Callback work);

  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  Random random_;
  Instant now_{};
  Micros wall_{0};  // how far the wall clock is off
  std::uint64_t steps_ = 0;
  bool stopped_ = false;
  int exit_code_ = 0;
};

}  // namespace live_update::sim
