#include "operator/write_queue.h"

#include <algorithm>

namespace live_update {

namespace {

constexpr Millis kFirstRetry{200};
constexpr int kMaxDoublings = 7;

std::string namespace_of(const std::string& key) {
  const auto begin = key.find('/') + 1;
  return key.substr(begin, key.find('/', begin) - begin);
}

// It was to be created, or to be gone, and is.
bool as_wanted(Method method, const Error& error) {
  return error.kind == ErrorKind::NotFound || error.kind == ErrorKind::AlreadyExists ||
         (method == Method::Delete && error.kind == ErrorKind::Conflict);
}

}  // namespace

WriteQueue::WriteQueue(Loop& loop, ApiServer& api,
                       std::function<void(const std::string&, const Error&)> on_error)
    : loop_(loop), api_(api), on_error_(std::move(on_error)) {}

void WriteQueue::Lane::add(const std::string& key) {
  const std::string ns = namespace_of(key);
  auto& keys = queued[ns];
  if (keys.empty()) turns.push_back(ns);
  keys.push_back(key);
}

std::string WriteQueue::Lane::take() {
  std::string ns = std::move(turns.front());
  turns.pop_front();
  auto& keys = queued.at(ns);
  std::string key = std::move(keys.front());
  keys.pop_front();
  if (keys.empty())
    queued.erase(ns);
  else
    turns.push_back(std::move(ns));
  return key;
}

WriteQueue::Lane& WriteQueue::lane_of(const std::string& key) {
  if (key.starts_with(kDelete)) return deletes_;
  return key.starts_with(kRefusal) ? refusals_ : writes_;
}

void WriteQueue::put(const std::string& key, Request request, Millis delay, Done done) {
  Entry& entry = entries_[key];
  const Instant due = loop_.now() + delay;
  const bool sooner = !entry.next || due < entry.due;
  entry.next = Write{std::move(request), std::move(done)};
  if (sooner) set_due(key, entry, due);
}

void WriteQueue::set_delay(const std::string& key, Millis delay) {
  const auto entry = entries_.find(key);
  if (entry != entries_.end() && entry->second.next) set_due(key, entry->second, loop_.now() + delay);
}

void WriteQueue::set_due(const std::string& key, Entry& entry, Instant due) {
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
  lane.add(key);
}

void WriteQueue::send(std::string key) {
  Entry& entry = entries_.at(key);
  entry.timer.reset();
  entry.queued = false;
  Write sent = std::move(*std::exchange(entry.next, std::nullopt));
  Request request = sent.request;
  ++lane_of(key).under_way;
  entry.in_flight =
      api_.request(std::move(request), [this, key, sent = std::move(sent)](Result<Response> result) mutable {
        answered(key, std::move(sent), std::move(result));
      });
}

void WriteQueue::answered(std::string key, Write sent, Result<Response> result) {
  Lane& lane = lane_of(key);
  settle(key, std::move(sent), result);
  --lane.under_way;
  if (!lane.turns.empty()) send(lane.take());
}

void WriteQueue::settle(const std::string& key, Write sent, const Result<Response>& result) {
  Entry& entry = entries_.at(key);
  entry.in_flight.reset();
  const bool done = result || as_wanted(sent.request.method, result.error());
  if (!done) on_error_(sent.request.path, result.error());
  if (!done && result.error().retryable()) return try_again(key, entry, std::move(sent));
  entry.attempts = 0;
  if (entry.next)
    arm(key, entry);
  else
    entries_.erase(key);
  if (sent.done) sent.done(done ? Result<>() : std::unexpected(result.error()));
}

void WriteQueue::try_again(const std::string& key, Entry& entry, Write sent) {
  if (!entry.next) entry.next = std::move(sent);
  const Millis delay = kFirstRetry * (1 << std::min(entry.attempts++, kMaxDoublings));
  entry.timer = loop_.after(delay, [this, key] { due(key); });
}

}  // namespace live_update
