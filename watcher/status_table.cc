#include "watcher/status_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdint>

#include "core/api/conditions.h"
#include "core/base/text.h"
#include "core/reconcile/save_times.h"

namespace live_update {
namespace {

using Row = std::vector<std::string>;

std::string or_dash(const std::string& text) { return text.empty() ? "-" : visible(text); }

std::string age_of(const LiveUpdate& live_update, Time now) {
  if (!live_update.meta.created) return "-";
  return say_age(std::chrono::floor<std::chrono::seconds>(now - *live_update.meta.created));
}

std::string holder_of(const LiveUpdate& live_update) {
  return live_update.status.session ? or_dash(live_update.status.session->holder) : "-";
}

// What a person should know beside the state: why it is not ready.
std::string why(const LiveUpdate& live_update) {
  for (const auto type : {condition::kStalled, condition::kFallBack})
    if (const Condition* it = find_condition(live_update.status.conditions, type); it && it->status)
      return visible_lines(it->message);
  const Condition* ready = find_condition(live_update.status.conditions, condition::kReady);
  return ready && !ready->status ? visible_lines(ready->message) : "";
}

std::string layout(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}   ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::vector<Row> container_rows(const LiveUpdateStatus& status, bool wide) {
  std::vector<Row> rows{{"POD", "CONTAINER", "STATE", "SEQUENCE"}};
  if (wide) rows[0].insert(rows[0].end(), {"TRANSPORT", "MILLISECONDS"});
  rows[0].push_back("MESSAGE");
  for (const ContainerStatus& it : status.containers) {
    if (!wide && it.state == "Synced") continue;
    Row row{visible(it.pod), visible(it.container), visible(it.state), std::to_string(it.applied_sequence)};
    if (wide)
      row.insert(row.end(),
                 {or_dash(it.transport), it.applied_at ? std::to_string(it.last_milliseconds) : "-"});
    row.push_back(visible_lines(it.message));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string say_last(const LastApplied& last) {
  const std::string parts = say_stages(last.milliseconds);
  std::string text = fmt::format("Sequence {} was applied", last.sequence);
  if (last.milliseconds.applied) text += fmt::format(" {} ms after the save", *last.milliseconds.applied);
  return parts.empty() ? text : text + " (" + parts + ")";
}

}  // namespace

std::string say_age(std::chrono::seconds age) {
  const auto s = std::max<std::int64_t>(0, age.count());
  if (s < 120) return fmt::format("{}s", s);
  if (s < 7200) return fmt::format("{}m", s / 60);
  if (s < 172'800) return fmt::format("{}h", s / 3600);
  return fmt::format("{}d", s / 86'400);
}

std::string status_table(const std::vector<LiveUpdate>& live_updates, Time now) {
  std::vector<Row> rows{{"NAME", "TARGET", "SYNCED", "SEQUENCE", "STATE", "HOLDER", "AGE"}};
  for (const LiveUpdate& it : live_updates) {
    const LiveUpdateStatus& status = it.status;
    rows.push_back({visible(it.meta.name), or_dash(status.target), or_dash(status.synced),
                    std::to_string(status.sequence), or_dash(status.state), holder_of(it), age_of(it, now)});
  }
  return layout(rows);
}

std::string status_details(const LiveUpdate& live_update, bool wide, Time now) {
  const LiveUpdateStatus& status = live_update.status;
  std::string text = status_table({live_update}, now);
  if (const std::string message = why(live_update); !message.empty()) text += '\n' + message + '\n';
  if (status.fall_back) {
    const FallBackStatus& it = *status.fall_back;
    text += fmt::format("\nFall-back ({}, {}): {}\n", visible(it.reason), visible(it.phase),
                        visible_lines(it.message));
    for (const std::string& path : it.paths) text += "  " + visible(path) + '\n';
    if (it.other_paths > 0) text += fmt::format("  and {} more\n", it.other_paths);
  }
  const std::vector<Row> rows = container_rows(status, wide);
  if (rows.size() > 1) text += '\n' + layout(rows);
  if (wide && status.last_applied) text += '\n' + say_last(*status.last_applied) + '\n';
  return text;
}

}  // namespace live_update
