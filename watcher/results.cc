#include "watcher/results.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "watcher/wording.h"

namespace live_update {
namespace {

std::chrono::milliseconds since(Results::Instant begin, Results::Instant now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - begin);
}

std::string with_message(std::string text, const std::string& message) {
  return message.empty() ? text : text + ": " + message;
}

std::vector<Results::Line> spoken(std::vector<Results::Line> lines) {
  std::erase_if(lines, [](const Results::Line& line) { return line.text.empty(); });
  return lines;
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
  if (status.phase == "Applied")
    return end(found, false, with_message(fmt::format("{} in {}", pods(status), elapsed), status.message));
  if (status.phase == "Nothing") return end(found, false, with_message("nothing to update", status.message));
  if (status.phase == "Superseded")
    return end(found, false, with_message("overtaken by a later save", status.message));
  if (status.phase == "FallBack")
    return end(found, true, with_message("not updated in place", status.message));
  if (status.phase == "Refused")
    return end(found, true, with_message("refused by the operator", status.message));
  if (status.phase == "Failed") {
    batch.due.reset();
    last_ok_ = false;
    return spoken(
        {line_of(batch, true, with_message(fmt::format("{}, failed", pods(status)), status.message))});
  }
  if (status.phase == "Waiting" && !batch.due) batch.due = now + kPatience;
  if (status.phase == "Waiting") batch.due = std::min(*batch.due, std::max(now, batch.saved + kPatience));
  return {};
}

std::vector<Results::Line> Results::tick(Instant now) {
  std::vector<Line> lines;
  for (auto& [name, batch] : batches_) {
    if (!batch.due || *batch.due > now) continue;
    batch.due.reset();
    if (batch.status.phase.empty())
      lines.push_back(line_of(
          batch, true,
          fmt::format("sent, but the operator has not answered for {}; is it running? kubectl get pods -A -l "
                      "app.kubernetes.io/name=live-update",
                      say_elapsed(since(batch.saved, now)))));
    else
      lines.push_back(line_of(
          batch, true, with_message(fmt::format("{}, waiting", pods(batch.status)), batch.status.message)));
  }
  return spoken(std::move(lines));
}

std::optional<Results::Instant> Results::due() const {
  std::optional<Instant> first;
  for (const auto& [name, batch] : batches_)
    if (batch.due && (!first || *batch.due < *first)) first = batch.due;
  return first;
}

std::vector<Results::Line> Results::end(Map::iterator batch, bool problem, std::string text) {
  Line line = line_of(batch->second, problem, std::move(text));
  last_ok_ = !problem;
  batches_.erase(batch);
  return spoken({line});
}

// Nothing is said twice; a batch that failed stays open, because the next attempt may succeed.
Results::Line Results::line_of(Batch& batch, bool problem, std::string text) {
  if (std::exchange(batch.said, text) == text) return {};
  return {problem, batch.what + " -> " + text};
}

}  // namespace live_update
