#include "core/reconcile/forgetting.h"

#include <algorithm>
#include <utility>

#include "core/reconcile/reconcile.h"

namespace live_update {
namespace {

// More are noted as one, which is less exact.
constexpr std::size_t kMostDeparted = 20, kMostImages = 20;

bool covers(const DepartedStatus& a, const DepartedStatus& b) {
  return a.confirmed <= b.confirmed && a.newest >= b.newest;
}

std::string place_of(const Target& target) { return target.pod_uid + '/' + target.container; }

// Whether it names all the containers that there were.
bool names_all(const LiveUpdateStatus& status) {
  std::size_t named = status.containers.size();
  for (const OtherContainers& it : status.others) named += it.ids.size();
  return std::cmp_equal(named, status.targets);
}

}  // namespace

void Forgetting::look(const LiveUpdate& live_update, const CheckedSpec& checked, const History& history,
                      const TargetSearch& search, const Lanes& lanes) {
  newest_ = std::max(history.newest(), live_update.status.sequence);
  const auto& told = live_update.status.forgetting;
  // What is behind a Checkpoint, and is told by it, another operator would not ask about either.
  if (!departed_.empty() || (told && !told->departed.empty()))
    first_ = std::min(history.first_beginning(), history.merged());
  deletes_ = live_update.spec.source.deletes != DeletePolicy::Never;
  if (const auto status = std::exchange(taken_over_, std::nullopt)) take_over(*status);
  if (told) take_told(*told);
  if (std::exchange(rules_, checked.mark) != checked.mark) depart({0, newest_});
  follow_images(search);
  follow_targets(search, lanes, checked.mark);
  std::erase_if(departed_, [&](const DepartedStatus& it) { return it.newest < first_; });
}

// Those that its status names are among the lanes. What came after that status, and is gone by now, got all that there
// was when it came.
void Forgetting::take_over(const LiveUpdateStatus& status) {
  if (status.forgetting) rules_ = status.forgetting->rules;
  depart({status.forgetting && names_all(status) ? status.sequence : 0, newest_});
}

void Forgetting::take_told(const ForgettingStatus& told) {
  images_.insert(told.images.begin(), told.images.end());
  for (const DepartedStatus& it : told.departed)
    if (it.newest >= first_) depart(it);
}

// It was made at some time before, of what the disk had then.
void Forgetting::follow_images(const TargetSearch& search) {
  for (const Target& it : search.targets)
    if (it.running && images_.insert(id_digest(it.image)).second) depart({0, newest_});
  while (images_.size() > kMostImages) images_.erase(images_.begin());
}

// Of one that has no volumes, and in whose place there is another one, nothing is left.
void Forgetting::follow_targets(const TargetSearch& search, const Lanes& lanes, const std::string& rules) {
  std::map<std::string, Seen> seen;
  std::set<std::string_view> places;
  for (const Target& it : search.targets) {
    if (it.container_id.empty()) continue;
    const auto before = seen_.find(it.container_id);
    seen[it.container_id] = {place_of(it), it.has_volumes,
                             before == seen_.end() ? newest_ : before->second.since};
  }
  for (const auto& [id, it] : seen) places.insert(it.place);
  for (const auto& [id, lane] : lanes) {
    if (seen.contains(id)) continue;
    const auto before = seen_.find(id);
    const Seen was = before == seen_.end() ? Seen{"", true, 0} : before->second;
    if (was.has_volumes || !places.contains(was.place))
      depart({std::max(known_up_to(lane, rules), was.since), newest_});
  }
  seen_ = std::move(seen);
}

void Forgetting::depart(DepartedStatus departed) {
  if (departed.newest == 0 ||
      std::ranges::any_of(departed_, [&](const DepartedStatus& it) { return covers(it, departed); }))
    return;
  std::erase_if(departed_, [&](const DepartedStatus& it) { return covers(departed, it); });
  departed_.push_back(departed);
  if (departed_.size() <= kMostDeparted) return;
  const DepartedStatus first = departed_.front();
  departed_.erase(departed_.begin());
  DepartedStatus& both = departed_.front();
  both = {std::min(first.confirmed, both.confirmed), std::max(first.newest, both.newest)};
}

MayForget Forgetting::may_forget() const {
  return [deletes = deletes_, departed = departed_](std::int64_t begun, std::int64_t deleted) {
    return deletes && std::ranges::none_of(departed, [&](const DepartedStatus& it) {
             return it.confirmed < deleted && begun <= it.newest;
           });
  };
}

ForgettingStatus Forgetting::status() const { return {rules_, {images_.begin(), images_.end()}, departed_}; }

}  // namespace live_update
