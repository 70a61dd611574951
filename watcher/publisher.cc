#include "watcher/publisher.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/api/codec.h"
#include "watcher/packer.h"

namespace live_update {
namespace {

constexpr std::size_t kWindow = 4;  // parts under way at once
constexpr Millis kFirstPause{200}, kLongestPause{5000};
constexpr int kMostFutile = 2;

// Whether the same request may succeed once somebody or something else has changed, whatever it carries.
bool worth_waiting(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Unauthorized:
    case ErrorKind::NotFound:
    case ErrorKind::Conflict:
      return true;
    default:
      return error.retryable();
  }
}

bool same_spec(ChangeSetSpec a, ChangeSetSpec b) {
  a.posted_at = b.posted_at = std::nullopt;
  return encode_change_set({.spec = a}) == encode_change_set({.spec = b});
}

}  // namespace

Publisher::Publisher(Loop& loop, ApiServer& api, ObjectMeta owner, std::int64_t next, Callbacks callbacks)
    : loop_(loop), api_(api), owner_(std::move(owner)), callbacks_(std::move(callbacks)), next_(next) {}

void Publisher::post(std::vector<ChangeSetSpec> parts, bool smallest) {
  parts_ = std::move(parts);
  smallest_ = smallest;
  begin();
}

void Publisher::begin() {
  number(parts_, next_);
  next_ += static_cast<std::int64_t>(parts_.size());
  states_.clear();
  states_.resize(parts_.size());
  refused_.reset();
  fill_window();
}

void Publisher::fill_window() {
  if (retry_ || refused_) return;
  std::size_t under_way =
      std::ranges::count_if(states_, [](const Part& part) { return part.state == State::UnderWay; });
  for (std::size_t i = 0; i < states_.size() && under_way < kWindow; ++i)
    if (states_[i].state == State::Waiting) send(i), ++under_way;
}

std::string Publisher::collection() const {
  return fmt::format("/apis/{}/namespaces/{}/changesets", kApiVersion, owner_.ns);
}

std::string Publisher::body(const ChangeSetSpec& spec) const {
  ChangeSet change_set;
  change_set.meta.ns = owner_.ns;
  change_set.meta.name = change_set_name(spec.live_update, spec.session, spec.sequence);
  change_set.meta.owners = {{std::string(kApiVersion), "LiveUpdate", owner_.name, owner_.uid}};
  change_set.spec = spec;
  return encode_change_set(change_set);
}

Request Publisher::request_for(const ChangeSetSpec& spec) const {
  return {.method = Method::Post,
          .path = collection(),
          .query = {{"fieldManager", "live-update"}},
          .content_type = "application/json",
          .body = body(spec)};
}

void Publisher::send(std::size_t index) {
  states_[index].state = State::UnderWay;
  if (!parts_[index].posted_at) parts_[index].posted_at = loop_.exact_wall_clock();
  states_[index].request = api_.request(request_for(parts_[index]), [this, index](Result<Response> answer) {
    answered(index, std::move(answer));
  });
}

void Publisher::answered(std::size_t index, Result<Response> answer) {
  if (answer) return stored(index);
  if (answer.error().kind == ErrorKind::AlreadyExists) return compare(index);
  failed(index, answer.error());
}

void Publisher::compare(std::size_t index) {
  const ChangeSetSpec& spec = parts_[index];
  Request request{.path =
                      collection() + '/' + change_set_name(spec.live_update, spec.session, spec.sequence)};
  states_[index].request = api_.request(
      std::move(request), [this, index](Result<Response> answer) { compared(index, std::move(answer)); });
}

void Publisher::compared(std::size_t index, Result<Response> answer) {
  if (!answer) return failed(index, answer.error());
  const auto json = parse_json(answer->body);
  const auto there = json ? decode_change_set(*json) : std::unexpected(json.error());
  if (there && same_spec(there->spec, parts_[index])) return stored(index);
  begin();
}

void Publisher::unblock() {
  if (!std::exchange(blocked_, {}).empty()) callbacks_.on_unblocked();
}

void Publisher::stored(std::size_t index) {
  states_[index].state = State::Stored;
  ++stored_;
  if (!suspects_.empty())
    for (const Change& change : parts_[index].changes) suspects_.erase(change.path);
  pause_ = Millis{0};
  futile_ = 0;
  unblock();
  if (refused_) return divide();
  if (std::ranges::any_of(states_, [](const Part& part) { return part.state != State::Stored; }))
    return fill_window();
  const auto parts = std::exchange(parts_, {});
  states_.clear();
  callbacks_.on_done(parts);
}

void Publisher::failed(std::size_t index, const Error& error) {
  states_[index].state = State::Waiting;
  if (worth_waiting(error)) return wait(error);
  if (!refused_) refused_.emplace(index, error, Division(parts_[index].changes.size()));
  divide();
}

// For what may pass; then all goes on where it was.
void Publisher::wait(const Error& error) {
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  reachable_ = !error.retryable();
  retry_ = loop_.after(pause_, [this] {
    retry_.reset();
    refused_ ? divide() : fill_window();
  });
  if (blocked_.insert(error.kind).second) callbacks_.on_blocked(error);
}

