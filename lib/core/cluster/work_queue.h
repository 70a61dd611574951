// A queue of keys to reconcile, with client-go's contract (util/workqueue):
//
//   fair      keys are handed out in the order they were added;
//   stingy    a key added several times before it is handed out is handed out once;
//   single    a key is never handed out twice at a time; one added while it is worked on is handed out again
//             after `done`;
//   patient   `add_after` and `add_rate_limited` hold a key back until its time; an `add` of the same key does
//             not wait for that.
//
// Pure: time is an argument, nothing runs by itself. The caller asks `next_time` when to look again. One
// thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace live_update {

template <typename Key>
class WorkQueue {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using Millis = std::chrono::milliseconds;

  // A key's n-th failure in a row waits first_delay * 2^(n-1), at most max_delay.
  struct Backoff {
    Millis first_delay{5};
    Millis max_delay{30'000};
  };

  explicit WorkQueue(Backoff backoff = Backoff()) : backoff_(backoff) {}

  void add(const Key& key) {
    if (!dirty_.insert(key).second) return;
    if (!processing_.contains(key)) ready_.push_back(key);
  }

  // Added at `now + delay`; of several times for one key the earliest counts.
  void add_after(const Key& key, Millis delay, Instant now) {
    if (delay <= Millis(0)) return add(key);
    const Instant time = now + delay;
    const auto [held, inserted] = held_.try_emplace(key, time);
    if (!inserted && held->second <= time) return;
    if (!inserted) due_.erase({held->second, key});
    held->second = time;
    due_.insert({time, key});
  }

  // After a failure: added when the key's backoff is over. Returns the delay.
  Millis add_rate_limited(const Key& key, Instant now) {
    const int failures = failures_[key]++;
    Millis delay = backoff_.first_delay;
    for (int i = 0; i < failures && delay < backoff_.max_delay; ++i) delay *= 2;
    delay = std::min(delay, backoff_.max_delay);
    add_after(key, delay, now);
    return delay;
  }

  // After a success: the next failure begins with the first delay again.
  void forget(const Key& key) { failures_.erase(key); }
  int failures(const Key& key) const {
    const auto found = failures_.find(key);
    return found == failures_.end() ? 0 : found->second;
  }

  // The next key to work on, or nothing. `done` must follow.
  std::optional<Key> get(Instant now) {
    release(now);
    if (ready_.empty()) return {};
    Key key = std::move(ready_.front());
    ready_.pop_front();
    dirty_.erase(key);
    processing_.insert(key);
    return key;
  }

  void done(const Key& key) {
    processing_.erase(key);
    if (dirty_.contains(key)) ready_.push_back(key);
  }

  // When `get` could have something next: `now` if it has, a later time if keys are held back, nothing if it
  // is empty.
  std::optional<Instant> next_time(Instant now) const {
    if (!ready_.empty()) return now;
    if (due_.empty()) return {};
    return std::max(now, due_.begin()->first);
  }

  // Keys waiting to be handed out, those held back not counted (the metric workqueue_depth).
  std::size_t depth() const { return ready_.size(); }
  bool idle() const { return ready_.empty() && due_.empty() && processing_.empty(); }

 private:
  void release(Instant now) {
    while (!due_.empty() && due_.begin()->first <= now) {
      const Key key = due_.begin()->second;
      due_.erase(due_.begin());
      held_.erase(key);
      add(key);
    }
  }

  Backoff backoff_;
  std::deque<Key> ready_;                  // in order; each of them is dirty and not processing
  std::set<Key> dirty_;                    // to be worked on
  std::set<Key> processing_;               // handed out
  std::map<Key, Instant> held_;            // when a held key is due, and
  std::set<std::pair<Instant, Key>> due_;  // the same in order of time
  std::map<Key, int> failures_;
};

}  // namespace live_update
