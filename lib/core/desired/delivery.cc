#include "core/desired/delivery.h"

namespace live_update {

bool is_mode_change(const DeliveryWrite& write) {
  return write.type == FileType::File && write.size > 0 && write.pieces.empty();
}

}  // namespace live_update