bool Publisher::under_way() const {
  return std::ranges::any_of(states_, [](const Part& part) { return part.state == State::UnderWay; });
}

bool Publisher::anything_stored() const {
  return std::ranges::any_of(states_, [](const Part& part) { return part.state == State::Stored; });
}

// The other parts come to an end first: then it is known which of them are stored.
void Publisher::divide() {
  if (under_way() || retry_ || refused_->request) return;
  if (refused_->error.kind == ErrorKind::TooLarge && !smallest_) return give_up(refused_->error);
  const auto range = refused_->division.next();
  if (!range) return mend();
  ChangeSetSpec some = parts_[refused_->index];
  const auto changes = some.changes.begin();
  some.changes = std::vector<Change>(changes + static_cast<std::ptrdiff_t>(range->begin),
                                     changes + static_cast<std::ptrdiff_t>(range->end));
  Request request = request_for(some);
  request.query.emplace_back("dryRun", "All");
  refused_->request = api_.request(std::move(request), [this](Result<Response> answer) {
    refused_->request.reset();
    tried(std::move(answer));
  });
}

// Even nothing is refused, but for another reason: what that is says nothing of the part.
void Publisher::tried(Result<Response> answer) {
  if (answer || answer.error().kind == ErrorKind::AlreadyExists)
    refused_->division.accepted();
  else if (worth_waiting(answer.error()))
    return wait(answer.error());
  else if (!refused_->division.probed() && answer.error().message != refused_->error.message)
    return halve();
  else
    refused_->division.refused(answer.error());
  divide();
}

// A part that is refused for nothing in it, or time after time for nothing that can be found, waits.
void Publisher::mend() {
  const Refused refused = *std::exchange(refused_, std::nullopt);
  const Division& division = refused.division;
  const ChangeSetSpec& part = parts_[refused.index];
  std::vector<LeftOut> left_out;
  const auto add = [&](std::size_t index, const std::string& why, bool alone) {
    left_out.push_back({part.changes[index], why, alone});
    left_out.back().change.content = nullptr;
  };
  for (const auto& [index, error] : division.refused()) add(index, error.message, true);
  for (const auto& [begin, end] : division.undecided())
    for (std::size_t i = begin; i < end; ++i) add(i, refused.error.message, false);
  if (division.hopeless() || (left_out.empty() && ++futile_ > kMostFutile)) return wait(refused.error);
  if (left_out.empty()) return fill_window();
  callbacks_.on_left_out(left_out);
  leave_out(left_out) ? fill_window() : give_up(refused.error);
}

// Writes are in the half that goes first: of a file that was renamed the new name must not come after the old one
// goes. A single change is to blame if something else was taken since it was refused for the first time.
void Publisher::halve() {
  const Refused refused = *std::exchange(refused_, std::nullopt);
  std::vector<Change> changes;
  std::set<std::string> paths;
  for (const Change& change : parts_[refused.index].changes)
    if (paths.insert(change.path).second) changes.push_back(change);
  if (changes.empty()) return wait(refused.error);
  for (const std::string& path : paths) suspects_.try_emplace(path, stored_);
  std::ranges::stable_partition(changes, [](const Change& it) { return it.op == Op::Write; });
  const bool single = changes.size() == 1;
  const bool to_blame = single && stored_ > suspects_.at(changes[0].path);
  if (to_blame) suspects_.erase(changes[0].path);
  std::vector<LeftOut> left_out;
  for (std::size_t i = changes.size() / 2; i < changes.size(); ++i) {
    changes[i].content = nullptr;
    left_out.push_back({std::move(changes[i]), refused.error.message, to_blame, !single});
  }
  callbacks_.on_left_out(left_out);
  leave_out(left_out) ? fill_window() : give_up(refused.error);
}

// False: a file of which a piece is stored cannot be taken out any more, or nothing is left.
bool Publisher::leave_out(const std::vector<LeftOut>& left_out) {
  std::set<std::string> paths;
  for (const LeftOut& it : left_out) paths.insert(it.change.path);
  const auto is_left_out = [&](const Change& change) { return paths.contains(change.path); };
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto& changes = parts_[i].changes;
    if (std::ranges::none_of(changes, is_left_out)) continue;
    if (states_[i].state == State::Stored) return false;
    std::erase_if(changes.edit(), is_left_out);
    if (parts_[i].type == ChangeSetType::Snapshot)
      for (const std::string& path : paths) parts_[i].unknown.push_back({path});
  }
  return parts_.front().type == ChangeSetType::Snapshot ||
         std::ranges::any_of(parts_, [](const ChangeSetSpec& part) { return !part.changes.empty(); });
}

// Sequences that nobody has seen are used again.
void Publisher::give_up(Error error) {
  const bool torn = anything_stored();
  if (!torn) next_ = std::max(parts_.front().sequence, seen_ + 1);
  unblock();  // it has answered
  const auto parts = std::exchange(parts_, {});
  states_.clear();
  refused_.reset();
  callbacks_.on_given_up(parts, error, torn);
}

void Publisher::retry_now() {
  if (!retry_ || reachable_) return;
  retry_.reset();
  refused_ ? divide() : fill_window();
}

}  // namespace live_update
