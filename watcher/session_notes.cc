// Session, third part: what is remembered from one run to the next, and what that is worth.
#include <algorithm>

#include "core/desired/history.h"
#include "run/memory.h"
#include "watcher/session.h"
#include "watcher/session_id.h"

namespace live_update {
namespace {

constexpr Millis kManifestDelay{2000};

bool has_initial_sync(const LiveUpdateSpec& spec) {
  return std::ranges::any_of(spec.steps,
                             [](const Step& step) { return std::holds_alternative<InitialSync>(step); });
}

}  // namespace

void Session::load_manifest() {
  const ObjectMeta& meta = live_update_.meta;
  std::optional<HostManifest> found;
  if (!options_.state_directory.empty()) {
    manifest_file_ = std::make_unique<ManifestFile>(
        host_.notes(), options_.state_directory,
        ManifestKey{options_.server, meta.ns, meta.name, meta.uid, options_.root});
    auto loaded = manifest_file_->load();
    if (loaded)
      found = std::move(*loaded);
    else
      console_.problem(loaded.error().message);
  }
  had_manifest_ = found && found->uid == meta.uid;
  if (!had_manifest_ && options_.before) found = *options_.before;
  follows_ = found && !had_manifest_;
  if (found) manifest_ = std::move(*found);
  if (follows_) manifest_.sequence = manifest_.snapshot = 0;
}

// What the API server was told: as the notes have it, and what was posted after that. Those of an older LiveUpdate
// tell what containers were told; what this one was is in its ChangeSets. Without any, the containers are taken
// to have what the disk has now, but for what ChangeSets say. Rule 5.8: wherever that may be wrong, a Snapshot is
// due.
Tree Session::baseline(const std::vector<ChangeSet>& change_sets) {
  const std::int64_t accepted = live_update_.status.sequence;
  auto is_snapshot = [](const ChangeSet& it) { return it.spec.type == ChangeSetType::Snapshot; };
  auto is_newest = [&](const ChangeSet& it) { return it.spec.sequence == accepted; };
  const bool unknown_posts =
      had_manifest_ && accepted > manifest_.sequence && std::ranges::none_of(change_sets, is_newest);
  const bool history_lost = had_manifest_ && manifest_.sequence > 0 && accepted == 0 && change_sets.empty();
  const bool no_snapshot = manifest_.snapshot == 0 && std::ranges::none_of(change_sets, is_snapshot);
  // What was told after the notes, and is gone and forgotten, may be there in the notes, and on the disk again.
  const bool forgotten = had_manifest_ && std::ranges::any_of(change_sets, [&](const ChangeSet& it) {
                           return it.spec.checkpoint && it.spec.checkpoint->forgotten > manifest_.sequence;
                         });
  if (forgotten) owe_snapshot(Snapshot::Digests);
  if (unknown_posts || history_lost || (no_snapshot && has_initial_sync(live_update_.spec)))
    owe_snapshot(Snapshot::Contents);
  if (follows_ || (!had_manifest_ && (accepted > 0 || !change_sets.empty()))) owe_snapshot(Snapshot::Digests);
  if (!had_manifest_ && !follows_) return replay(source_->tree(), 0, change_sets);
  if (!manifest_.whole) manifest_.posted = completed(std::move(manifest_.posted), change_sets);
  return replay(std::move(manifest_.posted), manifest_.sequence, change_sets);
}

void Session::begin_outbox(const std::vector<ChangeSet>& own) {
  const bool rules_changed = (had_manifest_ || follows_) && manifest_.rules != source_->rules_digest();
  outbox_.start(baseline(own), [this](const std::string& path) { return source_->filter().counts(path); });
  if (rules_changed) take_appeared(source_->tree().below(""));
  outbox_.add_all();
}

void Session::resume_posts(const std::vector<ChangeSet>& change_sets) {
  auto pending = std::exchange(manifest_.pending, {});
  if (follows_)  // what was sent to the one before, and perhaps came nowhere
    for (const PendingPost& post : std::exchange(pending, {})) outbox_.retract(post.changes);
  for (const LostPost& it : pending_.resume(std::move(pending), change_sets)) {
    manifest_.from_first = false;
    outbox_.retract(it.post.changes);
    if (it.post.snapshot) owe_snapshot(kind_of(it.post));
  }
}

// The first start, without a Snapshot: what is on the disk is what the image is taken to have. From then on every word has
// to be of this root, and known: others have files that this disk never had, and images may have them. Likewise what came
// into view when the rules changed.
void Session::mind_first_disk(std::int64_t noted, const std::vector<ChangeSet>& own) {
  const bool first = !had_manifest_ && !follows_ && manifest_.sequence == 0 && own.empty();
  if (first) manifest_.unseen = source_->unknown().list();
  const auto since = std::ranges::count_if(own, [&](const ChangeSet& it) {
    return it.spec.sequence > noted && !it.spec.checkpoint && from_one_root(options_.id, it.spec.session);
  });
  const bool goes_on = had_manifest_ && manifest_.from_first && noted + since == manifest_.sequence &&
                       manifest_.rules == source_->rules_digest();
  manifest_.from_first =
      (first || goes_on) && snapshot_due_ == Snapshot::None && !has_initial_sync(live_update_.spec);
}

// Rule 7.5: what neither the first disk had nor anybody was told of.
void Session::mark_new(std::vector<Change>& changes) {
  manifest_.from_first = manifest_.from_first && !has_initial_sync(live_update_.spec) &&
                         publisher_->next_sequence() == manifest_.sequence + 1;
  if (!manifest_.from_first || pending_.awaits_first()) return;
  const Unknowns unseen(manifest_.unseen);
  for (Change& it : changes)
    it.is_new = it.op == Op::Write && !outbox_.posted().names(it.path) && !unseen.spares(it.path);
}

void Session::note_new(const std::vector<Change>& changes) {
  under_way_.clear();
  if (!manifest_file_ || options_.once) return;
  for (const Change& it : changes)
    if (it.op == Op::Write && !outbox_.posted().find_any(it.path))
      under_way_.push_back({.path = it.path, .type = it.type});
  manifest_file_->add_new(under_way_);
}

void Session::write_manifest_soon() {
  manifest_timer_ = loop_.after(kManifestDelay, [this] {
    write_manifest();
    give_back_memory();
  });
}

std::shared_ptr<const HostManifest> Session::notes() const {
  if (!source_ || !publisher_) return nullptr;
  auto notes = std::make_shared<HostManifest>(manifest_);
  notes->uid = live_update_.meta.uid;
  notes->session = options_.id;
  notes->rules = source_->rules_digest();
  notes->posted = outbox_.posted();
  notes->known = source_->known();
  notes->pending = pending_.open();
  if (snapshot_owed_ != Snapshot::None)
    notes->pending.push_back({.names = {},
                              .sequence = manifest_.sequence,
                              .snapshot = true,
                              .digests = snapshot_owed_ == Snapshot::Digests,
                              .changes = {}});
  notes->held.assign(guard_.held().begin(), guard_.held().end());
  notes->head = git_head_;
  notes->whole = true;
  return notes;
}

void Session::write_manifest() {
  if (!manifest_file_ || options_.once) return;
  const auto notes = this->notes();
  if (!notes) return;
  const auto stored = manifest_file_->store(*notes, under_way_);
  const std::string wrong = stored ? "" : stored.error().message;
  const std::string before = std::exchange(notes_problem_, wrong);
  if (!wrong.empty() && wrong != before) console_.problem(wrong);
  if (wrong.empty() && !before.empty()) console_.say("the notes for the next start can be written again");
}

}  // namespace live_update
