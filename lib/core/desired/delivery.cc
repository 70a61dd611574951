#include "core/desired/delivery.h"

namespace live_update {
namespace {

constexpr std::size_t kChangedLimit = 32 * 1024;

}  // namespace

bool is_mode_change(const DeliveryWrite& write) {
  return write.type == FileType::File && write.size > 0 && write.pieces.empty();
}

std::string changed_paths(const Delivery& delivery) {
  std::string lines;
  const auto add = [&](const std::string& path) {
    if (lines.size() + path.size() + 1 > kChangedLimit) return;
    if (!lines.empty()) lines += '\n';
    lines += path;
  };
  for (const DeliveryWrite& write : delivery.writes) add(write.to);
  for (const RemoteDelete& gone : delivery.deletes) add(gone.to);
  return lines;
}

}  // namespace live_update
