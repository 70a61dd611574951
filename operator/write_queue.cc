#include "operator/write_queue.h"

#include <algorithm>

namespace live_update {

namespace {
constexpr Millis kFirstRetry{200};
constexpr int kMaxDoublings = 7;
}  // namespace

WriteQueue::WriteQueue(Loop& loop, ApiServer& api,
                       std::function<void(const std::string&, const Error&)> on_error)
    : loop_(loop), api_(api), on_error_(std::move(on_error)) {}

void WriteQueue::put(const std::string& key, Request request, Millis delay) {
  Entry& entry = entries_[key];
  const Instant due = loop_.now() + delay;
  const bool sooner = !entry.next || due < entry.due;
  entry.next = std::move(request);
  if (!sooner) return;
  entry.due = due;
  if (!entry.in_flight && !entry.queued && entry.attempts == 0) arm(key, entry);
}

bool WriteQueue::waiting(const std::string& key) const {
  const auto entry = entries_.find(key);
  return entry != entries_.end() && entry->second.next;
}

void WriteQueue::arm(const std::string& key, Entry& entry) {
  const auto delay = std::chrono::ceil<Millis>(entry.due - loop_.now());
  entry.timer = loop_.after(std::max(delay, Millis(0)), [this, key] { due(key); });
}

void WriteQueue::due(const std::string& key) {
  Entry& entry = entries_.at(key);
  Lane& lane = lane_of(key);
  if (lane.under_way < lane.most) return send(key);
  entry.queued = true;
  lane.queued.push_back(key);
}

void WriteQueue::send(std::string key) {
  Entry& entry = entries_.at(key);
  entry.timer.reset();
  entry.queued = false;
  Request request = std::move(*std::exchange(entry.next, std::nullopt));
  Request sent = request;
  ++lane_of(key).under_way;
  entry.in_flight =
      api_.request(std::move(request), [this, key, sent = std::move(sent)](Result<Response> result) mutable {
        answered(key, std::move(sent), std::move(result));
      });
}

void WriteQueue::answered(std::string key, Request sent, Result<Response> result) {
  Lane& lane = lane_of(key);
  settle(key, std::move(sent), std::move(result));
  --lane.under_way;
  if (lane.queued.empty()) return;
  const std::string next = std::move(lane.queued.front());
  lane.queued.pop_front();
  send(next);
}

void WriteQueue::settle(const std::string& key, Request sent, Result<Response> result) {
  Entry& entry = entries_.at(key);
  entry.in_flight.reset();
  if (result || !result.error().retryable()) {
    const bool gone = !result && (result.error().kind == ErrorKind::NotFound ||
                                  result.error().kind == ErrorKind::AlreadyExists);
    if (!result && !gone) on_error_(sent.path, result.error());
    entry.attempts = 0;
    if (!entry.next) {
      entries_.erase(key);
      return;
    }
    arm(key, entry);
    return;
  }
  on_error_(sent.path, result.error());
  if (!entry.next) entry.next = std::move(sent);
  const Millis delay = kFirstRetry * (1 << std::min(entry.attempts++, kMaxDoublings));
  entry.timer = loop_.after(delay, [this, key] { due(key); });
}

}  // namespace live_update
