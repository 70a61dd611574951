#include "watcher/results.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "core/save_times.h"
#include "watcher/wording.h"

namespace live_update {
namespace {

std::chrono::milliseconds since(Results::Instant begin, Results::Instant now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - begin);
}

std::string with_message(std::string text, const std::string& message) {
  return message.empty() ? text : text + ": " + message;
}

std::string pods(const ChangeSetStatus& status) {
  return fmt::format("{}/{} pods", status.containers, status.targets);
}

}  // namespace

void Results::posted(const std::vector<ChangeSetSpec>& parts, std::string what, Instant saved) {
  const ChangeSetSpec& last = parts.back();
  batches_[change_set_name(last.live_update, last.session, last.sequence)] = {
      .what = std::move(what), .saved = saved, .due = saved + kOperatorPatience};
}

std::vector<Results::Line> Results::status(const ChangeSet& change_set, Instant now) {
  auto found = batches_.find(change_set.meta.name);
  if (found == batches_.end()) return {};
  Batch& batch = found->second;
  batch.status = change_set.status;
  const ChangeSetStatus& status = batch.status;
  const std::string elapsed = say_elapsed(since(batch.saved, now));
  if (status.phase == "Applied") {
    const std::string parts = timings_ ? say_stages(status.milliseconds) : "";
    const std::string text =
        fmt::format("{} in {}{}", pods(status), elapsed, parts.empty() ? "" : " (" + parts + ")");
    return end(found, false, with_message(text, status.message));
  }
  if (status.phase == "Nothing") return end(found, false, with_message("nothing to update", status.message));
  if (status.phase == "Superseded")
    return end(found, false, with_message("overtaken by a later save", status.message));
  if (status.phase == "FallBack")
    return end(found, true, with_message("not updated in place", status.message));
  if (status.phase == "Refused")
    return end(found, true, with_message("refused by the operator", status.message));
  if (status.phase == "Failed") {
    batch.failed = true;
    last_ok_ = false;
    return say(batch, true, with_message(fmt::format("{}, failed", pods(status)), status.message));
  }
  batch.failed = false;
  if (status.phase == "Waiting") batch.due = std::min(batch.due, batch.saved + kPatience);
  return {};
}

void Results::removed(const std::string& change_set) { batches_.erase(change_set); }

// Names end in the sequence, so the first one that has not failed is the oldest that is waited for.
Results::Map::const_iterator Results::oldest() const {
  return std::ranges::find_if(batches_, [](const auto& item) { return !item.second.failed; });
}

std::vector<Results::Line> Results::tick(Instant now) {
  const auto time = due();
  if (!time || *time > now) return {};
  quiet_until_ = now + kPause;
  Batch& batch = batches_.at(oldest()->first);
  const auto behind = std::distance(oldest(), batches_.cend()) - 1;
  const std::string others = behind > 0 ? ", and so do " + say_count(behind, "later save") : "";
  if (!batch.status.phase.empty())
    return say(batch, true,
               with_message(fmt::format("{}, waiting{}", pods(batch.status), others), batch.status.message));
  return say(
      batch, true,
      fmt::format("sent, but the operator has not answered for {}{}; is it running? kubectl get pods -A -l "
                  "app.kubernetes.io/name=live-update",
                  say_elapsed(since(batch.saved, now)), others));
}

std::optional<Results::Instant> Results::due() const {
  const auto batch = oldest();
  if (batch == batches_.end()) return std::nullopt;
  return std::max(batch->second.due, quiet_until_);
}

std::vector<Results::Line> Results::end(Map::iterator batch, bool problem, std::string text) {
  auto lines = say(batch->second, problem, std::move(text));
  last_ok_ = !problem;
  batches_.erase(batch);
  return lines;
}

// Nothing is said twice.
std::vector<Results::Line> Results::say(Batch& batch, bool problem, std::string text) {
  if (std::exchange(batch.said, text) == text) return {};
  return {{problem, batch.what + " -> " + text}};
}

}  // namespace live_update
