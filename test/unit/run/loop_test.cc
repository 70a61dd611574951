#include "run/uv_loop.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace live_update {
namespace {

TEST_SUITE_BEGIN("loop");

// Ends a test that would otherwise hang; its own exit code shows in the CHECK.
constexpr int kHung = 99;
Handle watchdog(Loop& loop) {
  return loop.after(Millis(2000), [&] { loop.stop(kHung); });
}

TEST_CASE("run returns the code given to stop") {
  UvLoop loop;
  loop.post([&] { loop.stop(7); });
  CHECK(loop.run() == 7);
}

TEST_CASE("the CPU time of each turn is told, without the time that it waited") {
  UvLoop loop;
  std::chrono::nanoseconds most{0}, sum{0};
  int turns = 0;
  loop.on_turn([&](std::chrono::nanoseconds cpu) {
    most = std::max(most, cpu);
    sum += cpu;
    ++turns;
  });
  const auto began = std::chrono::steady_clock::now();
  const Handle busy = loop.after(Millis(1), [] {
    timespec at{};
    const auto spent = [&] {
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
      return at.tv_sec * 1000 + at.tv_nsec / 1'000'000;
    };
    for (const auto until = spent() + 20; spent() < until;) {
    }
  });
  const Handle asleep = loop.after(Millis(60), [] { ::usleep(60'000); });
  const Handle end = loop.after(Millis(130), [&] { loop.stop(); });
  loop.run();
  CHECK(turns >= 2);
  CHECK(most >= std::chrono::milliseconds(19));
  CHECK(sum < std::chrono::milliseconds(60));
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(120));
}

TEST_CASE("stop before run ends the run at once; it can run again") {
  UvLoop loop;
  loop.stop(3);
  CHECK(loop.run() == 3);
  loop.post([&] { loop.stop(4); });
  CHECK(loop.run() == 4);
}

TEST_CASE("posted work runs in order, and never inside post") {
  UvLoop loop;
  std::string order;
  loop.post([&] {
    loop.post([&] {
      order += 'c';
      loop.stop();
    });
    order += 'a';
  });
  loop.post([&] { order += 'b'; });
  CHECK(order.empty());
  CHECK(loop.run() == 0);
  CHECK(order == "abc");
}

TEST_CASE("work that posts itself for ever does not starve timers") {
  UvLoop loop;
  auto guard = watchdog(loop);
  std::function<void()> again = [&] { loop.post([&] { again(); }); };
  again();
  auto timer = loop.after(Millis(2), [&] { loop.stop(1); });
  CHECK(loop.run() == 1);
}

TEST_CASE("a delay of zero that renews itself does not starve timers") {
  UvLoop loop;
  auto guard = watchdog(loop);
  Handle soon;
  std::function<void()> again = [&] { soon = loop.after(Millis(0), [&] { again(); }); };
  again();
  auto timer = loop.after(Millis(2), [&] { loop.stop(1); });
  CHECK(loop.run() == 1);
}

TEST_CASE("timers fire by their time, not before it, and once") {
  UvLoop loop;
  std::string order;
  const auto start = std::chrono::steady_clock::now();
  auto late = loop.after(Millis(6), [&] {
    order += 'b';
    CHECK(std::chrono::steady_clock::now() - start >= Millis(6));
    loop.post([&] { loop.stop(); });
  });
  auto early = loop.after(Millis(3), [&] { order += 'a'; });
  loop.run();
  CHECK(order == "ab");
}

TEST_CASE("a destroyed Handle never calls, not even in the turn in which it was due") {
  UvLoop loop;
  int calls = 0;
  auto timer = loop.after(Millis(1), [&] { ++calls; });
  timer.reset();
  Handle b;
  auto a = loop.after(Millis(1), [&] { b.reset(); });
  b = loop.after(Millis(1), [&] { ++calls; });
  {
    auto zero = loop.after(Millis(0), [&] { ++calls; });
  }
  auto end = loop.after(Millis(4), [&] { loop.stop(); });
  loop.run();
  CHECK(calls == 0);
}

TEST_CASE("every repeats until its own callback destroys it") {
  UvLoop loop;
  auto guard = watchdog(loop);
  int calls = 0;
  Handle ticking;
  auto alive = std::make_shared<int>(0);
  ticking = loop.every(Millis(1), [&, alive] {
    if (++calls < 3) return;
    ticking.reset();
    CHECK(alive.use_count() >= 1);  // what it captured lives as long as it runs
    loop.post([&] { loop.stop(); });
  });
  CHECK(loop.run() == 0);
  CHECK(calls == 3);
  CHECK(alive.use_count() == 1);
}

TEST_CASE("a callback may renew its own Handle") {
  UvLoop loop;
  auto guard = watchdog(loop);
  int calls = 0;
  Handle timer;
  std::function<void()> again = [&] {
    if (++calls == 3) return loop.stop();
    timer = loop.after(Millis(1), [&] { again(); });
  };
  again();
  CHECK(loop.run() == 0);
  CHECK(calls == 3);
}

TEST_CASE("other threads may post") {
  UvLoop loop;
  auto guard = watchdog(loop);
  int sum = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i)
          loop.post([&] {
            if (++sum == 4000) loop.stop();
          });
      });
    }
    CHECK(loop.run() == 0);
  }
  CHECK(sum == 4000);
}

