#include "core/desired/changed_paths.h"

namespace live_update {

bool can_be_listed(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto at = static_cast<unsigned char>(path[i]);
    if (at < 0x20 || at == 0x7F) return false;
    const auto next = i + 1 < path.size() ? static_cast<unsigned char>(path[i + 1]) : 0;
    if (at == 0xC2 && next >= 0x80 && next < 0xA0) return false;  // U+0080 to U+009F
  }
  return true;
}

const std::string& changed_entry(const Delivery& delivery, std::size_t number) {
  const std::size_t writes = delivery.writes.size();
  return number < writes ? delivery.writes[number].to : delivery.deletes[number - writes].to;
}

ChangedPaths changed_paths(const Delivery& delivery, std::size_t limit, const EntryCounts& counts) {
  ChangedPaths out;
  for (std::size_t i = 0; i < changed_entries(delivery); ++i) {
    if (counts && !counts(i)) continue;
    ++out.count;
    if (out.cut) continue;
    const std::string& path = changed_entry(delivery, i);
    if (!can_be_listed(path)) continue;
    const std::size_t size = path.size() + (out.list.empty() ? 0 : 1);
    if (out.list.size() + size > limit) {
      out.cut = true;
      continue;
    }
    if (!out.list.empty()) out.list += '\n';
    out.list += path;
  }
  return out;
}

}  // namespace live_update
