#include "core/reconcile/container_status.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

#include "core/base/text.h"
#include "core/reconcile/baseline.h"

namespace live_update {

namespace {

constexpr std::string_view kOlderRules =
    "what syncs that are gone have put elsewhere in this container stays until it is new";
constexpr std::size_t kMostNamed = 5;

std::string number(std::int64_t value) { return std::to_string(value); }

// Of all containers, what is not held: by path.
std::map<std::string, WantedContent> all_wanted(const Observed& o) {
  std::map<std::string, WantedContent> all;
  for (const Target& target : o.search.targets) {
    const auto lane = o.lanes.find(target.container_id);
    if (lane == o.lanes.end() || lane->second.wanted.empty()) continue;
    for (const WantedContent* it : lacked_content(lane->second, o.history.all()))
      if (!o.history.all().find(it->path)->has_content()) all.emplace(it->path, *it);
  }
  return all;
}

// "docs/x, docs/y and 3 more".
std::string name_paths(const std::vector<const WantedContent*>& wanted, const History& history) {
  std::string text;
  for (std::size_t i = 0; i < wanted.size() && i < kMostNamed; ++i) {
    text += (i ? ", " : "") + visible(wanted[i]->path);
    if (history.is_disbelieved(wanted[i]->path))
      text += " (what a ChangeSet brought as that is something else)";
  }
  return wanted.size() > kMostNamed ? text + " and " + std::to_string(wanted.size() - kMostNamed) + " more"
                                    : text;
}

std::string say_lacked(const std::vector<const WantedContent*>& lacked, const History& history) {
  return "lacks the content of " + name_paths(lacked, history) + ", which nobody in the cluster holds";
}

class Describer {
 public:
  Describer(const Observed& observed, const PendingFallBacks& pending, Decision& decision)
      : o_(observed),
        pending_(pending),
        d_(decision),
        spec_(observed.live_update.spec),
        newest_(observed.history.newest()) {
    for (const DeliverTo& it : d_.deliveries) delivered_to_.insert(it.target.container_id);
    for (const auto& [id, sequence] : d_.confirmed) confirmed_.insert(id);
  }

  void describe() {
    LiveUpdateStatus& status = d_.status;
    status.targets = static_cast<std::int64_t>(o_.search.targets.size());
    for (const Target& target : o_.search.targets) {
      status.containers.push_back(container(target));
      const std::string& state = status.containers.back().state;
      if (state == "Synced") ++status.synced_targets;
      if (has_caught_up(target, state)) d_.in_sync.push_back(target.container_id);
    }
    for (const auto& [id, lane] : o_.lanes)
      if (!lane.failed_steps.empty() && lane.steps && status.due.empty())
        for (const StepMark& it : *lane.steps) status.due.push_back(to_text(it));
    wanted();
    status.synced = number(status.synced_targets) + "/" + number(status.targets);
  }

 private:
  void wanted() {
    for (const auto& [path, it] : all_wanted(o_)) {
      if (d_.status.wanted.size() == o_.limits.wanted) return;
      d_.status.wanted.push_back({path, it.digest});
    }
  }

  ContainerStatus container(const Target& target) const {
    static const Lane fresh;
    auto it = o_.lanes.find(target.container_id);
    const Lane& lane = it == o_.lanes.end() ? fresh : it->second;
    ContainerStatus status{target.pod, target.container, target.container_id, lane.applied, lane.applied_at};
    status.transport = lane.transport;
    status.last_milliseconds = lane.last_milliseconds;
    status.rules = lane.wanted.empty() && lane.held.empty() ? lane.rules : std::string(kWithoutContent);
    status.older_rules = lane.older_rules;
    status.replace_pod = lane.replace_pod;
    status.failed_steps = lane.failed_steps;
    std::tie(status.state, status.message) = state_of(target, lane);
    return status;
  }

  // For the first time: whatever its runs did, it has what there is.
  bool has_caught_up(const Target& target, std::string_view state) const {
    if (state != "Synced" && state != "RunFailed" && state != "FallBack") return false;
    const auto lane = o_.lanes.find(target.container_id);
    if (lane == o_.lanes.end()) return state == "Synced";
    return !lane->second.was_synced && (state == "Synced" || lane->second.applied >= newest_);
  }

