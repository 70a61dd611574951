#include "operator/agent/agent_batch.h"

#include <algorithm>
#include <set>

#include "core/desired/mirror.h"

namespace live_update {
// Of the room behind a run that is not over, what the commands leave.
std::size_t changed_limit(const Delivery& delivery) {
  const std::size_t runs = delivery.before_sync.size() + delivery.after_sync.size();
  const std::size_t commands = std::min(command_bytes(delivery), kMostCommandBytes);
  return std::min(kChangedLimit, (kMostRunBytes - commands) / std::max<std::size_t>(1, runs));
}

AgentBatch::AgentBatch(std::shared_ptr<const Delivery> it)
    : delivery(std::move(it)), changed(changed_paths(*delivery, changed_limit(*delivery))) {
  std::set<std::string> all;
  for (const auto& write : delivery->writes) {
    all.insert(write.root);
    writes.push_back(&write);
  }
  for (const auto& gone : delivery->deletes) all.insert(gone.root);
  if (delivery->mirror)
    for (const auto& folder : delivery->mirror->folders) all.insert(folder.root);
  roots.assign(all.begin(), all.end());
  const auto others = std::ranges::stable_partition(
      writes, [](const DeliveryWrite* write) { return write->type == FileType::Directory; });
  std::ranges::sort(writes.begin(), others.begin(), {}, &DeliveryWrite::to);
  all_held = std::ranges::all_of(delivery->writes, is_held);
  if (all_held && !delivery->compare && !looks_first(*delivery)) return;
  for (const auto& gone : delivery->deletes) deleted.insert(gone.to);
  for (const auto* write : others) replaced.insert(write->to);
}

}  // namespace live_update
