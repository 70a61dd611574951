#include "watcher/session.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/api/conditions.h"
#include "core/base/text.h"
#include "core/desired/history.h"
#include "core/rules/rules_mark.h"
#include "watcher/cluster.h"
#include "watcher/wording.h"

namespace live_update {
namespace {

constexpr Millis kPollPeriod{2000}, kRootPause{200};
constexpr int kRootAttempts = 5;
constexpr const char* kSyncRequested = "liveupdate.dev/sync-requested-at";

std::string annotation(const LiveUpdate& live_update, const char* name) {
  auto found = live_update.meta.annotations.find(name);
  return found == live_update.meta.annotations.end() ? "" : found->second;
}

std::string say_errors(const std::vector<FieldError>& errors) {
  std::string text;
  for (const FieldError& error : errors)
    text += (text.empty() ? "" : "\n") + visible(error.field + ": " + error.message);
  return text;
}

}  // namespace

Session::Session(Loop& loop, ApiServer& api, Host& host, Console& console, SessionOptions options,
                 std::function<void(int)> on_end)
    : loop_(loop),
      api_(api),
      host_(host),
      console_(console, ""),
      options_(std::move(options)),
      limits_(options_.limits),
      on_end_(std::move(on_end)),
      pending_(options_.id),
      results_(options_.id, options_.timings) {}

Session::~Session() = default;

// ------------------------------------------------------------------------------------------------ beginning

Result<> Session::begin(const LiveUpdate& live_update, const std::vector<ChangeSet>& change_sets) {
  live_update_ = live_update;
  buffer_.set_debounce(live_update.spec.debounce);
  if (auto made = make_source(); !made) return made;
  std::int64_t newest = live_update.status.sequence;
  const auto own = own_in_order(live_update.meta, newest, change_sets, limits_);
  if (!own.empty()) newest = std::max(newest, own.back().spec.sequence);
  begin_outbox(own);
  answer_wanted();
  resume_posts(change_sets);
  guard_.resume(std::exchange(manifest_.held, {}));
  make_publisher(newest + 1);
  const std::int64_t noted = std::exchange(manifest_.sequence, newest);
  git_head_ = manifest_.head;
  if (git_has_moved(); git_head_ != manifest_.head && !manifest_.head.empty()) git_moved_ = loop_.now();
  if (options_.once) owe_snapshot(Snapshot::Contents);
  if (mirrors()) owe_snapshot(Snapshot::Digests);
  owe_snapshot(snapshot_asked_for(live_update));
  snapshot_owed_ = snapshot_due_;
  mind_first_disk(noted, own);
  if (!had_manifest_)
    write_manifest();  // killed from here on, the next run knows what this one took for granted
  if (!options_.once)
    console_.say(fmt::format("watching {} in {}", say_count(source_->count_files(), "file"), options_.root));
  say_held();
  post_due();
  write_manifest_soon();
  return {};
}

void Session::make_publisher(std::int64_t next) {
  publisher_ = std::make_unique<Publisher>(
      loop_, api_, live_update_.meta, next,
      Publisher::Callbacks{.on_done = [this](const auto& parts) { stored(parts); },
                           .on_left_out = [this](const auto& left_out) { leave_out(left_out); },
                           .on_given_up = [this](const auto& parts, const Error& error,
                                                 bool torn) { given_up(parts, error, torn); },
                           .on_blocked = [this](const Error& error) { blocked(error); },
                           .on_unblocked = [this] { unblocked(); }});
}

void Session::say_held() {
  const auto held = source_->take_held_back();
  if (!held.empty()) console_.failure(say_held_back(held, options_.ceiling->file()));
}

Result<> Session::make_source() {
  auto rules = load_rules(host_.files(), live_update_.spec, *options_.ceiling->spec());
  if (!rules) return fail(ErrorKind::Invalid, say_errors(rules.error()));
  load_manifest();
  reach_ = reach_mark(live_update_.spec);
  source_ = std::make_unique<Source>(
      host_.files(), std::move(*rules), std::move(manifest_.known),
      [this](const std::string& path, const std::string& message) { tell_path(path, message); }, limits_);
  if (!options_.once)
    if (auto watching = start_watching(); !watching) return watching;
  if (auto scanned = source_->scan_all(); !scanned) return scanned;
  if (source_->unknown().hides(""))
    return fail(ErrorKind::Io, fmt::format("the root {} cannot be read: {}", options_.root, root_problem_));
  return {};
}

// What the scanner has to say of a path, for as long as it lasts.
void Session::tell_path(const std::string& path, const std::string& message) {
  if (path.empty()) root_problem_ = message;
  if (!source_ || !source_->concerns_sync(path)) return;
  const std::string name = path.empty() ? options_.root : visible(path);
  message.empty() ? console_.say(name + ": can be read again") : console_.problem(name + ": " + message);
}

Result<> Session::start_watching() {
  watch_ = host_.watch(
      source_->filter(),
      TreeWatch::Callbacks{
          .on_event = [this](const FileEvent& event) { buffer_.add(event, loop_.now(), loop_.wall_clock()); },
          .on_notice = [this](const std::string& text) { console_.problem(text); }});
  if (auto started = watch_->restart(); !started) return started;
  readable_ = watch_->on_readable(loop_, [this] {
    watch_->read();
    arm_buffer();
  });
  arm_polling();
  return {};
}

// ---------------------------------------------------------------------------------------------------- rules

// What came into view because the rules changed is no change of the developer's: it is sent where a sync maps
// it, because nobody knows whether the containers have it, and else taken as it is. But what was told of it before
// is compared as ever.
void Session::take_appeared(const std::vector<std::string>& appeared) {
  std::vector<std::string> unmapped;
  std::ranges::copy_if(appeared, std::back_inserter(unmapped), [this](const std::string& path) {
    return !source_->mapped(path) && !outbox_.knows(path);
  });
  outbox_.assume(unmapped, source_->tree());
}

void Session::reload_rules() {
  auto rules = load_rules(host_.files(), live_update_.spec, *options_.ceiling->spec());
  if (!rules) {
    const std::string wrong = say_errors(rules.error());
    if (std::exchange(rules_problem_, wrong) != wrong)
      console_.problem(wrong + "\nthe rules from before stay in force until this is repaired");
    return;
  }
  const bool repaired = !std::exchange(rules_problem_, {}).empty();
  if (rules->digest == source_->rules_digest()) {
    if (repaired) console_.say("the rules are in order again, and are those from before");
    return;
  }
  manifest_.from_first = false;  // what did not count may have been on the first disk
  auto appeared = source_->replace_rules(std::move(*rules));
  reach_ = reach_mark(live_update_.spec);
  say_held();
  if (!appeared) return root_lost();
  if (watch_ && !watch_->restart()) return root_lost();
  take_appeared(*appeared);
  refusals_.take_all();
  outbox_.add_all();
  if (mirrors()) owe_snapshot(Snapshot::Digests);
  console_.say("the rules have changed and are in force now");
  post_due();
}

void Session::live_update_changed(const LiveUpdate& live_update) {
  const bool requested = annotation(live_update_, kSyncRequested) != annotation(live_update, kSyncRequested);
  const bool new_spec = live_update_.spec != live_update.spec;
  live_update_ = live_update;
  buffer_.set_debounce(live_update.spec.debounce);
  publisher_->saw_sequence(live_update.status.sequence);
  publisher_->retry_now();
  if (new_spec) reload_rules();
  if (new_spec || requested) outbox_.add_paths(refusals_.take_all());
  if (requested && !annotation(live_update, kSyncRequested).empty()) owe_snapshot(Snapshot::Contents);
  consider_snapshot();
  answer_wanted();
  post_due();
  end_once();
}

// Containers lack content that the operator does not hold (rule 5.9). It gets what our rules send and is still
// there: what is gone by now is said as ever.
void Session::answer_wanted() {
  std::set<std::string> wanted;
  std::vector<std::string> unanswered;
  for (const WantedFile& it : live_update_.status.wanted) {
    if (!source_->filter().sends(it.path) || !source_->tree().find(it.path)) continue;
    const auto [key, first] = wanted.insert(it.digest + ' ' + it.path);
    if (first && !answered_.contains(*key)) unanswered.push_back(it.path);
  }
  answered_ = std::move(wanted);
  if (!unanswered.empty()) outbox_.ask_again(unanswered);
}

// What brought it was replaced, perhaps by a Snapshot of digests.
void Session::answer_again(const ChangeSet& superseded) {
  const auto answered = [&](const Change& it) { return answered_.erase(it.digest + ' ' + it.path) > 0; };
  if (std::ranges::count_if(superseded.spec.changes, answered) == 0) return;
  answer_wanted();
  post_due();
}

// Those of an older LiveUpdate may have the names of ours.
void Session::change_set_removed(const ChangeSet& change_set) {
  if (!is_of(live_update_.meta, change_set.meta)) return;
  const auto gone = pending_.removed(change_set);
  results_.removed(change_set.meta.name);
  arm_results();
  if (gone) lost(*gone, false);
}

void Session::change_set_changed(const ChangeSet& change_set) {
  if (change_set.spec.checkpoint) return;  // the operator says again what was said
  const std::int64_t sequence = change_set.spec.sequence;
  if (sequence <= newest_with(publisher_->next_sequence() - 1, live_update_.meta, change_set, limits_))
    publisher_->saw_sequence(sequence);
  publisher_->retry_now();
  if (change_set.spec.session != options_.id && !pending_.awaits(change_set.meta.name)) saw_other(change_set);
  if (change_set.status.phase == "Superseded") answer_again(change_set);
  const auto none = pending_.status(change_set);
  if (none && none->why != LostPost::Refused) return lost(*none);
  print(results_.status(change_set, loop_.now()));
  arm_results();
  if (none && !options_.once) lost(*none);
  end_once();
}

// A push has an end when its batch has, and when the LiveUpdate says what `live-update status` then shows.
void Session::end_once() {
  if (!options_.once || stopped_ || !publisher_->idle() || !results_.last_ok()) return;
  if (!*results_.last_ok()) return stop(1);
  const LiveUpdateStatus& status = live_update_.status;
  const Condition* synced = find_condition(status.conditions, condition::kSynced);
  if (synced && synced->status && status.sequence >= manifest_.sequence) end_push();
}

// Rule 7.6: what could not be sent is in the containers as it was, whatever that is.
void Session::end_push() {
  if (left_out_.empty()) return stop(0);
  const std::size_t shown = std::min<std::size_t>(left_out_.size(), 5);
  std::string paths;
  for (std::size_t i = 0; i < shown; ++i) paths += (i == 0 ? "" : ", ") + left_out_[i];
  if (left_out_.size() > shown) paths += fmt::format(" and {} more", left_out_.size() - shown);
  console_.problem(
      fmt::format("not everything was sent: {}; in the containers it is as it was before", paths));
  stop(1);
}

// --------------------------------------------------------------------------------------------------- events

void Session::arm_polling() {
  if (!watch_->needs_polling() && source_->to_try_again().empty() && rules_problem_.empty())
    return poll_timer_.reset();
  if (poll_timer_) return;
  poll_timer_ = loop_.every(kPollPeriod, [this] {
    watch_->poll();
    if (!rules_problem_.empty()) reload_rules();
    for (const std::string& path : source_->to_try_again())
      buffer_.add({path, FileEvent::Kind::Rescan}, loop_.now(), loop_.wall_clock());
    arm_buffer();
  });
}

void Session::arm_buffer() {
  const auto due = buffer_.due();
  if (!due) return buffer_timer_.reset();
  const auto pause = std::chrono::ceil<Millis>(*due - loop_.now());
  buffer_timer_ = loop_.after(std::max(pause, Millis{0}), [this] { flush_buffer(); });
}

void Session::flush_buffer() {
  watch_->read();
  const DirtyPaths dirty = buffer_.take(loop_.now());
  arm_buffer();
  if (!dirty.empty()) look(dirty);
  arm_polling();
}

bool Session::ignore_file_touched(const DirtyPaths& dirty) const {
  const std::string& file = source_->filter().ignore_file();
  auto covers = [&](const std::string& d) { return d.empty() || file.starts_with(d + '/'); };
  return std::ranges::find(dirty.paths, file) != dirty.paths.end() ||
         std::ranges::any_of(dirty.subtrees, covers);
}

void Session::look(const DirtyPaths& dirty) {
  if (stopped_) return;
  if (!watch_->root_watched()) return root_lost();
  if (ignore_file_touched(dirty) || source_->links_moved()) reload_rules();
  if (!source_->look(dirty)) return root_lost();
  say_held();
  mind_untold(source_->lasting_unknown());
  outbox_.add(dirty);
  if (dirty.first && (!saved_ || *dirty.first < *saved_)) saved_ = dirty.first, observed_ = dirty.observed_at;
  post_due();
}

// The root may be on its way: moved away and made anew by one command.
void Session::root_lost() { find_root(kRootAttempts); }

void Session::find_root(int attempts_left) {
  const auto watched = watch_->restart();
  if (watched && source_->scan_all()) {
    if (!std::exchange(root_problem_, {}).empty())
      console_.say(fmt::format("the root {} can be read again", options_.root));
    outbox_.add_all();
    return post_due();
  }
  if (!watched && watched.error().kind == ErrorKind::Io) {  // it may be there: no reason to give up
    if (std::exchange(root_problem_, watched.error().message) != watched.error().message)
      console_.problem(watched.error().message + "; it is tried again by itself");
    root_timer_ = loop_.after(kPollPeriod, [this] { find_root(kRootAttempts); });
    return;
  }
  if (attempts_left > 0) {
    root_timer_ = loop_.after(kRootPause, [this, attempts_left] { find_root(attempts_left - 1); });
    return;
  }
  console_.problem(
      fmt::format("the root {} is gone. Was that meant, or is a disk not mounted? Nothing was deleted "
                  "anywhere. Start again when it is back",
                  options_.root));
  stop(1);
}

// ------------------------------------------------------------------------------------------------- results

void Session::print(const std::vector<Results::Line>& lines) {
  for (const Results::Line& line : lines)
    line.problem ? console_.failure(line.text) : console_.say(line.text);
}

void Session::arm_results() {
  const auto due = results_.due();
  if (!due) return results_timer_.reset();
  results_timer_ = loop_.after(std::max(std::chrono::ceil<Millis>(*due - loop_.now()), Millis{0}), [this] {
    print(results_.tick(loop_.now()));
    arm_results();
  });
}

void Session::hold(bool held) {
  if (std::exchange(held_, held) == held || held) return;
  reload_rules();
  post_due();
}

void Session::end() {
  if (std::exchange(stopped_, true)) return;
  if (publisher_) write_manifest();
}

// Not within the call that found it out: the owner destroys us.
void Session::stop(int code) {
  end();
  end_ = loop_.after(Millis{0}, [this, code] { on_end_(code); });
}

}  // namespace live_update