  std::pair<std::string, std::string> state_of(const Target& target, const Lane& lane) const {
    if (!target.running) return {"Waiting", waiting(target)};
    if (const std::int64_t pending = pending_.newest(target))
      return {"FallBack", "made before the fall-back of sequence " + number(pending)};
    if (lane.replace_pod && target.has_controller) return replacing(target, lane);
    if (lane.replace_pod)
      return {"Failed",
              "process 1 does not end on TERM, and nothing would recreate the pod: let it handle TERM, or "
              "recreate the pod yourself"};
    if (lane.problem && !is_confirmed(target))
      return {lane.problem->what.curable ? "Retrying" : "Failed", lane.problem->what.message};
    if (lane.under_way || is_delivered_to(target)) return {"Applying", ""};
    const bool doubtful = is_doubtful(lane, o_.checked.mark);
    if (known_up_to(lane, o_.checked.mark) < o_.history.lost())
      return {"Waiting",
              "what it lacks was deleted; live-update watch on the developer's machine brings it again"};
    if ((lane.applied < newest_ || doubtful) && !is_confirmed(target))
      return spec_.suspend ? std::pair{"Suspended", "changes wait until spec.suspend is false"}
                           : std::pair{"Waiting", "sequence " + number(newest_) + " is due"};
    if (const auto lacked = lacked_content(lane, o_.history.all()); !lacked.empty())
      return {"Waiting", say_lacked(lacked, o_.history)};
    if (!lane.failed_steps.empty()) return {"RunFailed", lane.run_message};
    if (snapshot_missing(o_)) return {"Waiting", "waits for the watcher's first full sync"};
    if (must_compare(o_.checked, d_.status)) return {"Waiting", std::string(kMustCompare)};
    if (!lane.held.empty()) return {"Waiting", lane.held};
    if (!lane.warnings.empty()) return {"Synced", lane.warnings.front()};
    return {"Synced", lane.older_rules ? std::string(kOlderRules) : ""};
  }

  // What the container lacks is a restart, and only deleting its pod gives it one.
  std::pair<std::string, std::string> replacing(const Target& target, const Lane& lane) const {
    const std::string goes(kPodGoes);
    const auto it = o_.deletions.verdict(target.pod_uid, lane.applied, o_.now);
    if (it.refused)
      return {"Retrying", goes + "; the API server refuses that, and is asked again: " + it.why};
    if (it.kind == PodDeletions::Verdict::Never)
      return {"Failed", goes + ", but not this one: " + it.why +
                            ", and the next save may delete others. Let process 1 end on TERM"};
    if (it.kind == PodDeletions::Verdict::Wait) return {"Waiting", goes + ", but not yet: " + it.why};
    return {"Applying", goes};
  }

  // Rule 5.4: what runs into a crash loop says after which update.
  std::string waiting(const Target& target) const {
    std::string text = target.waiting_reason;
    for (const ContainerStatus& it : o_.before.containers)
      if (it.pod == target.pod && it.container == target.container && target.restarts > 0 &&
          it.applied_sequence > 0)
        text += ": it ended after sequence " + number(it.applied_sequence) +
                " was applied; see kubectl logs -p " + target.pod;
    return text;
  }

  bool is_delivered_to(const Target& target) const { return delivered_to_.contains(target.container_id); }
  bool is_confirmed(const Target& target) const { return confirmed_.contains(target.container_id); }

  const Observed& o_;
  const PendingFallBacks& pending_;
  Decision& d_;
  const LiveUpdateSpec& spec_;
  const std::int64_t newest_;
  std::set<std::string_view> delivered_to_, confirmed_;  // container IDs
};

}  // namespace

bool snapshot_missing(const Observed& o) {
  const bool wanted = std::ranges::any_of(
      o.live_update.spec.steps, [](const Step& step) { return std::holds_alternative<InitialSync>(step); });
  return wanted && !o.history.snapshot_since(0);
}

std::string say_wanted(const Observed& o) {
  const auto all = all_wanted(o);
  if (all.empty()) return {};
  std::uint64_t bytes = 0;
  std::vector<const WantedContent*> wanted;
  for (const auto& [path, it] : all) {
    bytes += it.size;
    wanted.push_back(&it);
  }
  const std::string files = wanted.size() == 1 ? "1 file" : std::to_string(wanted.size()) + " files";
  const auto& session = o.before.session;
  const std::string holder = session && !session->holder.empty() ? " of " + visible(session->holder) : "";
  return "the content of " + files + " (" + std::to_string(bytes) +
         " bytes) is needed, and nobody in the cluster holds it: " + name_paths(wanted, o.history) +
         "; live-update watch " + o.live_update.meta.name + " on the machine" + holder + " sends it";
}

void describe_containers(const Observed& observed, const PendingFallBacks& pending, Decision& decision) {
  Describer(observed, pending, decision).describe();
}

}  // namespace live_update
