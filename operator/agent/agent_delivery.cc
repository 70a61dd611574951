#include "operator/agent/agent_delivery.h"

#include <algorithm>
#include <utility>

#include "core/api/conditions.h"
#include "core/base/text.h"
#include "operator/exec/exec_diagnosis.h"
#include "run/loop.h"

namespace live_update {
namespace {

constexpr Millis kPatience{30'000};
constexpr std::uint32_t kCreditStep = 128 * 1024;
constexpr int kCannotStart = 127, kSignalled = 128;
constexpr std::size_t kMostWarnings = 16;
constexpr std::size_t kLongestCommand = 512 * 1024;

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

}  // namespace

AgentDelivery::AgentDelivery(AgentSession& session, const ContainerRef& to,
                             std::shared_ptr<const AgentBatch> batch, Clock clock, Turns turns,
                             OnOutput on_output)
    : session_(session),
      to_(to),
      batch_(std::move(batch)),
      clock_(std::move(clock)),
      turns_(std::move(turns)),
      on_output_(std::move(on_output)) {
  delivered_.transport = "Agent";
}

void AgentDelivery::start() {
  const auto wrong = run_trouble(*batch_->delivery, {kLongestCommand, kMostCommandBytes});
  const bool looks = looks_first(*batch_->delivery) || batch_->delivery->mirror;
  if (!wrong) return looks ? look() : before();
  problem_ = NotDelivered{std::string(reason::kUnsupported), about(*wrong), false};
  phase_ = Phase::Main;
  advance();
}

std::uint32_t AgentDelivery::expect(Pending pending) {
  const std::uint32_t request = session_.next_request();
  pending_.emplace(request, std::move(pending));
  return request;
}

// Rule 3.7: what differs in this container decides what runs, also before the batch. So does what only it has.
void AgentDelivery::look() {
  phase_ = Phase::Looking;
  if (looks_first(*batch_->delivery)) comparison_.emplace(*batch_);
  sweep();
  ask();
  looked_if_complete();
}

void AgentDelivery::looked_if_complete() {
  if ((!comparison_ || comparison_->complete()) && (!sweep_ || sweep_->complete())) looked();
}

// Rule 4.5.
void AgentDelivery::sweep() {
  const auto& mirror = batch_->delivery->mirror;
  if (!mirror) return;
  if ((session_.agent().features & agent::kFeatureList) != 0)
    sweep_.emplace(mirror, turns_.after, [this] { went_on(); });
  else
    delivered_.warnings.push_back(about(
        "spec.source.deletes: Mirror: nothing that only this container has was deleted, as its agent is an "
        "older one; it is replaced when the container is restarted"));
}

void AgentDelivery::went_on() {
  if (phase_ == Phase::Looking) {
    ask();
    looked_if_complete();
  }
  const auto moved = turns_.moved;
  moved();
}

void AgentDelivery::swept() {
  MirrorFindings found = sweep_->findings();
  extra_ = std::move(found.deletes);
  delivered_.held = std::move(found.held);
  if (!found.note.empty()) delivered_.warnings.push_back(about(found.note));
}

void AgentDelivery::looked() {
  if (sweep_) swept();
  if (!comparison_) return before();
  differs_.emplace(batch_->entries(), false);
  for (std::size_t entry = 0; entry < batch_->entries(); ++entry)
    (*differs_)[batch_->number(entry)] = comparison_->differs(entry);
  changed_ = changed_paths(*batch_->delivery, changed_limit(*batch_->delivery), counts());
  before();
}

EntryCounts AgentDelivery::counts() const {
  if (!differs_) return {};
  return [this](std::size_t number) { return differs_->at(number); };
}

bool AgentDelivery::is_due(const DueIf& due, int step) const {
  if (!due.looks()) return true;
  if (!differs_) return false;
  if (due.kind == DueIf::AnyDiffers)
    return !extra_.empty() || std::ranges::find(*differs_, true) != differs_->end();
  const auto& mirror = batch_->delivery->mirror;
  if (std::ranges::any_of(extra_, [&](const auto& it) { return mirror->rules->triggers(step, it.from); }))
    return true;
  return std::ranges::any_of(due.entries, [&](std::size_t number) { return differs_->at(number); });
}

std::vector<const DeliveryRun*> AgentDelivery::due_of(const std::vector<DeliveryRun>& runs) const {
  std::vector<const DeliveryRun*> due;
  for (const DeliveryRun& run : runs)
    if (is_due(run.due, run.step)) due.push_back(&run);
  return due;
}

// All that a look has made due, done or not: a run is done once more rather than not at all.
std::vector<int> AgentDelivery::due_steps() const {
  std::vector<int> steps;
  if (!differs_) return steps;
  const Delivery& delivery = *batch_->delivery;
  for (const auto* runs : {&delivery.before_sync, &delivery.after_sync})
    for (const DeliveryRun* run : due_of(*runs)) steps.push_back(run->step);
  if (delivery.restart && is_due(delivery.restart_due, delivery.restart_step))
    steps.push_back(delivery.restart_step);
  return steps;
}

// The first request forgets what failed in an earlier delivery.
agent::Gate AgentDelivery::gate(bool keep_going) {
  const bool first = std::exchange(fresh_, false);
  return {.fresh = first, .if_ok = true, .keep_going = keep_going};
}

void AgentDelivery::before() {
  phase_ = Phase::Before;
  const auto runs = due_of(batch_->delivery->before_sync);
  if (runs.empty()) return main();
  list_changed(runs);
  streaming_ = true;
  session_.stream([this, runs]() -> Result<Chunk> {
    if (auto part = list_ ? list_->next() : std::nullopt) return Chunk{std::move(*part)};
    Chunk chunk{"", Chunk::End};
    add_runs(chunk.bytes, runs);
    streaming_ = false;
    return chunk;
  });
}

// The batch and what follows it need no answer in between: one write, if it is small. The runs before have
// ended, as they may change what is compared.
void AgentDelivery::main() {
  phase_ = Phase::Main;
  if (batch_->empty() && extra_.empty()) {
    std::string frames;
    add_tail(frames);
    if (pending_.empty()) return advance();
    return session_.send(std::move(frames));
  }
  const std::uint32_t request = expect(Batch{});
  const bool looked_in_vain = differs_ && !fresh_;  // runs before may have changed what was compared
  const bool worthwhile = batch_->delivery->compare && AgentComparison::worthwhile(*batch_);
  if (looked_in_vain || (!comparison_ && worthwhile)) comparison_.emplace(*batch_);
  if (!comparison_ && !batch_->all_held) comparison_.emplace(*batch_, AgentComparison::Scope::NotHeld);
  session_.concern(batch_->delivery->live_update);
  const agent::Gate begin{.fresh = std::exchange(fresh_, false)};
  frames_.emplace(*batch_, comparison_ ? &*comparison_ : nullptr, extra_, request, begin, session_.writer());
  ask();
  send_on();
}

// What is there already, by digest (rule 5.3)?
void AgentDelivery::ask() {
  std::string frames;
  while (comparison_ && !problem_ && comparison_->curious())
    session_.writer().append(frames, agent::Request(comparison_->ask(expect(Question{}))));
  while (sweep_ && !problem_ && sweep_->curious())
    session_.writer().append(frames, agent::Request(sweep_->ask(expect(Question{}))));
  if (!frames.empty()) session_.send(std::move(frames));
}

// What is known to be due. The session is given a source that ends there, and another one when more is known.
void AgentDelivery::send_on() {
  if (streaming_ || !frames_ || frames_->ended()) return;
  streaming_ = true;
  session_.stream([this] { return piece(); });
}

// The batch, the list of its paths if it is needed, and behind them all that needs no answer in between.
Result<Chunk> AgentDelivery::piece() {
  Chunk chunk;
  if (!frames_->ended()) {
    auto made = frames_->next();
    if (!made) return std::unexpected(made.error());
    chunk.bytes = std::move(made->frames);
    if (made->then == AgentFrames::Made::More) return chunk;
    if (made->then == AgentFrames::Made::End) list_changed(due_of(batch_->delivery->after_sync));
  }
  if (frames_->ended()) {
    if (auto part = list_ ? list_->next() : std::nullopt) {
      chunk.bytes += *part;
      return chunk;
    }
    problem_ ? forget_list(chunk.bytes) : add_tail(chunk.bytes);
  }
  streaming_ = false;
  advance_if_done();
  chunk.then = Chunk::End;
  return chunk;
}

// LIVE_UPDATE_CHANGED_FILE is for what the variable cannot hold: else nobody pays for a file.
void AgentDelivery::list_changed(const std::vector<const DeliveryRun*>& runs) {
  const bool able = (session_.agent().features & agent::kFeatureChanged) != 0;
  if (list_ || runs.empty() || problem_ || !changed().cut || !able) return;
  list_.emplace(*batch_->delivery, counts(), session_.writer());
}

void AgentDelivery::forget_list(std::string& frames) {
  if (list_) session_.writer().append(frames, agent::Request(agent::Changed{.forget = true}));
}

void AgentDelivery::add_runs(std::string& frames, const std::vector<const DeliveryRun*>& runs) {
  for (const DeliveryRun* run : runs) {
    const std::uint32_t request = expect(RunPending{run, OutputTail(), 0});
    const agent::Gate gate = this->gate(run->on_failure == OnFailure::Continue);
    const auto frame = agent_run(batch_->delivery->sequence, changed(), *run, request, gate);
    session_.writer().append(frames, agent::Request(frame));
  }
}

void AgentDelivery::add_tail(std::string& frames) {
  const Delivery& delivery = *batch_->delivery;
  add_runs(frames, due_of(delivery.after_sync));
  forget_list(frames);
  delivered_.sent = clock_();
  if (!delivery.restart || !is_due(delivery.restart_due, delivery.restart_step)) return;
  const std::uint32_t request = expect(RestartPending{&*delivery.restart, delivery.restart_step});
  const auto restart = agent_restart(*delivery.restart, request, gate());
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
  const auto pending = pending_.find(request);
  if (pending == pending_.end()) return;  // of a delivery before this one
  if (std::holds_alternative<Question>(pending->second)) return compared(answer, request);
  if (const auto* it = std::get_if<agent::Failed>(&answer)) failed(*it);
  if (const auto* it = std::get_if<agent::RunOutput>(&answer)) printed(*it);
  if (const auto* it = std::get_if<agent::RunExit>(&answer)) ended(*it);
  if (const auto* it = std::get_if<agent::Skipped>(&answer)) skipped(*it);
  if (const auto* it = std::get_if<agent::Warning>(&answer)) warned(*it);
  if (std::holds_alternative<agent::Confirmed>(answer) || std::holds_alternative<agent::Restarted>(answer))
    pending_.erase(request);
  advance_if_done();
}

// Whatever else an agent answers means that it cannot say.
void AgentDelivery::compared(const agent::Answer& answer, std::uint32_t request) {
  const auto* result = std::get_if<agent::HaveResult>(&answer);
  const auto* listing = std::get_if<agent::Listing>(&answer);
  if (result && comparison_) comparison_->hear(*result);
  if (listing && sweep_) sweep_->hear(*listing);
  const bool answers = result || listing;
  if (!answers && comparison_) comparison_->give_up(request);
  if (!answers && sweep_) sweep_->give_up(request);
  if (!answers || (result ? result->last : listing->last)) pending_.erase(request);
  ask();
  if (phase_ == Phase::Looking) return looked_if_complete();
  send_on();
  advance_if_done();
}

void AgentDelivery::advance_if_done() {
  const bool sent = !streaming_ && (!frames_ || frames_->ended());
  if (sent && pending_.empty() && !outcome_) advance();
}

void AgentDelivery::warned(const agent::Warning& it) {
  const std::string path = it.path.empty() ? "" : clean_start(it.path) + " ";
  if (delivered_.warnings.size() < kMostWarnings)
    delivered_.warnings.push_back(about(path + clean_start(it.text)));
}

void AgentDelivery::advance() {
  if (phase_ == Phase::Before) return main();
  if (problem_) problem_->begun = due_steps();
  if (frames_) delivered_.wanted = frames_->wanted();
  outcome_ = problem_ ? DeliveryOutcome(*problem_) : DeliveryOutcome(std::move(delivered_));
}

std::string AgentDelivery::about(const std::string& what) const { return to_string(to_) + ": " + what; }

NotDelivered AgentDelivery::problem(const agent::Failed& failed) const {
  const std::string remedy = failed.remedy.empty() ? "" : "; " + clean_start(failed.remedy);
  const std::string user = failed.error == 0 ? "" : " for user ID " + std::to_string(session_.agent().uid);
  return {std::string(reason_of(failed.code)), about(clean_start(failed.reason) + user + remedy), false};
}

// The agent may do so while the batch is still being sent: it waits for its end, but for nothing behind it.
// What has become another file since it was compared is compared again.
void AgentDelivery::refused(const agent::Failed& it) {
  problem_ = problem(it);
  const bool content = it.code == agent::Code::Digest || it.code == agent::Code::Missing;
  if (content && comparison_ && comparison_->touches(it.path)) problem_->curable = true;
  if (it.code == agent::Code::Digest && !problem_->curable) disbelieve(it.path);
  if (it.code == agent::Code::Outdated) problem_->curable = true;  // until we know what the other one knew
  if (!frames_ || frames_->ended()) return;
  frames_->cut_short();
  send_on();
}

void AgentDelivery::disbelieve(const std::string& path) {
  const auto& writes = batch_->delivery->writes;
  const auto wrong = std::ranges::find(writes, path, &DeliveryWrite::to);
  if (wrong == writes.end()) return;
  problem_->wrong = wanted_content(*wrong);
  problem_->curable = true;
}

void AgentDelivery::failed(const agent::Failed& it) {
  const Pending pending = std::move(pending_.at(it.request));
  pending_.erase(it.request);
  if (std::holds_alternative<Batch>(pending)) refused(it);
  if (const auto* run = std::get_if<RunPending>(&pending)) {
    delivered_.failures.push_back({run->run->step, kCannotStart, false, clean_start(it.reason)});
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
  NotDelivered lost = how_lost(end);
  lost.begun = due_steps();
  return lost;
}

NotDelivered AgentDelivery::how_lost(const AgentEnd& end) const {
  if (end.kind == AgentEnd::Nonsense || end.kind == AgentEnd::TakenOver)
    return NotDelivered{std::string(reason::kRetrying),
                        about("the session with the agent was ended: " + clean_start(end.error.message)),
                        true};
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
