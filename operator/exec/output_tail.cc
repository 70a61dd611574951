#include "operator/exec/output_tail.h"

#include "core/base/text.h"

namespace live_update {
void OutputTail::add(std::string_view bytes) {
  if (bytes.size() > limit_) {
    dropped_ = true;
    kept_.clear();
    bytes.remove_prefix(bytes.size() - limit_);
  }
  kept_ += bytes;
  if (kept_.size() < 2 * limit_) return;
  dropped_ = true;
  kept_.erase(0, kept_.size() - limit_);
}

std::string OutputTail::text() const {
  std::string_view last = kept_;
  if (last.size() > limit_) last.remove_prefix(last.size() - limit_);
  if (dropped_ || last.size() < kept_.size()) {
    const std::size_t line = last.find('\n');
    if (line != std::string_view::npos && line + 1 < last.size()) last.remove_prefix(line + 1);
  }
  return clean(last);
}

}  // namespace live_update
