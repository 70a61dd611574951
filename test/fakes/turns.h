// Lets a loop turn for tests: by turns, not by time, so that a slow machine sees the same.
#pragma once

#include "run/loop.h"

namespace live_update {

// Runs `loop` for `turns` turns: everything that needs no time to pass happens.
inline void turn(Loop& loop, int turns = 60) {
  Handle next;
  std::function<void()> step = [&] {
    if (--turns <= 0) return loop.stop();
    next = loop.after(Millis(0), [&] { step(); });
  };
  next = loop.after(Millis(0), [&] { step(); });
  loop.run();
}

// First lets `time` pass, then whatever follows from that.
inline void turn_for(Loop& loop, Millis time) {
  const Handle end = loop.after(time, [&] { loop.stop(); });
  loop.run();
  turn(loop);
}

}  // namespace live_update
