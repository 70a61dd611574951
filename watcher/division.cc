#include "watcher/division.h"

namespace live_update {

std::optional<Division::Range> Division::next() const {
  if (hopeless_ || waiting_.empty()) return std::nullopt;
  return probed_ ? waiting_.back() : Range{};
}

void Division::accepted() {
  if (!std::exchange(probed_, true)) return;
  waiting_.pop_back();
  ++tries_;
}

void Division::refused(const Error& error) {
  if (!probed_) {
    hopeless_ = true;
    return;
  }
  const Range range = waiting_.back();
  waiting_.pop_back();
  const std::size_t middle = range.begin + (range.end - range.begin) / 2;
  if (range.end - range.begin <= 1) {
    refused_.push_back({range.begin, error});
  } else {
    waiting_.push_back({middle, range.end});
    waiting_.push_back({range.begin, middle});
  }
  if (++tries_ < kMostTries) return;
  undecided_.swap(waiting_);
}

}  // namespace live_update
