#include "core/cluster/work_queue.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using namespace live_update;
using Queue = WorkQueue<std::string>;
using namespace std::chrono_literals;

namespace {

const Queue::Instant kStart{};

std::vector<std::string> drain(Queue& queue, Queue::Instant now) {
  std::vector<std::string> keys;
  while (const auto key = queue.get(now)) {
    keys.push_back(*key);
    queue.done(*key);
  }
  return keys;
}
using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("workqueue: fair and stingy") {
  Queue queue;
  for (const char* key : {"b", "a", "b", "c", "a"}) queue.add(key);
  CHECK(queue.depth() == 3);
  CHECK(drain(queue, kStart) == Keys{"b", "a", "c"});
  CHECK(queue.idle());
  CHECK_FALSE(queue.get(kStart));
}

TEST_CASE("workqueue: a key added while it is worked on comes again, once, after done") {
  Queue queue;
  queue.add("a");
  REQUIRE(queue.get(kStart) == "a");
  queue.add("a");
  queue.add("a");
  CHECK_FALSE(queue.get(kStart));
  CHECK_FALSE(queue.next_time(kStart));
  queue.done("a");
  CHECK(queue.next_time(kStart) == kStart);
  CHECK(drain(queue, kStart) == Keys{"a"});
}

TEST_CASE("workqueue: held keys come at their earliest time") {
  Queue queue;
  queue.add_after("late", 100ms, kStart);
  queue.add_after("early", 50ms, kStart);
  queue.add_after("late", 70ms, kStart);
  queue.add_after("late", 200ms, kStart);
  CHECK(queue.next_time(kStart) == kStart + 50ms);
  CHECK(drain(queue, kStart + 49ms).empty());
  CHECK(drain(queue, kStart + 60ms) == Keys{"early"});
  CHECK(queue.next_time(kStart + 60ms) == kStart + 70ms);
  CHECK(queue.next_time(kStart + 90ms) == kStart + 90ms);
  CHECK(drain(queue, kStart + 90ms) == Keys{"late"});
  CHECK(queue.idle());
  queue.add_after("now", 0ms, kStart);
  CHECK(drain(queue, kStart) == Keys{"now"});
}

TEST_CASE("workqueue: an add does not wait for the key's held time") {
  Queue queue;
  queue.add_after("a", 100ms, kStart);
  queue.add("a");
  CHECK(drain(queue, kStart) == Keys{"a"});
  CHECK(drain(queue, kStart + 100ms) == Keys{"a"});
}

TEST_CASE("workqueue: failures wait twice as long each time, until forgotten") {
  Queue queue({.first_delay = 5ms, .max_delay = 30ms});
  CHECK(queue.add_rate_limited("a", kStart) == 5ms);
  CHECK(queue.add_rate_limited("a", kStart) == 10ms);
  CHECK(queue.add_rate_limited("a", kStart) == 20ms);
  CHECK(queue.add_rate_limited("a", kStart) == 30ms);
  CHECK(queue.add_rate_limited("b", kStart) == 5ms);
  for (int i = 0; i < 1000; ++i) CHECK(queue.add_rate_limited("a", kStart) == 30ms);
  queue.forget("a");
  CHECK(queue.failures("a") == 0);
  CHECK(queue.add_rate_limited("a", kStart) == 5ms);
  CHECK(drain(queue, kStart + 5ms) == Keys{"a", "b"});
}

TEST_CASE("workqueue: no key is lost or handed out twice at a time, in random order") {
  const unsigned seed = 7;
  CAPTURE(seed);
  std::mt19937 random(seed);
  Queue queue;
  std::map<std::string, bool> wanted;
  std::set<std::string> working;
  auto now = kStart;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 20);
    switch (random() % 4) {
      case 0:
        queue.add(key);
        wanted[key] = true;
        break;
      case 1:
        queue.add_after(key, std::chrono::milliseconds(random() % 50), now);
        wanted[key] = true;
        break;
      case 2:
        now += 1ms;
        if (const auto got = queue.get(now)) {
          CHECK(working.insert(*got).second);
          wanted[*got] = false;
        }
        break;
      default:
        if (!working.empty()) {
          queue.done(*working.begin());
          working.erase(working.begin());
        }
    }
  }
  for (const auto& key : working) queue.done(key);
  for (const auto& key : drain(queue, now + 1s)) wanted[key] = false;
  for (const auto& [key, want] : wanted) CHECK_FALSE(want);
  CHECK(queue.idle());
}
