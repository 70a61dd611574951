// Session, second part: from what is due to ChangeSets, and what the API server says to them.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/api/conditions.h"
#include "core/base/text.h"
#include "core/desired/history.h"
#include "watcher/packer.h"
#include "watcher/session.h"
#include "watcher/session_id.h"
#include "watcher/wording.h"

namespace live_update {
namespace {

constexpr Millis kHeldPause{300}, kHeldPeriod{2000}, kGitPatience{10'000};
constexpr Millis kAgainPause{500}, kLongestAgainPause{5000};
constexpr Millis kRefusedPause{500}, kLongestRefusedPause{60'000};
constexpr Millis kSnapshotPause{500};
constexpr std::size_t kSmallestPack = 8 * 1024;
// A change of HEAD that is older has nothing to do with what is deleted now.
constexpr std::chrono::seconds kGitTogether{30};
// Posts of one batch whose sequence another session took.
constexpr int kAtOnce = 5, kMostDisplaced = 20;
// From so many on a Snapshot, which needs no sequence before its own, leaves others so much room each time.
constexpr int kLeap = 3, kRoom = 16;

std::vector<Change> changes_of(const std::vector<ChangeSetSpec>& parts) {
  std::vector<Change> all;
  for (const ChangeSetSpec& part : parts) all.insert(all.end(), part.changes.begin(), part.changes.end());
  return all;
}

// A large file comes in several changes.
std::vector<Change> one_of_each(const std::vector<Change>& changes) {
  std::vector<Change> all;
  for (const Change& change : changes)
    if (all.empty() || all.back().path != change.path) all.push_back(change);
  return all;
}

}  // namespace

void Session::post_due() {
  if (stopped_ || held_ || !publisher_->idle()) return;
  if (outbox_.empty() && guard_.held().empty() && snapshot_due_ == Snapshot::None) return;
  if (gives_way()) return;
  if (snapshot_due_ != Snapshot::None) outbox_.add_all();  // all that it deletes is sifted
  auto changes = take_due();
  if (stopped_) return;
  if (snapshot_due_ != Snapshot::None) return post_snapshot();
  refusals_.sift(changes);
  std::vector<std::string> too_large;
  changes = source_->fill(live_update_.spec, std::move(changes), outbox_.posted(), too_large);
  mind_untold(too_large);
  refusals_.sift(changes);
  if (watch_) arm_polling();
  if (changes.empty()) {
    saved_.reset();
    if (snapshot_due_ != Snapshot::None) post_due();
    return;
  }
  send(ChangeSetType::Delta, std::move(changes));
}

// Rule 7.3: of two sessions neither loses for ever.
bool Session::gives_way() {
  const auto until = give_way_.until(loop_.now(), pending_.displaced_in_a_row() > 0);
  if (!until) return way_timer_.reset(), false;
  way_timer_ = loop_.after(std::chrono::ceil<Millis>(*until - loop_.now()), [this] { post_due(); });
  return true;
}

void Session::saw_other(const ChangeSet& change_set) {
  const ChangeSetSpec& spec = change_set.spec;
  const bool same_files = from_one_root(options_.id, spec.session);
  if (!same_files && spec.sequence > manifest_.sequence && other_sessions_.insert(spec.session).second)
    console_.problem(
        fmt::format("another watcher sends changes for this LiveUpdate, too: user {}, session {}; end one of "
                    "the two, or they overwrite each other's files",
                    visible(spec.user), visible(spec.session)));
  if (!is_of(live_update_.meta, change_set.meta)) return;
  give_way_.saw(change_set, manifest_.sequence, loop_.now());
  if (way_timer_) post_due();
}

// What is due now, without what is to be asked about first.
std::vector<Change> Session::take_due() {
  outbox_.add_paths(guard_.held());
  auto changes = guard_.sift(outbox_.take(source_->tree(), source_->unknown()),
                             {.posted = outbox_.posted(),
                              .there = [this] { return outbox_.there(); },
                              .nothing_left = source_->tree().entries().empty() && source_->unknown().empty(),
                              .most = live_update_.spec.source.max_deletes,
                              .allowed = options_.allow_deletes,
                              .on_purpose = [this] { return git_has_moved(); }},
                             loop_.now());
  mind_held();
  return changes;
}

// It tells all: what is there, and of all that was ever told what is not, so that nobody has to remember that.
void Session::post_snapshot() {
  const Snapshot kind = std::exchange(snapshot_due_, Snapshot::None);
  auto all = kind == Snapshot::Digests ? source_->everything(outbox_.posted()) : source_->everything();
  guard_.spare(all.changes, all.unknown);
  refusals_.spare(all.changes, all.unknown, source_->tree());
  auto gone = outbox_.gone(source_->tree(), all.unknown);
  std::ranges::move(gone, std::back_inserter(all.changes));
  left_out_.clear();
  for (const auto& [path, why] : source_->missing(all.unknown)) {
    left_out_.push_back(visible(path));
    if (options_.once && !why.empty()) tell_path(path, why);
  }
  if (watch_) arm_polling();
  sending_snapshot_ = kind;
  told_unknown_ = all.unknown;
  send(ChangeSetType::Snapshot, std::move(all.changes), all.unknown);
}

// What is new, and cannot be told, is known to be here by a Snapshot alone: else a container that has it would lose it.
void Session::mind_untold(const std::vector<std::string>& paths) {
  if (!mirrors()) return;
  const auto untold = [this](const std::string& path) {
    return !told_unknown_.spares(path) && !outbox_.knows(path) && source_->concerns_sync(path);
  };
  if (std::ranges::any_of(paths, untold)) owe_snapshot(Snapshot::Digests);
}

Session::Snapshot Session::snapshot_asked_for(const LiveUpdate& live_update) const {
  const Condition* needed = find_condition(live_update.status.conditions, condition::kSnapshotNeeded);
  if (!needed || !needed->status) return Snapshot::None;
  return needed->reason == reason::kRulesChanged ? Snapshot::Digests : Snapshot::Contents;
}

// The operator asks for everything. It does so for a moment, too, when the parts of a batch reach it in
// another order: only what it still wants when all of ours is stored, and what our last Snapshot did not
// bring, is worth one. The LiveUpdate tells a little later that it has come.
void Session::consider_snapshot() {
  if (snapshot_asked_for(live_update_) == Snapshot::None) {
    snapshot_seen_ = 0;
    return snapshot_timer_.reset();
  }
  if (snapshot_timer_ || refused_timer_) return;
  snapshot_timer_ = loop_.after(kSnapshotPause, [this] {
    snapshot_timer_.reset();
    const bool on_its_way = std::ranges::any_of(pending_.open(), &PendingPost::snapshot);
    const bool just_come = manifest_.snapshot > live_update_.status.sequence &&
                           std::exchange(snapshot_seen_, manifest_.snapshot) != manifest_.snapshot;
    if (!publisher_->idle() || on_its_way || just_come) return consider_snapshot();
    owe_snapshot(snapshot_asked_for(live_update_));
    post_due();
  });
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
  sending_ =
      all ? fmt::format("everything ({})", say_count(source_->count_files(), "file")) : say_changes(changes);
  sending_saved_ = std::exchange(saved_, std::nullopt).value_or(loop_.now());
  ChangeSetSpec header{
      .live_update = live_update_.meta.name, .session = options_.id, .user = options_.user, .type = type};
  header.observed_at = std::exchange(observed_, std::nullopt).value_or(loop_.wall_clock());
  header.unknown = unknown.list();
  if (all) header.reach = reach_;
  if (all && mirrors()) header.ignores = source_->ignores();
  thinned_ = false;
  if (!all) mark_new(changes);
  note_new(changes);
  publisher_->post(pack(header, std::move(changes), limits_), limits_.inline_content <= kSmallestPack);
}

void Session::stored(const std::vector<ChangeSetSpec>& parts) {
  outbox_.confirm(parts);
  outbox_.untold(refusals_.deletes());
  under_way_.clear();
  outbox_.add_paths(refusals_.take_soon(true));
  manifest_.from_first = manifest_.from_first && parts.front().sequence == manifest_.sequence + 1;
  manifest_.sequence = parts.back().sequence;
  if (parts.back().type == ChangeSetType::Snapshot)
    manifest_.snapshot = manifest_.sequence, snapshot_owed_ = Snapshot::None;
  if (thinned_ && parts.back().type != ChangeSetType::Snapshot) sending_ = say_changes(changes_of(parts));
  const auto none = pending_.stored(parts, sending_snapshot_ == Snapshot::Digests);
  if (none && none->why != LostPost::Refused) return lost(*none);
  print(results_.posted(parts, sending_, sending_saved_.value_or(loop_.now()), loop_.now()));
  arm_results();
  write_manifest_soon();
  if (none && !options_.once) lost(*none);
  post_due();
  end_once();
  git_has_moved();
}

void Session::lost(const LostPost& lost, bool at_once) {
  if (lost.why != LostPost::Refused) manifest_.from_first = false;  // somebody else has had a word
  write_manifest_soon();
  if (lost.post.snapshot) manifest_.snapshot = 0, snapshot_owed_ = kind_of(lost.post);
  if (lost.why == LostPost::Refused) return refused(lost.post);
  if (lost.why == LostPost::TooFarAhead) start_over(live_update_.status.sequence + 1);
  post_again(lost, at_once && lost.why == LostPost::Displaced);
}

void Session::start_over(std::int64_t next) {
  publisher_->start_over(next);
  pending_.start_over(next);
  results_.start_over(next);
}

// Another session had the sequence first, and the operator took that. What there is now is sent, not what there
// was: later batches may have been accepted meanwhile.
void Session::post_again(const LostPost& lost, bool at_once) {
  const PendingPost& post = lost.post;
  results_.removed(post.names.back());
  arm_results();
  outbox_.retract(post.changes);
  if (post.snapshot) owe_snapshot(kind_of(post));
  const int times = pending_.displaced_in_a_row();
  if (post.snapshot && times >= kLeap) publisher_->saw_sequence(publisher_->next_sequence() - 1 + kRoom);
  const bool too_often = times >= kMostDisplaced;
  if (times == kMostDisplaced)
    console_.problem(
        fmt::format("{} -> not accepted {} times in a row: another session has used the sequence each time; "
                    "end the other "
                    "watcher, or wait for the other push{}",
                    post.snapshot ? "everything" : say_changes(post.changes), times,
                    options_.once ? "" : "; it is tried again by itself"));
  if (too_often && options_.once) return stop(1);
  const bool later = too_often || lost.why == LostPost::NoRoom;
  const Millis pause = later ? kLongestAgainPause : at_once && times <= kAtOnce ? Millis{0} : kAgainPause;
  again_timer_ = loop_.after(pause, [this] { post_due(); });
}

// By the operator, for something in it, which is said. A Snapshot comes again, after a pause that grows. Of
// other batches one half goes again at once and one later, until the change is known that it does not take.
// Deletes are in the later one: of a file that was renamed the new name must not come after the old one goes.
void Session::refused(const PendingPost& post) {
  if (post.snapshot) {
    const int doublings = std::min(pending_.refused_in_a_row() - 1, 10);
    const Millis pause = std::min(kRefusedPause * (1 << doublings), kLongestRefusedPause);
    refused_timer_ = loop_.after(pause, [this, kind = kind_of(post)] {
      refused_timer_.reset();
      owe_snapshot(kind);
      post_due();
    });
    return;
  }
  auto changes = one_of_each(post.changes);
  std::ranges::stable_partition(changes, [](const Change& it) { return it.op == Op::Write; });
  std::vector<LeftOut> left_out;
  const bool alone = changes.size() == 1;
  for (std::size_t i = alone ? 0 : changes.size() / 2; i < changes.size(); ++i) {
    const Entry* posted = outbox_.posted().find(changes[i].path);
    const bool written = posted && changes[i].op == Op::Write;
    left_out.push_back({written ? change_to(changes[i].path, *posted) : changes[i], "", alone});
  }
  outbox_.retract(post.changes);
  refusals_.add(left_out, loop_.now());
  arm_refusals();
  again_timer_ = loop_.after(kAgainPause, [this] { post_due(); });
}

// What is tried again and again is said once.
void Session::leave_out(const std::vector<LeftOut>& left_out) {
  thinned_ = true;
  const auto untold = [this](const LeftOut& it) {
    return !it.soon && it.change.op == Op::Write && !told_unknown_.spares(it.change.path) &&
           !outbox_.knows(it.change.path);
  };
  if (mirrors() && std::ranges::any_of(left_out, untold)) owe_snapshot(Snapshot::Digests);
  refusals_.add(left_out, loop_.now());
  if (!left_out.front().soon) outbox_.add_paths(refusals_.take_soon(false));
  const auto lines = say_left_out(left_out);
  const bool anew = std::ranges::any_of(left_out, &LeftOut::alone);
  if (!lines.empty() && (std::exchange(said_left_out_, lines) != lines || anew))
    for (const std::string& line : lines) console_.failure(line);
  if (!options_.once) return arm_refusals();
  for (const LeftOut& it : left_out)
    if (!it.soon) left_out_.push_back(visible(it.change.path));
}

void Session::arm_refusals() {
  const auto due = refusals_.due();
  if (!due) return refusals_timer_.reset();
  refusals_timer_ = loop_.after(std::max(std::chrono::ceil<Millis>(*due - loop_.now()), Millis{0}), [this] {
    outbox_.add_paths(refusals_.take_due(loop_.now()));
    arm_refusals();
    post_due();
  });
}

// What is left of it goes again, in smaller pieces if it was too large.
void Session::given_up(const std::vector<ChangeSetSpec>& parts, const Error& error, bool torn) {
  std::size_t& most = limits_.inline_content;
  if (error.kind == ErrorKind::TooLarge) most = std::min(most, std::max(most / 2, kSmallestPack));
  std::set<std::string> paths;
  for (const Change& change : changes_of(parts)) paths.insert(change.path);
  outbox_.add_paths(paths);
  if (parts.back().type == ChangeSetType::Snapshot) owe_snapshot(sending_snapshot_);
  if (torn) owe_snapshot(Snapshot::Contents);
  if (!paths.empty()) saved_ = sending_saved_;
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
