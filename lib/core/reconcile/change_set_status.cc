#include "core/reconcile/change_set_status.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/reconcile/reconcile_status.h"

namespace live_update {

namespace {

constexpr std::chrono::seconds kOthersPatience{1};

std::string place_of(const ContainerStatus& container) {
  return "pod " + container.pod + ", container " + container.container + ": ";
}

// What the containers say to one batch.
struct Answers {
  std::int64_t have = 0;      // containers that confirmed its files, whatever their runs did
  bool more_to_come = false;  // soon: a delivery is under way, or is tried again after a lost connection
  bool failed = false;        // a container refused it, or a run failed there (rules 4.7, 4.9)
  bool refused = false;       // not only runs failed
  bool same = false;          // `failure` is what was told before
  // What was told before, while a container still says it; or of the container that failed first, so that it
  // stays the same when others follow. But a refusal goes before a failed run.
  std::string failure;
  std::optional<Instant> since;  // when the first of them failed
};

class ChangeSetDescriber {
 public:
  ChangeSetDescriber(const Observed& observed, const std::string& fall_back, Decision& decision)
      : o_(observed), fall_back_(fall_back), d_(decision), newest_(observed.history.newest()) {}

  void describe() {
    for (const Batch& batch : o_.history.batches()) {
      if (is_final(batch.status)) continue;
      note(batch.meta(), batch.status, status_of(batch), batch.last);
      if (!d_.change_sets.empty() && d_.change_sets.back().sequence == batch.last)
        d_.change_sets.back().event = event_of(batch, d_.change_sets.back().status);
    }
    for (const Refused& refused : o_.history.refused()) {
      ChangeSetStatus status;
      status.phase = refused.phase;
      status.message = refused.message;
      note(refused.meta, refused.status, status);
    }
  }

 private:
  void note(const ObjectMeta& meta, const ChangeSetStatus& old, ChangeSetStatus status,
            std::int64_t sequence = 0) {
    if (is_final(old)) return;
    if (old.milliseconds.received) status.milliseconds.received = old.milliseconds.received;
    if (old.milliseconds.applied) status.milliseconds = old.milliseconds;
    if (status == old) return;
    d_.change_sets.push_back({meta, std::move(status), sequence});
  }

  // Rule 6.6. However many fall back in a row, each is told of.
  std::optional<EventNote> event_of(const Batch& batch, const ChangeSetStatus& now) const {
    if (now.phase != "FallBack" || batch.status.phase == "FallBack") return std::nullopt;
    const Judgement& judgement = o_.judgements.at(batch.last);
    return EventNote{false, "FallBack",
                     std::string(to_string(judgement.reason)) + ": " + say_fall_back(judgement) +
                         "; ChangeSet " + say_author(batch) + "; " + d_.status.fall_back->message,
                     batch.meta().name};
  }

  ChangeSetStatus status_of(const Batch& batch) {
    ChangeSetStatus status;
    if (const auto it = o_.printed.find(batch.last); it != o_.printed.end()) status.runs = it->second;
    const Answers answers = answers_to(batch);
    status.targets = d_.status.targets;
    status.containers = answers.have;
    const auto judged = o_.judgements.find(batch.last);
    const auto kind = judged == o_.judgements.end() ? Judgement::Update : judged->second.kind;
    if (kind == Judgement::FallBack && d_.status.fall_back) {
      status.phase = "FallBack";
      status.message = fall_back_;
    } else if (kind == Judgement::Nothing) {
      status.phase = "Nothing";
    } else if (answers.failed && !others_may_answer(batch, answers)) {
      status.phase = "Failed";
      // Runs that fail once more are told of the batch that brought them along.
      const bool told = batch.status.phase == "Failed" && !answers.refused;
      status.message = told ? batch.status.message : answers.failure;
    } else if (status.targets == 0 || status.containers < status.targets) {
      status.phase = "Waiting";
      status.message = waits_for();
    } else {
      status.phase = "Applied";
    }
    if (status.message.empty() && judged != o_.judgements.end()) status.message = judged->second.refused;
    // Without the container: with many, it would change with each answer.
    if (status.message.empty() && status.phase == "Waiting")
      status.message = "sequence " + std::to_string(batch.last) + " is being applied";
    status.milliseconds = milliseconds_of(batch, status.phase == "Applied");
    return status;
  }

