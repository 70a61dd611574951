// What a run is told of the paths that changed (rule 4.6): LIVE_UPDATE_CHANGED and its kin. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "core/desired/delivery.h"

namespace live_update {

inline constexpr std::size_t kChangedLimit = 32 * 1024;

struct ChangedPaths {
  std::string list;       // LIVE_UPDATE_CHANGED: absolute paths in the container, one a line, whole lines
  std::size_t count = 0;  // LIVE_UPDATE_CHANGED_COUNT: how many there were, whether they are listed or not
  bool cut = false;       // there are more that can be listed than fit: LIVE_UPDATE_CHANGED_FILE has them all
};
// `limit`: bytes of the list. `counts`: which entries count; not given: all do.
using EntryCounts = std::function<bool(std::size_t)>;
ChangedPaths changed_paths(const Delivery& delivery, std::size_t limit = kChangedLimit,
                           const EntryCounts& counts = {});

// The paths of a delivery, by number: the writes, then the deletes.
inline std::size_t changed_entries(const Delivery& delivery) {
  return delivery.writes.size() + delivery.deletes.size();
}
const std::string& changed_entry(const Delivery& delivery, std::size_t number);

// False for a name with control characters: a line break in it would forge entries of a list.
bool can_be_listed(std::string_view path);

}  // namespace live_update
