// The identity of an object among those of its kind.
#pragma once

#include <compare>
#include <string>

#include "core/api/kinds.h"

namespace live_update {

struct ObjectKey {
  std::string ns, name;
  auto operator<=>(const ObjectKey&) const = default;
};

inline ObjectKey key_of(const ObjectMeta& meta) { return {meta.ns, meta.name}; }
// "shop-dev/web", for messages.
inline std::string to_string(const ObjectKey& key) {
  return key.ns.empty() ? key.name : key.ns + "/" + key.name;
}

}  // namespace live_update