  std::string waits_for() const {
    if (d_.status.targets == 0) return o_.search.message;
    for (const char* state : {"Waiting", "Suspended", "Retrying", "FallBack"})
      if (std::string message = first_message(d_.status.containers, state); !message.empty()) return message;
    return "";
  }

  Answers answers_to(const Batch& batch) const {
    Answers answers;
    for (const ContainerStatus& it : d_.status.containers) {
      const auto found = o_.lanes.find(it.container_id);
      const bool without = found != o_.lanes.end() && lacks_some(found->second, batch);
      const bool has =
          !without && (it.applied_sequence >= batch.last || (it.state == "Synced" && newest_ >= batch.last));
      if (has && it.state != "FallBack") ++answers.have;
      answers.more_to_come |= !has && (it.state == "Applying" || it.state == "Retrying");
      if (found == o_.lanes.end()) continue;
      const Lane& lane = found->second;
      const bool failed = it.state == "Failed" && !has;
      const bool refuses = failed && lane.problem && lane.problem->sequence >= batch.last;
      answers.more_to_come |= failed && !refuses;  // what failed was older; this one is tried now
      if (refuses)
        add(answers, batch, true, message_of(it), lane.failed_at);
      else if (!it.failed_steps.empty() && (has || it.state == "RunFailed"))
        add(answers, batch, false, place_of(it) + lane.run_message, lane.failed_at);
    }
    return answers;
  }

  // Content of this batch that is not held.
  static bool lacks_some(const Lane& lane, const Batch& batch) {
    return !lane.wanted.empty() && std::ranges::any_of(batch.spec.changes, [&](const Change& change) {
      const auto it = lane.wanted.find(change.path);
      return it != lane.wanted.end() && it->second.digest == change.digest;
    });
  }

  static void add(Answers& answers, const Batch& batch, bool refuses, const std::string& failure,
                  Instant failed_at) {
    const bool same = batch.status.phase == "Failed" && failure == batch.status.message;
    const bool first = !answers.since || failed_at < *answers.since;
    const bool graver = refuses && !answers.refused;
    if (!answers.failed || graver || (refuses == answers.refused && !answers.same && (same || first))) {
      answers.failure = failure;
      answers.same = same;
    }
    if (first) answers.since = failed_at;
    answers.refused |= refuses;
    answers.failed = true;
  }

  // A person wants one line for one save: a failure is told when all have answered, or a second after it.
  bool others_may_answer(const Batch& batch, const Answers& answers) {
    if (!answers.more_to_come || batch.status.phase == "Failed") return false;
    const Instant patience = *answers.since + kOthersPatience;
    if (patience <= o_.now) return false;
    d_.look_again_at(patience);
    return true;
  }

  // How far it is. What may be tried again is told when it is over.
  SaveMilliseconds milliseconds_of(const Batch& batch, bool applied) const {
    const auto found = o_.times.find(batch.last);
    if (found == o_.times.end()) return {};
    if (!applied) return in_milliseconds(save_times(batch.spec, {found->second.received}));
    BatchTimes times = found->second;
    if (!times.applied) times.applied = o_.wall;
    return in_milliseconds(save_times(batch.spec, times));
  }

  const Observed& o_;
  const std::string& fall_back_;
  Decision& d_;
  const std::int64_t newest_;
};

}  // namespace

void describe_change_sets(const Observed& observed, const std::string& fall_back, Decision& decision) {
  ChangeSetDescriber(observed, fall_back, decision).describe();
}

std::string say_author(const Batch& batch) {
  return batch.meta().name + (batch.spec.user.empty() ? "" : " of " + visible(batch.spec.user));
}

// What a run has printed may contain anything.
std::string message_of(const ContainerStatus& container) {
  const std::string place = container.pod + ", container " + container.container;
  const bool says_where = container.state != "RunFailed" && container.message.contains(place);
  return says_where ? container.message : place_of(container) + container.message;
}

std::string first_message(const std::vector<ContainerStatus>& containers, std::string_view state) {
  for (const ContainerStatus& it : containers)
    if (it.state == state) return message_of(it);
  return {};
}

}  // namespace live_update
