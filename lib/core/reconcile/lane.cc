#include "core/reconcile/lane.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/digest64.h"
#include "core/desired/mirror.h"
#include "core/rules/rules_mark.h"

namespace live_update {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFirstBackoff{250}, kLongestBackoff{30'000};
// A container that stops within this of a signal was ended by it; the kubelet tells so a little later.
constexpr milliseconds kSignalTakesEffect{30'000};

std::string place_of(const Target& target) { return target.pod_uid + "/" + target.container; }

bool asks_fall_back(const Delivery& delivery, int step) {
  const auto asks = [&](const DeliveryRun& it) {
    return it.step == step && it.on_failure == OnFailure::FallBack;
  };
  return std::ranges::any_of(delivery.before_sync, asks) || std::ranges::any_of(delivery.after_sync, asks);
}

std::string say_end(const RunFailure& failure) {
  return "run step " + std::to_string(failure.step) +
         (failure.timed_out ? " was ended by its timeout"
                            : " exited with " + std::to_string(failure.exit_code));
}

bool goes_on(const Delivery& delivery, int step) {
  const auto does = [&](const DeliveryRun& it) {
    return it.step == step && it.on_failure == OnFailure::Continue;
  };
  return std::ranges::any_of(delivery.before_sync, does) || std::ranges::any_of(delivery.after_sync, does);
}

// The one that ended the steps in full, and all others.
std::string describe(const Delivery& delivery, const std::vector<RunFailure>& failures) {
  if (failures.empty()) return "";
  auto main = std::ranges::find_if(failures, [&](const auto& it) { return !goes_on(delivery, it.step); });
  if (main == failures.end()) main = failures.begin();
  std::string text = say_end(*main), others;
  for (auto it = failures.begin(); it != failures.end(); ++it)
    if (it != main) others += (others.empty() ? "" : ", ") + say_end(*it);
  if (!others.empty()) text += " (also " + others + ")";
  return main->tail.empty() ? text : text + ": " + main->tail;
}

// Where the status said something else of the container, the run's own words are lost with the operator.
std::string say_failed(const std::vector<int>& steps) {
  std::string numbers;
  for (int step : steps) numbers += (numbers.empty() ? "" : ", ") + std::to_string(step);
  return "a run failed (" + std::string(steps.size() == 1 ? "step " : "of steps ") + numbers + ")";
}

// It was compared by these rules, whatever there was before.
void take_rules(Lane& lane, const std::string& rules) {
  if (lane.rules == rules) return;
  lane.older_rules |= leaves_behind(lane.rules, rules);
  lane.wanted.clear();
  lane.held.clear();
  lane.rules = rules;
}

void take_wanted(Lane& lane, const Delivery& delivery, const std::vector<WantedContent>& wanted) {
  if (delivery.whole) lane.wanted.clear();
  for (const DeliveryWrite& it : delivery.writes) lane.wanted.erase(it.from);
  for (const RemoteDelete& it : delivery.deletes) lane.wanted.erase(it.from);
  for (const WantedContent& it : wanted) lane.wanted[it.path] = it;
}

// Without a look nothing more is known; one below some folders tells of these only.
void take_held(Lane& lane, const Delivery& delivery, const std::string& held) {
  if (delivery.mirror && (delivery.mirror->compares || !held.empty())) lane.held = held;
}

// The spec may have changed while the attempt was under way.
void keep_begun(Lane& lane, const Delivery& delivery, const std::vector<int>& begun) {
  if (begun.empty() || !delivery.steps) return;
  if (!lane.steps) lane.steps = delivery.steps;
  for (const int step : match_due(begun, *delivery.steps, *lane.steps).due)
    if (std::ranges::find(lane.begun, step) == lane.begun.end()) lane.begun.push_back(step);
  std::ranges::sort(lane.begun);
}

// What ContainerStatus and OtherContainers have in common.
Lane lane_from(const auto& it, const std::shared_ptr<const StepMarks>& steps) {
  Lane lane;
  lane.applied = it.applied_sequence;
  lane.was_synced = it.state == "Synced" || it.applied_sequence > 0;
  lane.transport = it.transport;
  lane.rules = it.rules;
  lane.older_rules = it.older_rules;
  lane.resumed = it.state == "Applying" || it.state == "Retrying" || it.state == "Failed";
  lane.failed_steps = it.failed_steps;
  lane.steps = steps;
  if (!it.failed_steps.empty()) lane.run_message = say_failed(it.failed_steps);
  return lane;
}

// A status with many containers knows most by digests of their IDs only.
const std::string kByDigest = "#";

Lanes::iterator find_lane(Lanes& lanes, const std::string& container_id) {
  const auto known = lanes.find(container_id);
  if (known != lanes.end() || container_id.empty()) return known;
  auto by_digest = lanes.extract(kByDigest + id_digest(container_id));
  if (!by_digest) return lanes.end();
  by_digest.key() = container_id;
  return lanes.insert(std::move(by_digest)).position;
}

}  // namespace

Lanes lanes_from(const LiveUpdateStatus& status) {
  Lanes lanes;
  std::shared_ptr<const StepMarks> steps;
  if (!status.due.empty()) {
    StepMarks marks;
    std::ranges::transform(status.due, std::back_inserter(marks), mark_from);
    steps = std::make_shared<StepMarks>(std::move(marks));
  }
  for (const ContainerStatus& it : status.containers) {
    Lane& lane = lanes[it.container_id] = lane_from(it, steps);
    lane.replace_pod =
        it.replace_pod || it.message.starts_with(kPodGoes);  // older ones have the message only
    lane.applied_at = it.applied_at;
    lane.last_milliseconds = it.last_milliseconds;
    if (it.state == "RunFailed" && !it.message.empty()) lane.run_message = it.message;
  }
  for (const OtherContainers& it : status.others)
    for (const std::string& digest : it.ids) lanes[kByDigest + digest] = lane_from(it, steps);
  return lanes;
}

std::string id_digest(const std::string& container_id) { return Digest64().add(container_id).text(); }

bool is_doubtful(const Lane& lane, const std::string& rules) {
  return lane.applied > 0 && lane.rules != rules;
}

std::vector<const WantedContent*> lacked_content(const Lane& lane, const Tree& all) {
  std::vector<const WantedContent*> lacked;
  for (const auto& [path, it] : lane.wanted)
    if (const Entry* entry = all.find(path); entry && entry->digest == it.digest) lacked.push_back(&it);
  return lacked;
}

bool may_have_more(const Lane& lane, const Tree& all) {
  return std::ranges::any_of(lacked_content(lane, all),
                             [&](const auto* it) { return all.find(it->path)->has_content(); });
}

std::int64_t known_up_to(const Lane& lane, const std::string& rules) {
  return is_doubtful(lane, rules) ? 0 : lane.applied;
}

void follow(Lanes& lanes, const std::shared_ptr<const StepMarks>& steps, const std::string& rules) {
  for (auto& [id, lane] : lanes) {
    // An older status does not tell, and with Tar a comparison does everything again.
    if (lane.rules.empty() && lane.transport == "Tar") lane.rules = rules;
    const auto before = std::exchange(lane.steps, steps);
    if (!before || before == steps || *before == *steps) continue;
    if (!lane.begun.empty()) lane.begun = match_due(lane.begun, *before, *steps).due;
    if (lane.failed_steps.empty()) continue;
    DueAgain again = match_due(lane.failed_steps, *before, *steps);
    lane.failed_steps = std::move(again.due);
    for (const int step : again.dropped)
      lane.warnings.push_back(
          "what was step " + std::to_string(step) +
          " failed and was due again; spec.steps has it no more, so it is not done again");
  }
}

void follow(Lanes& lanes, const TargetSearch& search, Instant now) {
  for (const Target& target : search.targets) {
    const auto known = find_lane(lanes, target.container_id);
    if (known != lanes.end() && !target.running && !known->second.stopped) known->second.stopped = now;
    if (known != lanes.end() || target.container_id.empty()) continue;
    const Lane* before = nullptr;  // the last one in this place
    for (const auto& [id, lane] : lanes)
      if (lane.signalled && lane.place == place_of(target) &&
          (!before || *before->signalled < *lane.signalled))
        before = &lane;
    if (!before) continue;
    const bool ended = before->stopped.value_or(now) - *before->signalled <= kSignalTakesEffect;
    lanes[target.container_id].ended_by_signal = ended;
  }
}

void begin(Lane& lane, const Target& target, std::shared_ptr<const Delivery> delivery, Instant now) {
  lane.under_way = std::move(delivery);
  const auto& restart = lane.under_way->restart;
  lane.place = place_of(target);
  lane.signalled.reset();
  if (restart && std::holds_alternative<RestartSignal>(restart->how)) lane.signalled = now;
}

void settle(Lane& lane, const DeliveryOutcome& outcome, Instant now, Time wall, milliseconds took) {
  const auto delivery = std::exchange(lane.under_way, nullptr);
  if (lane.signalled) lane.signalled = now;
  if (const auto* problem = std::get_if<NotDelivered>(&outcome)) {
    lane.problem = Lane::Problem{*problem, delivery->sequence, delivery->generation};
    const auto backoff = std::min(kLongestBackoff, kFirstBackoff * (1 << std::min(lane.attempts, 7)));
    ++lane.attempts;
    lane.failed_at = now;
    lane.not_before = problem->wrong ? now : now + backoff;  // without that content it is another delivery
    keep_begun(lane, *delivery, problem->begun);
    return;
  }
  const auto& delivered = std::get<Delivered>(outcome);
  take_rules(lane, delivery->rules);
  take_wanted(lane, *delivery, delivered.wanted);
  lane.begun.clear();
  lane.resumed = false;
  lane.applied = delivery->sequence;
  lane.applied_at = wall;
  lane.last_milliseconds = took.count();
  lane.problem.reset();
  lane.attempts = 0;
  lane.warnings = delivered.warnings;
  lane.warnings.insert(lane.warnings.end(), delivery->notes.begin(), delivery->notes.end());
  take_held(lane, *delivery, delivered.held);
  lane.transport = delivered.transport;
  lane.replace_pod |= delivered.replace_pod;
  lane.failed_steps = delivered.skipped;
  lane.steps = delivery->steps;
  lane.run_wants_fall_back = false;
  if (!delivered.failures.empty()) lane.failed_at = now;
  for (const RunFailure& failure : delivered.failures) {
    lane.failed_steps.push_back(failure.step);
    lane.run_wants_fall_back |= asks_fall_back(*delivery, failure.step);
  }
  lane.run_message = describe(*delivery, delivered.failures);
  std::ranges::sort(lane.failed_steps);
}

void confirm(Lane& lane, std::int64_t sequence, const std::string& rules, Time wall) {
  take_rules(lane, rules);
  lane.begun.clear();
  lane.resumed = false;
  lane.applied = sequence;
  lane.applied_at = wall;
  lane.problem.reset();
  lane.attempts = 0;
}

}  // namespace live_update
