#include "core/reconcile/save_times.h"

#include <algorithm>

namespace live_update {

using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

// A laptop may sleep over a weekend with a save that was not sent; and clocks differ, but not by much.
constexpr std::chrono::hours kOldest{7 * 24};
constexpr std::chrono::minutes kSkew{5};

bool can_be(Time time, Time received) { return time >= received - kOldest && time <= received + kSkew; }

// All but the last, which is the whole.
template <typename Stages>
auto single_stages() {
  constexpr auto all = Stages::all();
  return std::vector(all.begin(), all.end() - 1);
}

}  // namespace

void reached(BatchTimesMap& batches, std::int64_t after, std::int64_t upto,
             std::optional<Time> BatchTimes::* stage, Time time) {
  for (auto it = batches.upper_bound(after); it != batches.end() && it->first <= upto; ++it) {
    auto& known = it->second.*stage;
    known = std::max(known.value_or(time), time);
  }
}

SaveTimes save_times(const ChangeSetSpec& spec, const BatchTimes& times) {
  if (!spec.observed_at || !can_be(*spec.observed_at, times.received)) return {};
  const bool posted = spec.posted_at && can_be(*spec.posted_at, times.received);
  const auto since = [&](const std::optional<Time>& time) -> std::optional<microseconds> {
    if (!time) return std::nullopt;
    return std::max(microseconds(0), *time - *spec.observed_at);
  };
  return {.posted = posted ? since(spec.posted_at) : std::nullopt,
          .received = since(times.received),
          .planned = since(times.planned),
          .sent = since(times.sent),
          .confirmed = since(times.confirmed),
          .applied = since(times.applied)};
}

SaveMilliseconds in_milliseconds(const SaveTimes& times) {
  SaveMilliseconds out;
  for (std::size_t i = 0; i < SaveTimes::all().size(); ++i)
    if (const auto& time = times.*SaveTimes::all()[i].time)
      out.*SaveMilliseconds::all()[i].time = std::chrono::round<milliseconds>(*time).count();
  return out;
}

std::vector<std::pair<std::string_view, microseconds>> parts_of(const SaveTimes& times) {
  std::vector<std::pair<std::string_view, microseconds>> parts;
  microseconds before{0};
  for (const auto& stage : single_stages<SaveTimes>()) {
    const auto& time = times.*stage.time;
    if (!time) continue;
    parts.emplace_back(stage.name, std::max(microseconds(0), *time - before));
    before = std::max(before, *time);
  }
  return parts;
}

std::string say_stages(const SaveMilliseconds& milliseconds) {
  std::string text;
  for (const auto& stage : single_stages<SaveMilliseconds>())
    if (const auto& time = milliseconds.*stage.time)
      text += (text.empty() ? "" : ", ") + std::string(stage.name) + ' ' + std::to_string(*time);
  return text;
}

}  // namespace live_update
