#include "operator/recorder.h"

#include <algorithm>
#include <utility>

#include "core/reconcile/reconcile_status.h"
#include "operator/requests.h"

namespace live_update {

namespace {

constexpr Millis kStatusDelay{50}, kStatusPeriod{250};
constexpr int kStatusesAtOnce = 5;
// Most batches are applied before this: then one write tells it, and the API server has the time for the next
// save.
constexpr Millis kWaitingDelay{500};
constexpr Millis kDeleteDelay{1'000};  // whoever watches sees the last status first
constexpr std::size_t kFewChangeSets = 100;

bool is_refusal(const ChangeSetNote& note) { return note.sequence == 0; }

std::string key_of(std::string_view kind, const ObjectMeta& it) {
  return std::string(kind) + it.ns + "/" + it.name;
}
std::string status_key(const ObjectMeta& change_set) { return key_of("changeset/", change_set); }
std::string refusal_key(const ObjectMeta& change_set) { return key_of(WriteQueue::kRefusal, change_set); }

}  // namespace

std::optional<Millis> Recorder::record(const LiveUpdate& live_update, Records& records, Decision& decision,
                                       const std::function<void(const ChangeSetNote&)>& on_applied) {
  for (const std::string& uid : std::exchange(records.refused->change_sets, {}))
    records.change_sets.erase(uid);
  if (std::exchange(records.refused->status, false) || decision.status != records.status)
    write_status(live_update, records, std::move(decision.status));
  for (ChangeSetNote& it : decision.change_sets) write_change_set(live_update, records, it, on_applied);
  for (const EventNote& it : decision.events) tell(live_update, records, it);
  const bool all = remove(records, decision.superseded, kDeleteDelay, 0);
  const bool refused = remove(records, decision.refused, options_.refused_time, kFewChangeSets);
  return all && refused ? std::nullopt : std::optional(kDeleteDelay);
}

// What is gone needs no status.
WriteQueue::Done Recorder::when_refused(const LiveUpdate& live_update, const Records& records,
                                        std::function<void(RefusedWrites&)> note) {
  return [this, refused = records.refused, key = key_of(live_update.meta),
          note = std::move(note)](const Result<>& result) {
    if (result || result.error().kind == ErrorKind::NotFound) return;
    note(*refused);
    options_.on_refused(key);
  };
}

// The status follows within 50 ms of a change that comes by itself; when they come one after the other, four
// times a second.
void Recorder::write_status(const LiveUpdate& live_update, Records& records, LiveUpdateStatus status) {
  const std::string key = key_of("status/", live_update.meta);
  Millis delay = std::chrono::hours(1);  // the time of the one that waits counts
  if (!writes_.waiting(key)) {
    records.status_credit = std::max(records.status_credit, loop_.now()) + kStatusPeriod;
    const auto ahead = std::chrono::ceil<Millis>(records.status_credit - loop_.now());
    delay = std::max(kStatusDelay, ahead - kStatusesAtOnce * kStatusPeriod);
  }
  records.status = std::move(status);
  writes_.put(key, apply_status(live_update.meta, records.status), delay,
              when_refused(live_update, records, [](RefusedWrites& it) { it.status = true; }));
}

void Recorder::write_change_set(const LiveUpdate& live_update, Records& records, ChangeSetNote& note,
                                const std::function<void(const ChangeSetNote&)>& on_applied) {
  auto& written = records.change_sets[note.meta.uid];
  if (written == note.status || is_final(written)) return;
  metrics_.change_set(note.status.phase);
  if (note.status.phase == "Applied" && written.phase != "Applied") on_applied(note);
  const bool may_wait = note.status.phase == "Waiting" && note.status.runs.empty();
  writes_.put(is_refusal(note) ? refusal_key(note.meta) : status_key(note.meta),
              apply_status(note.meta, note.status), may_wait ? kWaitingDelay : Millis(0),
              when_refused(live_update, records,
                           [uid = note.meta.uid](RefusedWrites& it) { it.change_sets.insert(uid); }));
  written = std::move(note.status);
  if (note.event) tell(live_update, records, *note.event);
}

// None goes before its last status has been written: whoever posted it would never hear what became of it.
// Those beyond the first `few` that are on their way go at once. False: some are to be asked for again.
bool Recorder::remove(Records& records, const std::vector<ObjectMeta>& change_sets, Millis delay,
                      std::size_t few) {
  bool all = true;
  for (const ObjectMeta& it : change_sets) {
    if (records.deleting.contains(it.uid)) continue;
    if (writes_.unfinished(status_key(it)) || writes_.unfinished(refusal_key(it))) {
      all = false;
      continue;
    }
    records.deleting.insert(it.uid);
    const bool soon = few > 0 && records.deleting.size() > few;
    writes_.put(key_of(WriteQueue::kDelete, it), delete_change_set(it),
                soon ? std::min(kDeleteDelay, delay) : delay);
  }
  return all;
}

void Recorder::tell(const LiveUpdate& live_update, Records& records, const EventNote& note) {
  if (!note.about.empty() && !records.events.insert(note.reason + note.about).second) return;
  if (records.events.size() > kFewChangeSets) records.events.clear();
  if (!records.event_limit.allows(loop_.now())) return;
  records.event_limit.take(loop_.now());
  Request request = create_event(live_update.meta, note, options_.instance, loop_.wall_clock());
  const std::string key = key_of("event/", live_update.meta) + "/" + std::to_string(++events_);
  writes_.put(key, std::move(request));
}

void Recorder::forget_deleted(Records& records, const std::vector<std::shared_ptr<const ChangeSet>>& there) {
  if (records.change_sets.size() + records.deleting.size() <= 2 * there.size() + kFewChangeSets) return;
  std::set<std::string_view> uids;
  for (const auto& it : there) uids.insert(it->meta.uid);
  std::erase_if(records.change_sets, [&](const auto& it) { return !uids.contains(it.first); });
  std::erase_if(records.deleting, [&](const auto& it) { return !uids.contains(it); });
}

}  // namespace live_update
