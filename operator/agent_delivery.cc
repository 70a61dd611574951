#include "operator/agent_delivery.h"

#include <algorithm>
#include <utility>

#include "core/conditions.h"
#include "core/path.h"
#include "operator/exec_diagnosis.h"
#include "run/loop.h"

namespace live_update {
namespace {

constexpr Millis kPatience{30'000};
constexpr std::uint32_t kCreditStep = 128 * 1024;
constexpr int kCannotStart = 127, kSignalled = 128;
// Below this it is cheaper to send everything than to ask.
constexpr std::size_t kFewWrites = 16, kFewBytes = 64 * 1024;
constexpr std::size_t kMostAsked = 4096, kMostAskedBytes = 512 * 1024;  // in one request
constexpr std::size_t kMostRequests = 32;                               // for digests, at a time
constexpr std::size_t kMostWarnings = 16, kLongestText = 1024;          // of what a container says
constexpr std::size_t kLongestCommand = 512 * 1024;

bool worth_asking(const AgentBatch& batch) {
  std::uint64_t bytes = 0;
  for (const auto* write : batch.writes) bytes += write->size;
  return batch.writes.size() > kFewWrites || bytes > kFewBytes;
}

std::string_view reason_of(agent::Code code) {
  switch (code) {
    case agent::Code::Escapes:
      return reason::kPathEscapes;
    case agent::Code::Digest:
      return reason::kDigestMismatch;
    case agent::Code::NoSpace:
      return reason::kNoSpace;
    case agent::Code::ReadOnly:
      return reason::kReadOnlyFileSystem;
    case agent::Code::Permission:
      return reason::kNotWritable;
    case agent::Code::NotRestarted:
      return reason::kRestartFailed;
    default:
      return reason::kFailed;
  }
}

// What a container says goes into logs and to terminals.
std::string said(std::string_view text) { return clean(text.substr(0, kLongestText)); }

bool too_long(const DeliveryRun& run) {
  std::size_t size = 0;
  for (const auto& word : run.command) size += word.size();
  return size > kLongestCommand;
}

agent::Gate gate_of(const DeliveryRun& run, bool fresh) {
  return {fresh, true, run.on_failure == OnFailure::Continue};
}

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

AgentDelivery::AgentDelivery(AgentSession& session, const ContainerRef& to,
                             std::shared_ptr<const AgentBatch> batch, OnOutput on_output)
    : session_(session), to_(to), batch_(std::move(batch)), on_output_(std::move(on_output)) {
  delivered_.transport = "Agent";
}

void AgentDelivery::start() {
  for (const auto* runs : {&batch_->delivery->before_sync, &batch_->delivery->after_sync}) {
    const auto long_one = std::ranges::find_if(*runs, too_long);
    if (long_one == runs->end()) continue;
    problem_ = NotDelivered{std::string(reason::kUnsupported),
                            about("spec.steps[" + std::to_string(long_one->step) +
                                  "].run: its command is longer than 512 KiB; put it into a file"),
                            false};
    phase_ = Phase::Main;
    return advance();
  }
  if (batch_->delivery->compare && worth_asking(*batch_)) return compare();
  before();
}

std::uint32_t AgentDelivery::expect(Pending pending) {
  const std::uint32_t request = session_.next_request();
  pending_.emplace(request, std::move(pending));
  return request;
}

// What is there already, by digest (rule 5.3).
void AgentDelivery::compare() {
  std::map<std::string, std::vector<agent::Wanted>> wanted;
  for (const auto* write : batch_->writes)
    wanted[write->root].push_back({std::string(relative_to(write->to, write->root)),
                                   write->type == FileType::File ? write->size : agent::kAnySize});
  for (const auto& gone : batch_->delivery->deletes)
    wanted[gone.root].push_back({std::string(relative_to(gone.to, gone.root)), 0});
  for (auto& [root, paths] : wanted) {
    std::vector<agent::Wanted> some;
    std::size_t bytes = 0;
    for (auto& path : paths) {
      bytes += path.path.size() + sizeof(agent::Wanted);
      some.push_back(std::move(path));
      if (some.size() < kMostAsked && bytes < kMostAskedBytes) continue;
      questions_.push_back({root, std::exchange(some, {})});
      bytes = 0;
    }
    if (!some.empty()) questions_.push_back({root, std::move(some)});
  }
  ask();
}

void AgentDelivery::ask() {
  std::string frames;
  while (pending_.size() < kMostRequests && !questions_.empty()) {
    Question question = std::move(questions_.front());
    questions_.pop_front();
    for (const auto& path : question.wanted) there_[join_path(question.root, path.path)];
    session_.writer().append(
        frames, agent::Request(agent::Have{expect(Comparison{question.root}), question.root, false,
                                           std::move(question.wanted)}));
  }
  if (!frames.empty()) session_.send(std::move(frames));
}

// Only what was asked for counts.
void AgentDelivery::found(const agent::HaveResult& it) {
  const auto* comparison = std::get_if<Comparison>(&pending_.at(it.request));
  if (!comparison) return;
  for (const auto& entry : it.entries)
    if (const auto asked = there_.find(join_path(comparison->root, entry.path)); asked != there_.end())
      asked->second = entry;
  if (!it.last) return;
  pending_.erase(it.request);
  ask();
}

void AgentDelivery::compared() {
  auto has = std::make_shared<AgentHas>();
  for (const auto* write : batch_->writes) {
    const auto there = there_.find(write->to);
    if (there == there_.end() || !there->second) continue;
    if (same(*write, *there->second))
      has->same.insert(write);
    else if (same_content(*write, *there->second))
      has->content.insert(write);
  }
  for (const auto& gone : batch_->delivery->deletes)
    if (const auto there = there_.find(gone.to);
        there != there_.end() && there->second && there->second->kind == agent::Kind::Missing)
      has->missing.insert(gone.to);
  there_.clear();
  has_ = std::move(has);
}

void AgentDelivery::before() {
  phase_ = Phase::Before;
  const auto& runs = batch_->delivery->before_sync;
  if (runs.empty()) return main();
  std::string frames;
  add_runs(frames, runs, true);
  session_.send(std::move(frames));
}

// The batch and what follows it need no answer in between: one write, if it is small.
void AgentDelivery::main() {
  phase_ = Phase::Main;
  const bool fresh = batch_->delivery->before_sync.empty();
  if (batch_->empty()) {
    std::string frames;
    add_tail(frames);
    if (pending_.empty()) return advance();
    return session_.send(std::move(frames));
  }
  const std::uint32_t request = expect(Batch{});
  streaming_ = true;
  session_.stream(with_tail(agent_frames(batch_, has_, request, {.fresh = fresh}, session_.writer())));
}

// The agent may refuse the batch while it is still being sent: all of it is sent nevertheless, as the agent
// waits for its end, but nothing behind it.
ByteSource AgentDelivery::with_tail(ByteSource frames) {
  return [this, frames = std::move(frames), ended = false]() mutable -> Result<std::string> {
    if (ended) return std::string();
    auto piece = frames();
    if (!piece || piece->size() >= kAgentPiece) return piece;
    ended = true;
    streaming_ = false;
    if (problem_)
      advance_if_done();
    else
      add_tail(*piece);
    return piece;
  };
}

void AgentDelivery::add_runs(std::string& frames, const std::vector<DeliveryRun>& runs, bool fresh) {
  for (const DeliveryRun& run : runs) {
    const std::uint32_t request = expect(RunPending{&run, OutputTail(), 0});
    session_.writer().append(frames, agent::Request(agent_run(*batch_, run, request, gate_of(run, fresh))));
    fresh = false;
  }
}

void AgentDelivery::add_tail(std::string& frames) {
  const Delivery& delivery = *batch_->delivery;
  const bool fresh = batch_->empty() && delivery.before_sync.empty();
  add_runs(frames, delivery.after_sync, fresh);
  delivered_.sent = Loop::exact_wall_clock();
  if (!delivery.restart) return;
  const std::uint32_t request = expect(RestartPending{&*delivery.restart, delivery.restart_step});
  const auto restart =
      agent_restart(*delivery.restart, request, {fresh && delivery.after_sync.empty(), true, false});
  if (restart) return session_.writer().append(frames, agent::Request(*restart));
  pending_.erase(request);
  problem_ = NotDelivered{std::string(reason::kRestartFailed), about(restart.error().message), false};
}

void AgentDelivery::hear(const agent::Answer& answer) {
  const auto request = std::visit(
      [](const auto& it) {
        if constexpr (requires { it.request; })
          return it.request;
        else
          return std::uint32_t{0};
      },
      answer);
  if (!pending_.contains(request)) return;  // of a delivery before this one
  if (const auto* it = std::get_if<agent::Failed>(&answer)) failed(*it);
  if (const auto* it = std::get_if<agent::RunOutput>(&answer)) printed(*it);
  if (const auto* it = std::get_if<agent::RunExit>(&answer)) ended(*it);
  if (const auto* it = std::get_if<agent::Skipped>(&answer)) skipped(*it);
  if (const auto* it = std::get_if<agent::HaveResult>(&answer)) found(*it);
  if (const auto* it = std::get_if<agent::Warning>(&answer)) warned(*it);
  if (std::holds_alternative<agent::Confirmed>(answer) || std::holds_alternative<agent::Restarted>(answer))
    pending_.erase(request);
  advance_if_done();
}

void AgentDelivery::advance_if_done() {
  if (pending_.empty() && !streaming_) advance();
}

void AgentDelivery::warned(const agent::Warning& it) {
  if (delivered_.warnings.size() < kMostWarnings) delivered_.warnings.push_back(about(said(it.text)));
}

void AgentDelivery::advance() {
  if (phase_ == Phase::Compare) {
    compared();
    return before();
  }
  if (phase_ == Phase::Before) return main();
  outcome_ = problem_ ? DeliveryOutcome(*problem_) : DeliveryOutcome(std::move(delivered_));
}

std::string AgentDelivery::about(const std::string& what) const { return to_string(to_) + ": " + what; }

NotDelivered AgentDelivery::problem(const agent::Failed& failed) const {
  const std::string remedy = failed.remedy.empty() ? "" : "; " + said(failed.remedy);
  const std::string user = failed.error == 0 ? "" : " for user ID " + std::to_string(session_.agent().uid);
  return {std::string(reason_of(failed.code)), about(said(failed.reason) + user + remedy), false};
}

void AgentDelivery::failed(const agent::Failed& it) {
  const Pending pending = std::move(pending_.at(it.request));
  pending_.erase(it.request);
  if (std::holds_alternative<Batch>(pending)) problem_ = problem(it);
  if (const auto* run = std::get_if<RunPending>(&pending)) {
    delivered_.failures.push_back({run->run->step, kCannotStart, false, said(it.reason)});
  }
  if (const auto* restart = std::get_if<RestartPending>(&pending)) {
    // Process 1 without a handler cannot be ended from inside: the pod has to go.
    delivered_.replace_pod = std::holds_alternative<RestartContainer>(restart->restart->how);
    if (!delivered_.replace_pod) problem_ = problem(it);
  }
}

void AgentDelivery::printed(const agent::RunOutput& it) {
  auto* run = std::get_if<RunPending>(&pending_.at(it.request));
  if (!run || it.bytes.empty()) return;
  run->tail.add(it.bytes);
  if (on_output_) on_output_(run->run->step, it.bytes);
  run->unpaid += static_cast<std::uint32_t>(it.bytes.size());
  if (run->unpaid < kCreditStep) return;
  std::string frames;
  session_.writer().append(frames, agent::Request(agent::Credit{it.request, std::exchange(run->unpaid, 0)}));
  session_.send(std::move(frames));
}

void AgentDelivery::ended(const agent::RunExit& it) {
  const auto* run = std::get_if<RunPending>(&pending_.at(it.request));
  if (!run) return;
  const bool exited = it.how == agent::RunHow::Exited;
  if (!exited || it.code != 0)
    delivered_.failures.push_back({run->run->step,
                                   exited ? it.code : kSignalled + std::clamp(it.code, 0, kSignalled - 1),
                                   it.how == agent::RunHow::TimedOut, run->tail.text()});
  pending_.erase(it.request);
}

void AgentDelivery::skipped(const agent::Skipped& it) {
  if (const auto* run = std::get_if<RunPending>(&pending_.at(it.request)))
    delivered_.skipped.push_back(run->run->step);
  if (const auto* restart = std::get_if<RestartPending>(&pending_.at(it.request)))
    delivered_.skipped.push_back(restart->step);
  pending_.erase(it.request);
}

DeliveryOutcome AgentDelivery::lost(const AgentEnd& end) const {
  const bool only_the_restart =
      pending_.size() == 1 && std::holds_alternative<RestartPending>(pending_.begin()->second);
  if (only_the_restart && !problem_) {
    // Only if the container has really ended: a cut connection looks the same from here.
    const auto& how = std::get<RestartPending>(pending_.begin()->second).restart->how;
    const bool over = end.killed || diagnose(to_, end.error).reason == reason::kWaiting;
    if (std::holds_alternative<RestartContainer>(how) && over) return delivered_;
  }
  if (end.kind == AgentEnd::Nonsense || end.kind == AgentEnd::TakenOver)
    return NotDelivered{std::string(reason::kRetrying),
                        about("the session with the agent was ended: " + said(end.error.message)), true};
  return diagnose(to_, end.error);
}

Millis AgentDelivery::patience() const {
  Millis sum = kPatience;
  for (const auto& [request, pending] : pending_) {
    if (const auto* run = std::get_if<RunPending>(&pending))
      sum += std::chrono::seconds(run->run->timeout_seconds + 10);
    if (const auto* restart = std::get_if<RestartPending>(&pending))
      if (const auto* process = std::get_if<RestartProcess>(&restart->restart->how))
        sum += std::chrono::seconds(process->grace_seconds + process->alive_seconds);
  }
  return sum;
}

}  // namespace live_update
