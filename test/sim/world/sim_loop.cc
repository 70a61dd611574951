#include "test/sim/world/sim_loop.h"

#include <cstdio>
#include <cstdlib>

namespace live_update::sim {
namespace {

constexpr Time kBegin{std::chrono::seconds(1'790'000'000)};

[[noreturn]] void no_descriptors() {
  std::fprintf(stderr, "sim: nothing in a simulation may wait for descriptors or signals\n");
  std::abort();
}

}  // namespace

SimLoop::SimLoop(std::uint64_t seed) : random_(seed, 1) {}

// What is pending may own Handles, which look for the queue.
SimLoop::~SimLoop() {
  while (!queue_->work.empty()) auto pending = queue_->work.extract(queue_->work.begin());
}

Time SimLoop::wall_clock() const { return kBegin + elapsed() + wall_; }

int SimLoop::run() {
  while (!std::exchange(stopped_, false) && !queue_->work.empty()) step(Instant::max());
  return exit_code_;
}

void SimLoop::stop(int exit_code) {
  stopped_ = true;
  exit_code_ = exit_code;
}

SimLoop::Key SimLoop::put(Instant due, Callback work) {
  const Key key{std::max(due, now_), ++queue_->order};
  queue_->work.emplace(key, std::move(work));
  return key;
}

void SimLoop::post(Callback work) { put(now_, std::move(work)); }

Handle SimLoop::in(Micros delay, Callback work) {
  const Key key = put(now_ + delay, std::move(work));
  return Handle([queue = std::weak_ptr(queue_), key] {
    if (const auto alive = queue.lock()) auto dropped = alive->work.extract(key);
  });
}

Handle SimLoop::every(Millis period, std::function<void()> work) {
  struct Ticker {
    SimLoop* loop;
    Millis period;
    std::function<void()> work;
    Handle next;
    void arm(const std::shared_ptr<Ticker>& self) {
      next = loop->after(period, [weak = std::weak_ptr(self)] {
        const auto ticker = weak.lock();
        if (!ticker) return;
        ticker->arm(ticker);
        ticker->work();
      });
    }
  };
  auto ticker = std::make_shared<Ticker>(this, std::max(period, Millis(1)), std::move(work), Handle());
  ticker->arm(ticker);
  return Handle([ticker] { ticker->next.reset(); });
}

Handle SimLoop::on_readable(int, std::function<void()>) { no_descriptors(); }
Handle SimLoop::on_signal(int, std::function<void()>) { no_descriptors(); }

bool SimLoop::step(Instant until) {
  const auto first = queue_->work.begin();
  if (first == queue_->work.end() || first->first.first > until) {
    if (until != Instant::max()) now_ = std::max(now_, until);
    return false;
  }
  now_ = first->first.first;
  ++steps_;
  auto next = queue_->work.extract(first);
  next.mapped()();
  return true;
}

}  // namespace live_update::sim
