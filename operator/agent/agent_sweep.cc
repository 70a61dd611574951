#include "operator/agent/agent_sweep.h"

#include <utility>

namespace live_update {
namespace {

constexpr std::size_t kMostQuestions = 4, kQuestionBytes = 16 * 1024;
constexpr std::uint64_t kWorkPerTurn = 4'000'000;  // some milliseconds

FoundKind found_kind(agent::Listed kind) {
  switch (kind) {
    case agent::Listed::File:
      return FoundKind::File;
    case agent::Listed::Directory:
      return FoundKind::Directory;
    case agent::Listed::Symlink:
      return FoundKind::Symlink;
    case agent::Listed::Mount:
      return FoundKind::Mount;
    default:
      return FoundKind::Other;
  }
}

}  // namespace

AgentSweep::AgentSweep(std::shared_ptr<const Mirror> mirror, After after, std::function<void()> worked)
    : sweep_(std::move(mirror)), after_(std::move(after)), worked_(std::move(worked)) {}

bool AgentSweep::curious() {
  if (!next_ && open_.size() < kMostQuestions) next_ = sweep_.ask(kQuestionBytes);
  return next_.has_value();
}

agent::List AgentSweep::ask(std::uint32_t request) {
  auto question = std::move(*next_);
  next_.reset();
  open_[request] = std::move(question.numbers);
  return {request, std::move(question.root), MirrorSweep::kMostFound, std::move(question.folders)};
}

void AgentSweep::take(const agent::ListEntry& entry, const std::vector<std::size_t>& folders) {
  if (entry.folder >= folders.size()) return sweep_.give_up("the agent's answer makes no sense");
  const std::size_t folder = folders[entry.folder];
  if (entry.kind == agent::Listed::Unreadable || entry.kind == agent::Listed::Absent)
    return sweep_.unlisted(folder, entry.kind == agent::Listed::Absent);
  sweep_.found(folder, entry.name, found_kind(entry.kind));
}

void AgentSweep::hear(const agent::Listing& answer) {
  const auto question = open_.find(answer.request);
  if (question == open_.end()) return;
  for (const auto& entry : answer.entries) take(entry, question->second);
  if (answer.last) end(answer.request);
  work();
}

void AgentSweep::give_up(std::uint32_t request) {
  const auto question = open_.find(request);
  if (question == open_.end()) return;
  for (const std::size_t folder : question->second) sweep_.unlisted(folder);
  end(request);
  work();
}

void AgentSweep::end(std::uint32_t request) {
  for (const std::size_t folder : open_.at(request)) sweep_.answered(folder);
  open_.erase(request);
}

void AgentSweep::work() {
  if (later_) return;
  WorkBudget budget{kWorkPerTurn};
  if (sweep_.work(budget)) return;
  later_ = after_(Millis(0), [this] { go_on(); });
}

// Whoever hears of it may destroy this.
void AgentSweep::go_on() {
  later_.reset();
  work();
  const auto worked = worked_;
  worked();
}

}  // namespace live_update
