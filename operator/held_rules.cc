#include "operator/held_rules.h"

#include <algorithm>
#include <iterator>

#include "core/reconcile/reconcile.h"

namespace live_update {

std::list<HeldRules::Held>::iterator HeldRules::find(const std::string& uid) {
  return std::ranges::find(held_, uid, &Held::uid);
}

PathRules& HeldRules::of(const LiveUpdate& live_update) {
  const ObjectMeta& meta = live_update.meta;
  const auto known = find(meta.uid);
  if (known != held_.end() && known->generation == meta.generation) {
    held_.splice(held_.begin(), held_, known);
    return known->rules;
  }
  if (known != held_.end()) held_.erase(known);
  make_room();
  held_.push_front(Held{meta.uid, meta.generation, compile_rules(live_update.spec), false});
  return held_.front().rules;
}

// There is always one that does not go on, as `goes_on` leaves it.
void HeldRules::make_room() {
  while (held_.size() >= kMost)
    held_.erase(std::prev(std::ranges::find(held_.rbegin(), held_.rend(), false, &Held::goes_on).base()));
}

void HeldRules::goes_on(const std::string& uid) {
  const auto others =
      std::ranges::count_if(held_, [&](const Held& it) { return it.goes_on && it.uid != uid; });
  const auto known = find(uid);
  if (known != held_.end()) known->goes_on = static_cast<std::size_t>(others) + 1 < kMost;
}

void HeldRules::rests(const std::string& uid, bool forget) {
  const auto known = find(uid);
  if (known == held_.end()) return;
  known->goes_on = false;
  if (forget) known->rules.forget();
}

void HeldRules::drop(const std::string& uid) {
  if (const auto known = find(uid); known != held_.end()) held_.erase(known);
}

}  // namespace live_update
