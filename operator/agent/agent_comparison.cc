#include "operator/agent/agent_comparison.h"

#include <algorithm>

#include "core/base/path.h"

namespace live_update {
namespace {

// Below this it is cheaper to send everything than to ask.
constexpr std::size_t kFewWrites = 16, kFewBytes = 64 * 1024;
// A question covers this much, and the agent answers when it is done with it. The first answers are soon
// there; later questions are larger, as each message has its price in every program on the way. All of them
// together leave room in the session's window.
constexpr std::size_t kMostQuestions = 8, kTimesDoubled = 4;
constexpr std::size_t kFirstPathBytes = 1024;
constexpr std::uint64_t kFirstContent = 1 << 20;

bool same_mode(const DeliveryWrite& write, const agent::HaveEntry& there) {
  return (write.mode & kModeBits) == (there.mode & kModeBits);
}

bool same_content(const DeliveryWrite& write, const agent::HaveEntry& there) {
  return write.type == FileType::File && there.kind == agent::Kind::File && there.digest &&
         agent::digest_text(*there.digest) == write.digest;
}

bool same(const DeliveryWrite& write, const agent::HaveEntry& there) {
  switch (write.type) {
    case FileType::Directory:
      return there.kind == agent::Kind::Directory;
    case FileType::Symlink:
      return there.kind == agent::Kind::Symlink && there.target == write.target;
    case FileType::File:
      return same_content(write, there) && same_mode(write, there);
  }
  return false;
}

}  // namespace

bool AgentComparison::worthwhile(const AgentBatch& batch) {
  std::uint64_t bytes = 0;
  for (const auto* write : batch.writes) bytes += write->size;
  return batch.writes.size() > kFewWrites || bytes > kFewBytes;
}

AgentComparison::AgentComparison(const AgentBatch& batch, Scope scope)
    : batch_(batch), scope_(scope), due_(batch.entries(), Due::Unknown) {
  pass_over();
}

bool AgentComparison::is_asked(std::size_t entry) const {
  return scope_ == Scope::Everything || (!batch_.is_delete(entry) && !is_held(batch_.write(entry)));
}

void AgentComparison::pass_over() {
  while (asked_ < due_.size() && !is_asked(asked_)) settle(asked_++, Due::All);
}

bool AgentComparison::curious() const { return open_.size() < kMostQuestions && asked_ < due_.size(); }

agent::Have AgentComparison::ask(std::uint32_t request) {
  agent::Have have{request, root(asked_), false, {}};
  const std::size_t first = asked_;
  const std::size_t most_path_bytes = kFirstPathBytes << doubled_;
  const std::uint64_t most_content = kFirstContent << doubled_;
  std::size_t path_bytes = 0;
  std::uint64_t content = 0;
  while (asked_ < due_.size() && is_asked(asked_) && root(asked_) == have.root &&
         path_bytes < most_path_bytes && content < most_content) {
    have.paths.push_back(wanted(asked_));
    path_bytes += have.paths.back().path.size() + sizeof(std::uint64_t);
    content += have.paths.back().size;
    ++asked_;
  }
  doubled_ = std::min(doubled_ + 1, kTimesDoubled);
  open_[request] = {first, asked_};
  pass_over();
  return have;
}

void AgentComparison::hear(const agent::HaveResult& answer) {
  const auto found = open_.find(answer.request);
  if (found == open_.end()) return;
  auto& question = found->second;
  for (const auto& there : answer.entries)
    if (question.next < question.end && there.path == wanted(question.next).path) {
      settle(question.next, judge(question.next, there));
      ++question.next;
    }
  if (answer.last) give_up(answer.request);
}

void AgentComparison::give_up(std::uint32_t request) {
  const auto found = open_.find(request);
  if (found == open_.end()) return;
  for (std::size_t entry = found->second.next; entry < found->second.end; ++entry) settle(entry, Due::All);
  open_.erase(found);
}

bool AgentComparison::touches(std::string_view path) const {
  for (std::size_t entry = 0; entry < due_.size(); ++entry)
    if (due_[entry] == Due::Touch && batch_.write(entry).to == path) return true;
  return false;
}

bool AgentComparison::differs(std::size_t entry) const {
  if (due_[entry] == Due::Nothing) return false;
  if (batch_.is_delete(entry)) return batch_.gone(entry).type != FileType::Directory;
  return due_[entry] == Due::Touch || is_held(batch_.write(entry));
}

const std::string& AgentComparison::root(std::size_t entry) const {
  return batch_.is_delete(entry) ? batch_.gone(entry).root : batch_.write(entry).root;
}

// The size only matters for files: where something else is due, no digest is needed.
agent::Wanted AgentComparison::wanted(std::size_t entry) const {
  if (batch_.is_delete(entry))
    return {std::string(relative_to(batch_.gone(entry).to, batch_.gone(entry).root)), 0};
  const auto& it = batch_.write(entry);
  return {std::string(relative_to(it.to, it.root)), it.type == FileType::File ? it.size : 0};
}

AgentComparison::Due AgentComparison::judge(std::size_t entry, const agent::HaveEntry& there) const {
  if (batch_.is_delete(entry)) return there.kind == agent::Kind::Missing ? Due::Nothing : Due::All;
  const auto& it = batch_.write(entry);
  if (!stays(it)) return Due::All;
  if (same(it, there)) return Due::Nothing;
  return same_content(it, there) ? Due::Touch : Due::All;
}

bool AgentComparison::stays(const DeliveryWrite& write) const {
  if (batch_.deleted.contains(write.to)) return false;
  for (auto above = parent_path(write.to); above.size() > 1; above = parent_path(above))
    if (batch_.deleted.contains(above) || batch_.replaced.contains(above) ||
        replaced_directories_.contains(above))
      return false;
  return true;
}

void AgentComparison::settle(std::size_t entry, Due due) {
  due_[entry] = due;
  if (due == Due::All && !batch_.is_delete(entry) && batch_.write(entry).type == FileType::Directory)
    replaced_directories_.insert(batch_.write(entry).to);
}

}  // namespace live_update
