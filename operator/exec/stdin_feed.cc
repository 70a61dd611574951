#include "operator/exec/stdin_feed.h"

#include <utility>

namespace live_update {
namespace {

constexpr std::size_t kWindow = 256 * 1024;

}  // namespace

StdinFeed::StdinFeed(After after, Events events) : after_(std::move(after)), events_(std::move(events)) {}

void StdinFeed::send(std::string bytes) {
  const std::size_t size = bytes.size();
  under_way_ += size;
  session_->write(std::move(bytes), [this, size] {
    under_way_ -= size;
    pump();
    if (events_.on_written) events_.on_written();
  });
}

void StdinFeed::stream(ByteSource source) {
  sources_.push_back(std::move(source));
  pump();
}

void StdinFeed::stop() {
  stopped_ = true;
  later_.reset();
  if (!pumping_) sources_.clear();
}

void StdinFeed::pump() {
  if (std::exchange(pumping_, true)) return;
  while (!stopped_ && !sources_.empty() && under_way_ < kWindow && take_piece()) {
  }
  pumping_ = false;
  if (stopped_) sources_.clear();
}

bool StdinFeed::take_piece() {
  auto piece = sources_.front()();
  if (!piece) {
    stop();
    events_.on_broken(piece.error());
    return false;
  }
  const bool end = piece->then == Chunk::End, idle = piece->bytes.empty() && !end;
  if (end) sources_.pop_front();
  if (!piece->bytes.empty()) send(std::move(piece->bytes));
  if (end && events_.on_end) events_.on_end();
  if (idle) later_ = after_(Millis(0), [this] { pump(); });
  return !idle;
}

}  // namespace live_update
