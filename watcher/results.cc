#include "watcher/results.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/text.h"
#include "core/reconcile/save_times.h"
#include "watcher/wording.h"

namespace live_update {
namespace {

std::chrono::milliseconds since(Results::Instant begin, Results::Instant now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - begin);
}

std::string with_message(std::string text, const std::string& message) {
  return message.empty() ? text : text + ": " + visible_lines(message);
}

std::string pods(const ChangeSetStatus& status) {
  return fmt::format("{}/{} pods", status.containers, status.targets);
}

}  // namespace

std::vector<Results::Line> Results::posted(const std::vector<ChangeSetSpec>& parts, std::string what,
                                           Instant saved, Instant now) {
  const ChangeSetSpec& last = parts.back();
  const std::string name = change_set_name(last.live_update, last.session, last.sequence);
  batches_[name] = {.what = std::move(what), .saved = saved, .stored = now, .due = now + kOperatorPatience};
  const auto early = early_.take(last.sequence);
  early_.known(last.sequence);
  return early ? told(batches_.find(name), *early, now) : std::vector<Line>();
}

std::vector<Results::Line> Results::status(const ChangeSet& change_set, Instant now) {
  auto found = batches_.find(change_set.meta.name);
  if (found != batches_.end()) return told(found, change_set.status, now);
  early_.keep(change_set);
  return {};
}

std::vector<Results::Line> Results::told(Map::iterator found, const ChangeSetStatus& status, Instant now) {
  found->second.status = status;
  std::vector<Line> lines;
  say_output(found->second, lines);
  std::ranges::move(tell(found, now), std::back_inserter(lines));
  return lines;
}

// Each line once: "  web-1 | added 12 packages".
void Results::say_output(Batch& batch, std::vector<Line>& lines) {
  for (const RunOutput& run : batch.status.runs) {
    std::int64_t& printed = batch.printed[run.step];
    if (run.line > printed)
      lines.push_back({false, fmt::format("  {} | ... {} left out", visible(run.pod),
                                          say_count(run.line - printed, "line"))});
    std::int64_t number = run.line;
    for (std::size_t at = 0; at < run.text.size(); ++number) {
      const std::size_t end = std::min(run.text.find('\n', at), run.text.size());
      if (number >= printed)
        lines.push_back({false, fmt::format("  {} | {}", visible(run.pod), run.text.substr(at, end - at))});
      at = end + 1;
    }
    printed = std::max(printed, number);
  }
}

std::vector<Results::Line> Results::tell(Map::iterator found, Instant now) {
  Batch& batch = found->second;
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
    if (std::exchange(batch.failure, status.message) == status.message) return {};
    return say(batch, true, with_message(fmt::format("{}, failed", pods(status)), status.message));
  }
  batch.failed = false;
  if (status.phase == "Waiting") batch.due = std::min(batch.due, batch.stored + kPatience);
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
  batch.failure.reset();
  const auto behind = std::distance(oldest(), batches_.cend()) - 1;
  const std::string others = behind > 0 ? ", and so do " + say_count(behind, "later save") : "";
  if (!batch.status.phase.empty())
    return say(batch, true,
               with_message(fmt::format("{}, waiting{}", pods(batch.status), others), batch.status.message));
  return say(
      batch, true,
      fmt::format("sent, but the operator has not answered for {}{}; is it running? kubectl get pods -A -l "
                  "app.kubernetes.io/name=live-update",
                  say_elapsed(since(batch.stored, now)), others));
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
