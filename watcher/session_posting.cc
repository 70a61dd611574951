// Session, second part: from what is due to ChangeSets, and what the API server says to them.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/rules/credentials.h"
#include "watcher/packer.h"
#include "watcher/session.h"
#include "watcher/wording.h"

namespace live_update {
namespace {

constexpr Millis kHeldPause{300}, kHeldPeriod{2000}, kGitPatience{10'000}, kAgainPause{500};
// A change of HEAD that is older has nothing to do with what is deleted now.
constexpr std::chrono::seconds kGitTogether{30};
constexpr int kAtOnce = 5, kMostDisplaced = 20;  // posts of one batch whose sequence another session took

std::int64_t count_files(const Tree& tree) { return static_cast<std::int64_t>(tree.files_below("").size()); }

}  // namespace

void Session::post_due() {
  if (stopped_ || held_ || !publisher_->idle()) return;
  if (outbox_.empty() && guard_.held().empty() && !snapshot_due_) return;
  auto changes = take_due();
  if (stopped_) return;
  if (snapshot_due_ && guard_.held().empty()) return post_snapshot(changes);
  changes = source_->fill(live_update_.spec, std::move(changes), outbox_.posted());
  if (watch_) arm_polling();
  if (changes.empty()) {
    saved_.reset();
    return;
  }
  send(ChangeSetType::Delta, std::move(changes));
}

// What is due now, without what is to be asked about first.
std::vector<Change> Session::take_due() {
  outbox_.add_paths(guard_.held());
  auto changes = guard_.sift(outbox_.take(source_->tree(), source_->unknown()),
                             {.posted = outbox_.posted(),
                              .nothing_left = source_->tree().empty() && source_->unknown().empty(),
                              .most = live_update_.spec.source.max_deletes,
                              .allowed = options_.allow_deletes,
                              .on_purpose = [this] { return git_has_moved(); }},
                             loop_.now());
  mind_held();
  return changes;
}

void Session::post_snapshot(const std::vector<Change>& due) {
  snapshot_due_ = false;
  auto all = source_->everything();
  for (const Change& change : due)
    if (change.op == Op::Delete && is_credential(change.path)) sent_credentials_.insert(change.path);
  // Whatever a Snapshot does not name is gone, but of credentials that must be said.
  for (const std::string& path : sent_credentials_)
    if (source_->filter().counts(path) && !source_->tree().find(path) && !all.unknown.spares(path))
      all.changes.push_back({.path = path, .op = Op::Delete});
  left_out_.clear();
  for (const auto& [path, why] : source_->missing(all.unknown)) {
    left_out_.push_back(visible(path));
    if (options_.once && !why.empty()) tell_path(path, why);
  }
  if (watch_) arm_polling();
  send(ChangeSetType::Snapshot, std::move(all.changes), all.unknown);
}

void Session::mind_held() {
  if (guard_.held().empty()) {
    held_timer_.reset();
    held_since_.reset();
    if (!std::exchange(asked_, {}).empty()) console_.say("no deletes are held back any more");
    return;
  }
  if (options_.once) {
    console_.problem(guard_.question(options_.root));
    return stop(1);
  }
  if (!held_since_) held_since_ = loop_.now();
  if (!held_timer_) held_timer_ = loop_.after(kHeldPause, [this] { ask_about_held(); });
}

// Git may be in the middle of it, or the other half of a rename on its way: that is waited for.
void Session::ask_about_held() {
  if (stopped_) return;
  held_timer_ = loop_.after(kHeldPeriod, [this] { ask_about_held(); });
  post_due();
  if (guard_.held().empty()) return;
  if (git_busy_ && loop_.now() - *held_since_ < kGitPatience) {
    held_timer_ = loop_.after(kHeldPause, [this] { ask_about_held(); });
    return;
  }
  const std::string question = guard_.question(options_.root);
  if (std::exchange(asked_, question) != question)
    console_.problem(question + "; until then they are held back, and everything else goes on");
}

bool Session::git_has_moved() {
  const GitState git = host_.git();
  git_busy_ = git.busy;
  if (!git.head.empty() && git.head != git_head_) {
    const bool lately = git.moved && loop_.wall_clock() - *git.moved < kGitTogether;
    if (lately && !git_head_.empty()) git_moved_ = loop_.now();
    git_head_ = git.head;
  }
  return git_moved_ && loop_.now() - *git_moved_ < kGitPatience;
}

void Session::send(ChangeSetType type, std::vector<Change> changes, const Unknowns& unknown) {
  const bool all = type == ChangeSetType::Snapshot;
  sending_ = all ? fmt::format("everything ({})", say_count(count_files(source_->tree()), "file"))
                 : say_changes(changes);
  sending_saved_ = std::exchange(saved_, std::nullopt).value_or(loop_.now());
  ChangeSetSpec header{
      .live_update = live_update_.meta.name, .session = options_.id, .user = options_.user, .type = type};
  header.observed_at = std::exchange(observed_, std::nullopt).value_or(loop_.wall_clock());
  header.unknown = unknown.list();
  publisher_->post(pack(header, std::move(changes)));
}

void Session::stored(const std::vector<ChangeSetSpec>& parts) {
  outbox_.confirm(parts);
  manifest_.sequence = parts.back().sequence;
  if (parts.back().type == ChangeSetType::Snapshot) manifest_.snapshot = manifest_.sequence;
  if (const auto displaced = pending_.stored(parts)) return post_again(*displaced);
  print(results_.posted(parts, sending_, sending_saved_.value_or(loop_.now()), loop_.now()));
  arm_results();
  write_manifest_soon();
  post_due();
  end_once();
  git_has_moved();
}

// Another session had the sequence first, and the operator took that. What there is now is sent, not what there
// was: later batches may have been accepted meanwhile.
void Session::post_again(const PendingPost& post, bool at_once) {
  results_.removed(post.names.back());
  arm_results();
  outbox_.retract(post.changes);
  if (post.snapshot) snapshot_due_ = true, manifest_.snapshot = 0;
  write_manifest_soon();
  const int times = pending_.displaced_in_a_row();
  if (times < kMostDisplaced) {
    const Millis pause = at_once && times <= kAtOnce ? Millis{0} : kAgainPause;
    again_timer_ = loop_.after(pause, [this] { post_due(); });
    return;
  }
  console_.problem(fmt::format(
      "{} -> not accepted {} times in a row: another session has used the sequence each time; end the other "
      "watcher, or wait for the other push; it is sent with the next save",
      post.snapshot ? "everything" : say_changes(post.changes), times));
  if (options_.once) stop(1);
}

void Session::refused(const std::vector<ChangeSetSpec>&, const Error& error) {
  console_.failure(fmt::format("{} -> not accepted: {}", sending_, error.message));
  if (options_.once) return stop(1);
  post_due();
}

void Session::blocked(const Error& error) {
  if (options_.once && !error.retryable()) {
    console_.problem(error.message);
    return stop(1);
  }
  console_.problem(
      fmt::format("{} -> waiting to be sent: {}; it is tried again by itself", sending_, error.message));
}

void Session::unblocked() {
  const std::size_t waiting = outbox_.waiting(source_->tree(), source_->unknown());
  console_.say(
      "the API server takes changes again" +
      (waiting > 0 ? ", " + say_count(static_cast<std::int64_t>(waiting), "more change") + " to send" : ""));
}

}  // namespace live_update
