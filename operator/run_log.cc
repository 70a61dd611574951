#include "operator/run_log.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "operator/exec/output_tail.h"

namespace live_update {
namespace {

constexpr std::size_t kMostLines = 100, kMostBytes = 16 * 1024, kLongestLine = 2 * 1024;

}  // namespace

void RunLog::add(const std::string& container_id, const std::string& pod, int step, std::string_view bytes) {
  if (container_id_.empty()) {
    container_id_ = container_id;
    pod_ = pod;
  }
  if (container_id != container_id_) return;
  Step& to = steps_[step];
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    to.open += bytes.substr(0, std::min(end, kLongestLine - std::min(kLongestLine, to.open.size())));
    if (end == std::string_view::npos) return;
    keep(to, std::exchange(to.open, {}));
    bytes.remove_prefix(end + 1);
  }
}

void RunLog::keep(Step& step, std::string line) {
  news_ = true;
  line = clean(line);
  step.bytes += line.size() + 1;
  step.lines.push_back(std::move(line));
  while (step.lines.size() > kMostLines || step.bytes > kMostBytes) {
    step.bytes -= step.lines.front().size() + 1;
    step.lines.erase(step.lines.begin());
    ++step.first;
  }
}

void RunLog::finish(const std::string& container_id) {
  if (container_id != container_id_) return;
  for (auto& [number, step] : steps_)
    if (!step.open.empty()) keep(step, std::exchange(step.open, {}));
}

std::vector<RunOutput> RunLog::runs() const {
  std::vector<RunOutput> out;
  for (const auto& [number, step] : steps_) {
    if (step.lines.empty()) continue;
    std::string text;
    for (const auto& line : step.lines) text += line + '\n';
    out.push_back({number, pod_, step.first, std::move(text)});
  }
  return out;
}

}  // namespace live_update
