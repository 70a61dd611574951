#include "operator/recorder.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/api/codec.h"
#include "core/reconcile/reconcile_status.h"
#include "operator/requests.h"

namespace live_update {

namespace {

constexpr Millis kStatusDelay{50}, kStatusPeriod{250};
constexpr int kStatusesAtOnce = 5;
constexpr Millis kRoutinePeriod{1'000};
// Most batches are applied before this: then one write tells it, and the API server has the time for the next
// save.
constexpr Millis kWaitingDelay{500};
constexpr Millis kDeleteDelay{1'000};  // whoever watches sees the last status first
constexpr std::size_t kFewChangeSets = 100;

bool is_refusal(const ChangeSetNote& note) { return note.sequence == 0; }

// By this somebody may act: everything of a container but how far it is.
auto what_counts(const ContainerStatus& it) {
  return std::tie(it.container_id, it.state, it.message, it.transport, it.rules, it.older_rules,
                  it.failed_steps);
}

// All was well, and all is well with the same containers: only numbers are others.
bool is_routine(const LiveUpdateStatus& before, const LiveUpdateStatus& now) {
  const auto quiet = [](const LiveUpdateStatus& it) {
    return it.state == "Synced" && it.due.empty() && it.wanted.empty() && it.others.empty();
  };
  const auto alike = [](const Condition& a, const Condition& b) {
    return std::tie(a.type, a.status, a.reason) == std::tie(b.type, b.status, b.reason);
  };
  const auto same = [](const ContainerStatus& a, const ContainerStatus& b) {
    return what_counts(a) == what_counts(b);
  };
  return quiet(before) && quiet(now) && before.observed_generation == now.observed_generation &&
         before.synced == now.synced && before.baseline == now.baseline &&
         before.baseline_rules == now.baseline_rules && before.unmatched == now.unmatched &&
         before.session.has_value() == now.session.has_value() &&
         (!now.session || before.session->holder == now.session->holder) &&
         std::ranges::equal(before.conditions, now.conditions, alike) &&
         std::ranges::equal(before.containers, now.containers, same);
}

// With an older status the next operator applies the last batch once more: to files that is nothing.
bool may_apply_again(const LiveUpdateSpec& spec) {
  return std::ranges::none_of(spec.steps, [](const Step& step) {
    return std::holds_alternative<Run>(step) || std::holds_alternative<Restart>(step);
  });
}

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
  if (std::exchange(records.refused->status, false) || decision.status != records.status ||
      has_status_of_another(live_update))
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
// times a second; and once a second where each time all is well again: each write is one of etcd, and an event for
// everybody who watches.
void Recorder::write_status(const LiveUpdate& live_update, Records& records, LiveUpdateStatus status) {
  const std::string key = key_of("status/", live_update.meta);
  const Instant now = loop_.now();
  const bool waits = writes_.waiting(key);
  if (!waits) {
    records.sent = std::move(records.status);
    records.sent_at = records.status_due;
  }
  const bool routine = may_apply_again(live_update.spec) && is_routine(records.sent, status);
  if (routine) {
    records.status_due = std::max(now + kStatusDelay, records.sent_at + kRoutinePeriod);
  } else if (!waits || records.routine) {
    records.status_credit = std::max(records.status_credit, now) + kStatusPeriod;
    const Instant allowed = records.status_credit - kStatusesAtOnce * kStatusPeriod;
    records.status_due = std::max(now + kStatusDelay, allowed);
  }
  records.routine = routine;
  records.status = std::move(status);
  const Millis delay = std::max(std::chrono::ceil<Millis>(records.status_due - now), Millis(0));
  writes_.put(key, apply_status(live_update.meta, records.status), delay,
              when_refused(live_update, records, [](RefusedWrites& it) { it.status = true; }));
  writes_.set_delay(key, delay);
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
