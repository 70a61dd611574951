#include "watcher/publisher.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/api/codec.h"
#include "watcher/packer.h"

namespace live_update {
namespace {

constexpr std::size_t kWindow = 4;  // parts under way at once
constexpr Millis kFirstPause{200}, kLongestPause{5000};

// Whether the same request may succeed once somebody or something else has changed.
bool worth_waiting(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Unauthorized:
    case ErrorKind::Forbidden:
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

void Publisher::post(std::vector<ChangeSetSpec> parts) {
  parts_ = std::move(parts);
  begin();
}

void Publisher::begin() {
  number(parts_, next_);
  next_ += static_cast<std::int64_t>(parts_.size());
  states_.clear();
  states_.resize(parts_.size());
  fill_window();
}

void Publisher::fill_window() {
  if (retry_) return;
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

void Publisher::send(std::size_t index) {
  states_[index].state = State::UnderWay;
  if (!parts_[index].posted_at) parts_[index].posted_at = loop_.exact_wall_clock();
  Request request{.method = Method::Post,
                  .path = collection(),
                  .query = {{"fieldManager", "live-update"}},
                  .content_type = "application/json",
                  .body = body(parts_[index])};
  states_[index].request = api_.request(
      std::move(request), [this, index](Result<Response> answer) { answered(index, std::move(answer)); });
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
  pause_ = Millis{0};
  unblock();
  if (std::ranges::any_of(states_, [](const Part& part) { return part.state != State::Stored; }))
    return fill_window();
  const auto parts = std::exchange(parts_, {});
  states_.clear();
  callbacks_.on_done(parts);
}

void Publisher::failed(std::size_t index, const Error& error) {
  if (!worth_waiting(error)) {
    unblock();  // it has answered
    const auto parts = std::exchange(parts_, {});
    states_.clear();
    return callbacks_.on_refused(parts, error);
  }
  states_[index].state = State::Waiting;
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  retry_ = loop_.after(pause_, [this] {
    retry_.reset();
    fill_window();
  });
  if (blocked_.insert(error.kind).second) callbacks_.on_blocked(error);
}

void Publisher::retry_now() {
  if (!retry_) return;
  retry_.reset();
  fill_window();
}

}  // namespace live_update
