// How often something may be done: a few times at once, then once in a period (a token bucket).
//
// Pure: the time is an argument. A value; it belongs to whoever holds it.
#pragma once

#include <algorithm>
#include <chrono>

namespace live_update {

class RateLimit {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using Millis = std::chrono::milliseconds;

  RateLimit(int burst, Millis period) : burst_(burst), period_(period) {}

  int burst() const { return burst_; }
  Millis period() const { return period_; }
  // When it may be done next; not later than `now`: at once.
  Instant next() const { return full_ - (burst_ - 1) * period_; }
  bool allows(Instant now) const { return next() <= now; }
  void take(Instant now) { full_ = std::max(full_, now) + period_; }
  // What was taken last was not done.
  void give_back() { full_ -= period_; }

 private:
  int burst_;
  Millis period_;
  Instant full_{};  // when all that was taken has been given back
};

}  // namespace live_update