TEST_CASE("a readable descriptor calls, its end too, and not once the Handle is gone") {
  UvLoop loop;
  auto guard = watchdog(loop);
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  std::string got;
  Handle reading;
  reading = loop.on_readable(ends[0], [&] {
    char buffer[16];
    const auto n = ::read(ends[0], buffer, sizeof buffer);
    if (n > 0) {
      got.append(buffer, static_cast<std::size_t>(n));
      ::close(ends[1]);
      return;
    }
    reading.reset();
    ::close(ends[0]);
    loop.post([&] { loop.stop(); });
  });
  REQUIRE(::write(ends[1], "hello", 5) == 5);
  CHECK(loop.run() == 0);
  CHECK(got == "hello");
}

TEST_CASE("signals arrive on the loop") {
  UvLoop loop;
  auto guard = watchdog(loop);
  auto term = loop.on_signal(SIGTERM, [&] { loop.stop(15); });
  loop.post([] { ::raise(SIGTERM); });
  CHECK(loop.run() == 15);
}

TEST_CASE("now stands still within a turn and goes on with the next") {
  UvLoop loop;
  Instant first{}, later{};
  loop.post([&] {
    first = loop.now();
    while (std::chrono::steady_clock::now() - first < std::chrono::microseconds(50)) {
    }
    CHECK(loop.now() == first);
    loop.post([&] {
      later = loop.now();
      loop.stop();
    });
  });
  loop.run();
  CHECK(later > first);
}

TEST_CASE("a Handle may outlive its loop") {
  Handle timer, ticking, soon;
  auto held = std::make_shared<int>(0);
  {
    UvLoop loop;
    timer = loop.after(Millis(1000), [held] {});
    ticking = loop.every(Millis(1000), [held] {});
    soon = loop.after(Millis(0), [held] {});
  }
  CHECK(held.use_count() <= 2);
  timer.reset();
  ticking.reset();
  soon.reset();
  CHECK(held.use_count() == 1);
}

TEST_SUITE_END();

TEST_CASE("where somebody else waits, timers, what is posted and what other threads post have their turn") {
  UvLoop loop;
  int waits = 0;
  loop.wait_with([&](std::optional<Millis> most) {
    ++waits;
    pollfd libuv{loop.descriptor(), POLLIN, 0};
    ::poll(&libuv, 1, most ? static_cast<int>(most->count()) : -1);
  });
  std::vector<std::string> order;
  const Instant began = loop.exact_now();
  const Handle timer = loop.after(Millis(20), [&] { order.push_back("timer"), loop.stop(3); });
  std::jthread other([&] { loop.post([&] { order.push_back("other"); }); });
  loop.post([&] {
    order.push_back("posted");
    loop.post([&] { order.push_back("again"); });
  });
  CHECK(loop.run() == 3);
  CHECK(loop.exact_now() - began >= Millis(20));
  CHECK(order.back() == "timer");
  CHECK(std::ranges::count(order, "other") == 1);
  CHECK(std::ranges::find(order, "posted") < std::ranges::find(order, "again"));
  CHECK(waits < 50);  // it sleeps in between
  loop.stop(4);
  CHECK(loop.run() == 4);
}

}  // namespace
}  // namespace live_update
