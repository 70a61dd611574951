#include "core/save_times.h"

#include <algorithm>

namespace live_update {

using std::chrono::microseconds;
using std::chrono::milliseconds;

void reached(BatchTimesMap& batches, std::int64_t after, std::int64_t upto,
             std::optional<Time> BatchTimes::* stage, Time time) {
  for (auto it = batches.upper_bound(after); it != batches.end() && it->first <= upto; ++it) {
    auto& known = it->second.*stage;
    known = std::max(known.value_or(time), time);
  }
}

SaveTimes save_times(const ChangeSetSpec& spec, const BatchTimes& times) {
  if (!spec.observed_at) return {};
  const auto since = [&](const std::optional<Time>& time) -> std::optional<microseconds> {
    if (!time) return std::nullopt;
    return std::max(microseconds(0), *time - *spec.observed_at);
  };
  return {.posted = since(spec.posted_at),
          .received = since(times.received),
          .planned = since(times.planned),
          .sent = since(times.sent),
          .confirmed = since(times.confirmed),
          .applied = since(times.applied)};
}

SaveMilliseconds in_milliseconds(const SaveTimes& times) {
  const auto round = [](const std::optional<microseconds>& time) -> std::optional<std::int64_t> {
    if (!time) return std::nullopt;
    return std::chrono::round<milliseconds>(*time).count();
  };
  return {.posted = round(times.posted),
          .received = round(times.received),
          .planned = round(times.planned),
          .sent = round(times.sent),
          .confirmed = round(times.confirmed),
          .applied = round(times.applied)};
}

std::vector<std::pair<std::string_view, microseconds>> parts_of(const SaveTimes& times) {
  std::vector<std::pair<std::string_view, microseconds>> parts;
  microseconds before{0};
  const auto add = [&](std::string_view name, const std::optional<microseconds>& time) {
    if (!time) return;
    parts.emplace_back(name, std::max(microseconds(0), *time - before));
    before = std::max(before, *time);
  };
  add("posted", times.posted);
  add("received", times.received);
  add("planned", times.planned);
  add("sent", times.sent);
  add("confirmed", times.confirmed);
  return parts;
}

std::string say_stages(const SaveMilliseconds& milliseconds) {
  std::string text;
  const auto add = [&](const char* name, const std::optional<std::int64_t>& time) {
    if (time) text += (text.empty() ? "" : ", ") + std::string(name) + ' ' + std::to_string(*time);
  };
  add("posted", milliseconds.posted);
  add("received", milliseconds.received);
  add("planned", milliseconds.planned);
  add("sent", milliseconds.sent);
  add("confirmed", milliseconds.confirmed);
  return text;
}

}  // namespace live_update
