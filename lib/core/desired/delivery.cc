#include "core/desired/delivery.h"

#include <algorithm>

namespace live_update {

bool is_held(const DeliveryWrite& write) {
  return write.type != FileType::File || write.size == 0 || !write.pieces.empty();
}

WantedContent wanted_content(const DeliveryWrite& write) { return {write.from, write.digest, write.size}; }

bool looks_first(const Delivery& delivery) {
  const auto looks = [](const DeliveryRun& run) { return run.due.looks(); };
  return std::ranges::any_of(delivery.before_sync, looks) ||
         std::ranges::any_of(delivery.after_sync, looks) ||
         (delivery.restart && delivery.restart_due.looks());
}

}  // namespace live_update
