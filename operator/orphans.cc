#include "operator/orphans.h"

#include <algorithm>

#include "core/api/codec.h"
#include "core/desired/history.h"
#include "operator/requests.h"

namespace live_update {

Orphans::Orphans(Loop& loop, ApiServer& api, const Cache& cache, WriteQueue& writes, Millis time)
    : loop_(loop), api_(api), cache_(cache), writes_(writes), time_(time) {}

void Orphans::seen(const ObjectKey& live_update, const std::vector<Shared<ChangeSet>>& orphans) {
  if (groups_.contains(live_update)) return;
  Group group{{}, loop_.now() + time_};
  for (const auto& it : orphans)
    if (!deleting_.contains(it->meta.uid)) group.uids.insert(it->meta.uid);
  if (group.uids.empty()) return;
  groups_.emplace(live_update, std::move(group));
  arm();
}

void Orphans::arm() {
  if (groups_.empty() || request_ || timer_) return;
  const auto next = std::ranges::min_element(groups_, {}, [](const auto& it) { return it.second.due; });
  const auto delay = std::chrono::ceil<Millis>(next->second.due - loop_.now());
  timer_ = loop_.after(std::max(delay, Millis(0)), [this] {
    timer_.reset();
    look();
  });
}

void Orphans::look() {
  const auto next = std::ranges::min_element(groups_, {}, [](const auto& it) { return it.second.due; });
  request_ = api_.request(get_live_update(next->first), [this, key = next->first](Result<Response> result) {
    looked(key, std::move(result));
  });
}

void Orphans::looked(ObjectKey key, Result<Response> result) {
  request_.reset();
  const bool none = !result && result.error().kind == ErrorKind::NotFound;
  const auto json = result ? parse_json(result->body) : std::unexpected(result.error());
  if (none)
    remove(key, std::nullopt);
  else if (json)
    remove(key, decode_meta(*json));
  else
    groups_.at(key).due = loop_.now() + time_;
  arm();
}

// Those that were there all the time; the others have their own time.
void Orphans::remove(const ObjectKey& key, const std::optional<ObjectMeta>& live_update) {
  const auto group = groups_.extract(key);
  std::vector<Shared<ChangeSet>> younger;
  for (const auto& it : cache_.change_sets(key)) {
    if (live_update && is_of(*live_update, it->meta)) continue;
    if (!group.mapped().uids.contains(it->meta.uid)) {
      younger.push_back(it);
      continue;
    }
    deleting_.insert(it->meta.uid);
    writes_.put(std::string(WriteQueue::kDelete) + it->meta.ns + "/" + it->meta.name,
                delete_change_set(it->meta), Millis(0),
                [this, uid = it->meta.uid](const Result<>&) { deleting_.erase(uid); });
  }
  seen(key, younger);
}

}  // namespace live_update
