// What all containers that get the same delivery share of it. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/desired/changed_paths.h"
#include "core/desired/delivery.h"
#include "operator/exec/run_limits.h"

namespace live_update {

// What goes out behind a run that is not over is bounded (agent::kMaxAhead): so many bytes are all runs of a
// delivery together, their commands, and with LIVE_UPDATE_CHANGED in each.
inline constexpr std::size_t kMostCommandBytes = 768 << 10, kMostRunBytes = 1000 << 10;

// How long the list of changed paths may be, so that there is room for it with every run.
std::size_t changed_limit(const Delivery& delivery);

struct AgentBatch {
  explicit AgentBatch(std::shared_ptr<const Delivery> it);
  std::shared_ptr<const Delivery> delivery;
  std::vector<std::string> roots;            // each sync root once
  std::vector<const DeliveryWrite*> writes;  // directories first, a parent before its children
  ChangedPaths changed;                      // as much of it as there is room for with every run
  // Where a comparison is due: absolute paths that are deleted, and those at which files or symlinks will be.
  std::unordered_set<std::string_view> deleted, replaced;
  bool all_held = true;  // what it writes
  bool empty() const { return entries() == 0; }
  // Entries have numbers, in the order in which they are sent: the deletes, then `writes`.
  std::size_t entries() const { return delivery->deletes.size() + writes.size(); }
  bool is_delete(std::size_t entry) const { return entry < delivery->deletes.size(); }
  const RemoteDelete& gone(std::size_t entry) const { return delivery->deletes[entry]; }
  const DeliveryWrite& write(std::size_t entry) const { return *writes[entry - delivery->deletes.size()]; }
  // The number that the delivery has for it (changed_entry).
  std::size_t number(std::size_t entry) const {
    if (is_delete(entry)) return delivery->writes.size() + entry;
    return static_cast<std::size_t>(&write(entry) - delivery->writes.data());
  }
};

}  // namespace live_update
