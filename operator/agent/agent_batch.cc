#include "operator/agent/agent_batch.h"

#include <algorithm>
#include <set>

#include "core/desired/delivery.h"

namespace live_update {
namespace {

constexpr std::size_t kChangedTogether = 512 * 1024;

}  // namespace

AgentBatch::AgentBatch(std::shared_ptr<const Delivery> it)
    : delivery(std::move(it)), changed(changed_paths(*delivery)) {
  // What goes out behind a run that is not over is bounded (agent::kMaxAhead).
  const std::size_t runs =
      std::max<std::size_t>(1, delivery->before_sync.size() + delivery->after_sync.size());
  if (changed.size() > kChangedTogether / runs)
    changed.resize(changed.rfind('\n', kChangedTogether / runs) + 1);
  std::set<std::string> all;
  for (const auto& write : delivery->writes) {
    all.insert(write.root);
    writes.push_back(&write);
  }
  for (const auto& gone : delivery->deletes) all.insert(gone.root);
  roots.assign(all.begin(), all.end());
  const auto others = std::ranges::stable_partition(
      writes, [](const DeliveryWrite* write) { return write->type == FileType::Directory; });
  std::ranges::sort(writes.begin(), others.begin(), {}, &DeliveryWrite::to);
  if (!delivery->compare) return;
  for (const auto& gone : delivery->deletes) deleted.insert(gone.to);
  for (const auto* write : others) replaced.insert(write->to);
}

}  // namespace live_update
