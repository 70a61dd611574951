#include "watcher/session.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/api/conditions.h"
#include "core/base/text.h"
#include "core/desired/history.h"
#include "core/rules/credentials.h"
#include "run/memory.h"
#include "watcher/cluster.h"
#include "watcher/packer.h"
#include "watcher/wording.h"

namespace live_update {
namespace {

constexpr Millis kPollPeriod{2000}, kManifestDelay{2000}, kRootPause{200}, kSnapshotPause{500};
constexpr Millis kDeletesTogether{
    2000};  // what is deleted within so long is one deed, in however many batches
constexpr int kRootAttempts = 5;
constexpr const char* kSyncRequested = "liveupdate.dev/sync-requested-at";

bool has_initial_sync(const LiveUpdateSpec& spec) {
  return std::ranges::any_of(spec.steps,
                             [](const Step& step) { return std::holds_alternative<InitialSync>(step); });
}

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

std::int64_t count_files(const Tree& tree) { return static_cast<std::int64_t>(tree.files_below("").size()); }

}  // namespace

Session::Session(Loop& loop, ApiServer& api, Console& console, SessionOptions options,
                 std::function<void(int)> on_end)
    : loop_(loop),
      api_(api),
      console_(console, ""),
      options_(std::move(options)),
      on_end_(std::move(on_end)),
      results_(options_.timings) {}

Session::~Session() = default;

// ------------------------------------------------------------------------------------------------ beginning

Result<> Session::begin(const LiveUpdate& live_update, const std::vector<ChangeSet>& change_sets) {
  live_update_ = live_update;
  buffer_.set_debounce(live_update.spec.debounce);
  auto rules = load_rules(options_.root, live_update.spec, *options_.ceiling->spec());
  if (!rules) return fail(ErrorKind::Invalid, say_errors(rules.error()));
  load_manifest();
  source_ =
      std::make_unique<Source>(options_.root, std::move(*rules), std::move(manifest_.known),
                               [this](const std::string& path, const std::string& message) {
                                 if (source_ && (source_->mapped(path) || source_->filter().follows(path)))
                                   console_.problem(visible(path) + ": " + message);
                               });
  if (!options_.once)
    if (auto watching = start_watching(); !watching) return watching;
  if (auto scanned = source_->scan_all(); !scanned) return scanned;
  const std::string manifest_rules = manifest_.rules;
  std::int64_t newest = live_update.status.sequence;
  const auto own = own_in_order(live_update.meta, newest, change_sets);
  if (!own.empty()) newest = std::max(newest, own.back().spec.sequence);
  if (!options_.ceiling->spec()->source.credentials.empty()) sent_credentials_ = credentials_in(own);
  outbox_.start(baseline(own));
  outbox_.keep_if([this](const std::string& path) { return source_->filter().counts(path); });
  if (had_manifest_ && manifest_rules != source_->rules_digest()) {
    std::vector<std::string> appeared;
    for (const Change& change : diff(outbox_.posted(), source_->tree()))
      if (change.op == Op::Write && !outbox_.posted().find(change.path)) appeared.push_back(change.path);
    take_appeared(appeared);
  }
  outbox_.add_all();
  publisher_ = std::make_unique<Publisher>(
      loop_, api_, live_update.meta, newest + 1,
      Publisher::Callbacks{
          .on_done = [this](const auto& parts) { stored(parts); },
          .on_refused = [this](const auto& parts, const Error& error) { refused(parts, error); },
          .on_blocked = [this](const Error& error) { blocked(error); },
          .on_unblocked = [this] { unblocked(); }});
  manifest_.sequence = newest;
  snapshot_due_ = options_.once || snapshot_due_ || snapshot_asked_for(live_update);
  if (!had_manifest_)
    write_manifest();  // killed from here on, the next run knows what this one took for granted
  if (!options_.once)
    console_.say(
        fmt::format("watching {} in {}", say_count(count_files(source_->tree()), "file"), options_.root));
  say_held();
  post_due();
  write_manifest_soon();
  return {};
}

void Session::say_held() {
  const auto held = source_->take_held_back();
  if (!held.empty()) console_.failure(say_held_back(held, options_.ceiling->file()));
}

void Session::load_manifest() {
  if (options_.state_directory.empty()) return;
  const ObjectMeta& meta = live_update_.meta;
  manifest_file_ = std::make_unique<ManifestFile>(
      options_.state_directory, ManifestKey{options_.server, meta.ns, meta.name, meta.uid, options_.root});
  auto loaded = manifest_file_->load();
  if (!loaded) return console_.problem(loaded.error().message);
  had_manifest_ = loaded->has_value();
  if (had_manifest_) manifest_ = std::move(**loaded);
}

// What the API server knows: what we told it until the last run ended, and what was posted after that.
// Without notes of a last run the containers are taken to have what the disk has now, but for what ChangeSets
// say.
Tree Session::baseline(const std::vector<ChangeSet>& change_sets) {
  const std::int64_t accepted = live_update_.status.sequence;
  auto is_snapshot = [](const ChangeSet& it) { return it.spec.type == ChangeSetType::Snapshot; };
  auto is_newest = [&](const ChangeSet& it) { return it.spec.sequence == accepted; };
  const bool unknown_posts =
      had_manifest_ && accepted > manifest_.sequence && std::ranges::none_of(change_sets, is_newest);
  const bool history_lost = had_manifest_ && manifest_.sequence > 0 && accepted == 0 && change_sets.empty();
  const bool no_snapshot = manifest_.snapshot == 0 && std::ranges::none_of(change_sets, is_snapshot);
  snapshot_due_ = unknown_posts || history_lost || (no_snapshot && has_initial_sync(live_update_.spec));
  return had_manifest_ ? replay(std::move(manifest_.posted), manifest_.sequence, change_sets)
                       : replay(source_->tree(), 0, change_sets);
}

Result<> Session::start_watching() {
  watch_ = std::make_unique<TreeWatch>(
      options_.root, source_->filter(),
      TreeWatch::Callbacks{
          .on_event = [this](const FileEvent& event) { buffer_.add(event, loop_.now(), loop_.wall_clock()); },
          .on_notice = [this](const std::string& text) { console_.problem(text); }});
  if (auto started = watch_->restart(); !started) return started;
  readable_ = loop_.on_readable(watch_->fd(), [this] {
    watch_->read();
    arm_buffer();
  });
  arm_polling();
  return {};
}

// ---------------------------------------------------------------------------------------------------- rules

// What came into view because the rules changed is no change of the developer's: it is sent where a sync maps
// it, because nobody knows whether the containers have it, and else taken as it is.
void Session::take_appeared(const std::vector<std::string>& appeared) {
  std::vector<std::string> unmapped;
  std::ranges::copy_if(appeared, std::back_inserter(unmapped),
                       [this](const std::string& path) { return !source_->mapped(path); });
  outbox_.assume(unmapped, source_->tree());
}

void Session::reload_rules() {
  auto rules = load_rules(options_.root, live_update_.spec, *options_.ceiling->spec());
  if (!rules)
    return console_.problem(say_errors(rules.error()) +
                            "\nthe rules from before stay in force until this is repaired");
  if (rules->digest == source_->rules_digest()) return;
  auto appeared = source_->replace_rules(std::move(*rules));
  say_held();
  if (!appeared) return root_lost();
  if (watch_ && !watch_->restart()) return root_lost();
  outbox_.keep_if([this](const std::string& path) { return source_->filter().counts(path); });
  take_appeared(*appeared);
  outbox_.add_all();
  console_.forget();
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
  if (requested && !annotation(live_update, kSyncRequested).empty()) snapshot_due_ = true;
  consider_snapshot();
  post_due();
  end_once();
}

bool Session::snapshot_asked_for(const LiveUpdate& live_update) const {
  const Condition* needed = find_condition(live_update.status.conditions, condition::kSnapshotNeeded);
  return needed && needed->status;
}

// The operator asks for everything. It does so for a moment, too, when the parts of a batch reach it in
// another order: only what it still wants when all of ours is stored, and what our last Snapshot did not
// bring, is worth one.
void Session::consider_snapshot() {
  if (!snapshot_asked_for(live_update_)) return snapshot_timer_.reset();
  if (snapshot_timer_) return;
  snapshot_timer_ = loop_.after(kSnapshotPause, [this] {
    snapshot_timer_.reset();
    if (!publisher_->idle()) return consider_snapshot();
    if (manifest_.snapshot > live_update_.status.sequence) return;  // on its way
    snapshot_due_ = true;
    post_due();
  });
}

void Session::change_set_removed(const std::string& name) {
  results_.removed(name);
  arm_results();
}

void Session::change_set_changed(const ChangeSet& change_set) {
  const ChangeSetSpec& spec = change_set.spec;
  if (spec.session != options_.id && spec.sequence > manifest_.sequence)
    console_.problem(
        fmt::format("another watcher sends changes for this LiveUpdate, too: user {}, session {}; end one of "
                    "the two, or they "
                    "overwrite each other's files",
                    visible(spec.user), visible(spec.session)));
  publisher_->saw_sequence(newest_with(publisher_->next_sequence() - 1, live_update_.meta, change_set));
  publisher_->retry_now();
  print(results_.status(change_set, loop_.now()));
  arm_results();
  end_once();
}

// A push has an end when its batch has, and when the LiveUpdate says what `live-update status` then shows.
void Session::end_once() {
  if (!options_.once || stopped_ || !publisher_->idle() || !results_.last_ok()) return;
  if (!*results_.last_ok()) return stop(1);
  const LiveUpdateStatus& status = live_update_.status;
  const Condition* synced = find_condition(status.conditions, condition::kSynced);
  if (synced && synced->status && status.sequence >= manifest_.sequence) stop(0);
}

// --------------------------------------------------------------------------------------------------- events

void Session::arm_polling() {
  if (!watch_->needs_polling()) return poll_timer_.reset();
  if (poll_timer_) return;
  poll_timer_ = loop_.every(kPollPeriod, [this] {
    watch_->poll();
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
  arm_polling();
  if (!dirty.empty()) look(dirty);
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
  if (ignore_file_touched(dirty)) reload_rules();
  if (!source_->look(dirty)) return root_lost();
  say_held();
  outbox_.add(dirty);
  if (dirty.first && (!saved_ || *dirty.first < *saved_)) saved_ = dirty.first, observed_ = dirty.observed_at;
  post_due();
}

// The root may be on its way: moved away and made anew by one command.
void Session::root_lost() { find_root(kRootAttempts); }

void Session::find_root(int attempts_left) {
  if (watch_->restart() && source_->scan_all()) {
    outbox_.add_all();
    return post_due();
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

// -------------------------------------------------------------------------------------------------- posting

void Session::post_due() {
  if (stopped_ || held_ || !publisher_->idle()) return;
  if (snapshot_due_) return post_snapshot();
  if (outbox_.empty()) return;
  auto changes = outbox_.take(source_->tree());
  if (too_many_deletes(changes)) return;
  changes = source_->fill(live_update_.spec, std::move(changes), outbox_.posted());
  if (changes.empty()) {
    saved_.reset();
    return;
  }
  send(ChangeSetType::Delta, std::move(changes));
}

void Session::post_snapshot() {
  auto gone = outbox_.take(source_->tree());
  if (too_many_deletes(gone)) return;
  snapshot_due_ = false;
  auto all = source_->everything();
  for (const Change& change : gone)
    if (change.op == Op::Delete && is_credential(change.path)) sent_credentials_.insert(change.path);
  // Whatever a Snapshot does not name is gone, but of credentials that must be said.
  for (const std::string& path : sent_credentials_)
    if (source_->filter().counts(path) && !source_->tree().find(path))
      all.push_back({.path = path, .op = Op::Delete});
  send(ChangeSetType::Snapshot, std::move(all));
}

bool Session::too_many_deletes(const std::vector<Change>& changes) {
  if (options_.allow_deletes) return false;
  std::erase_if(gone_lately_, [&](const auto& it) { return loop_.now() - it.second > kDeletesTogether; });
  for (const Change& change : changes) {
    if (change.op == Op::Delete)
      gone_lately_[change.path] = loop_.now();
    else
      gone_lately_.erase(change.path);
  }
  const auto deletes = static_cast<std::int64_t>(gone_lately_.size());
  const auto here = static_cast<std::int64_t>(std::ranges::count(changes, Op::Delete, &Change::op));
  const auto before = static_cast<std::int64_t>(outbox_.posted().size()) + deletes - here;
  const bool all = before > 1 && source_->tree().empty();
  const std::int64_t limit = live_update_.spec.source.max_deletes;
  if (deletes <= limit && !all) return false;
  console_.problem(
      fmt::format("{} of {} paths below {} are gone{}. Was that meant, or is a disk not mounted? {} "
                  "not deleted in the containers. "
                  "To delete them in the containers, start again with --allow-deletes",
                  say_count(deletes), say_count(before), options_.root,
                  all ? "" : fmt::format(", more than spec.source.maxDeletes ({})", say_count(limit)),
                  here == deletes ? "They are" : fmt::format("The last {} are", say_count(here))));
  stop(1);
  return true;
}

void Session::send(ChangeSetType type, std::vector<Change> changes) {
  const bool all = type == ChangeSetType::Snapshot;
  sending_ = all ? fmt::format("everything ({})", say_count(count_files(source_->tree()), "file"))
                 : say_changes(changes);
  sending_saved_ = std::exchange(saved_, std::nullopt).value_or(loop_.now());
  ChangeSetSpec header{
      .live_update = live_update_.meta.name, .session = options_.id, .user = options_.user, .type = type};
  header.observed_at = std::exchange(observed_, std::nullopt).value_or(loop_.wall_clock());
  publisher_->post(pack(header, std::move(changes)));
}

void Session::stored(const std::vector<ChangeSetSpec>& parts) {
  outbox_.confirm(parts);
  const auto early = results_.posted(parts, sending_, sending_saved_.value_or(loop_.now()), loop_.now());
  manifest_.sequence = parts.back().sequence;
  if (parts.back().type == ChangeSetType::Snapshot) manifest_.snapshot = manifest_.sequence;
  print(early);
  arm_results();
  write_manifest_soon();
  post_due();
  end_once();
}

void Session::refused(const std::vector<ChangeSetSpec>&, const Error& error) {
  console_.problem(fmt::format("{} -> not accepted: {}", sending_, error.message));
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
  console_.forget();
  const std::size_t waiting = outbox_.waiting(source_->tree());
  console_.say(
      "the API server takes changes again" +
      (waiting > 0 ? ", " + say_count(static_cast<std::int64_t>(waiting), "more change") + " to send" : ""));
}

// ------------------------------------------------------------------------------------------ results and
// notes

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

void Session::write_manifest_soon() {
  manifest_timer_ = loop_.after(kManifestDelay, [this] {
    write_manifest();
    give_back_memory();
  });
}

void Session::write_manifest() {
  if (!manifest_file_ || !source_ || options_.once) return;
  manifest_.session = options_.id;
  manifest_.rules = source_->rules_digest();
  manifest_.posted = outbox_.posted();
  manifest_.known = source_->known();
  auto stored = manifest_file_->store(manifest_);
  manifest_.posted = {};
  manifest_.known.clear();
  if (!stored) console_.problem(stored.error().message);
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
