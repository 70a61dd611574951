// What the operator knows of one LiveUpdate's files: its ChangeSets in order, joined to batches, and merged
// (rules 5.3, 7.3).
//
// How it works. `update` is given all ChangeSets there are, sorted by sequence. Those of one batch (part 1 to
// `parts`, consecutive) are joined, a batch is merged into one tree, and for each path it is noted which batch
// spoke last of it and which holds its bytes: a batch to which neither points, and which all targets have
// confirmed, is superseded and may be deleted. What comes behind a gap waits for what is missing or for a
// Snapshot. Usually only newer ones have come and superseded ones gone: then the history goes on from where it
// is. Where something is missing that is needed all is joined anew, and `lost` says up to where nothing is known.
// A Checkpoint (core/desired/checkpoint.h) is the first batch, in the place of all up to its sequence.
//
// Pure. Contents are shared, never copied.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"
#include "core/api/limits.h"
#include "core/desired/delivery.h"
#include "core/desired/tree.h"
#include "core/rules/plan.h"

namespace live_update {

// One batch, all parts of which have come, as one ChangeSetSpec: the header of the last part, the changes of
// all.
struct Batch {
  std::int64_t first = 0, last = 0;  // sequences of its parts; `last` is the sequence of the batch
  ChangeSetSpec spec;
  // It only brings content for what was known: an answer to what containers lacked (rule 5.9).
  bool only_content = false;
  // Of a Snapshot, what differs from the history before it: by that it is judged (rule 3.7). What nothing was
  // known of is the baseline. Without content.
  SharedList<Change> differs;
  std::vector<ObjectMeta> parts;  // of its ChangeSets, in order
  ChangeSetStatus status;         // as last seen, of its last part: that is where we write it
  const ObjectMeta& meta() const { return parts.back(); }
  // The sequence of the newest Snapshot in it, and that one's reach; 0: it has none.
  std::int64_t snapshot() const {
    if (spec.checkpoint) return spec.checkpoint->snapshot;
    return spec.type == ChangeSetType::Snapshot ? last : 0;
  }
  const std::string& reach() const { return spec.checkpoint ? spec.checkpoint->reach : spec.reach; }
  // And what its machine ignored; the paths that it did not know are spec.unknown.
  const std::optional<HostIgnores>& ignores() const {
    return spec.checkpoint ? spec.checkpoint->ignores : spec.ignores;
  }
  // The sequence that said this change of it.
  std::int64_t stamp_of(const Change& change) const { return change.stamp > 0 ? change.stamp : last; }
  // What has become different by it.
  const SharedList<Change>& changed() const {
    return spec.type == ChangeSetType::Snapshot ? differs : spec.changes;
  }
};

// A ChangeSet that is not part of the history, and why, for its status.
struct Refused {
  ObjectMeta meta;
  ChangeSetStatus status;  // as last seen
  std::int64_t sequence = 0;
  std::string phase;  // Refused or Superseded
  std::string message;
};

// Of consecutive sequences. In a status: "3 7-9 12"; what makes no sense is left out.
struct SequenceRange {
  std::int64_t first = 0, last = 0;
};
std::vector<SequenceRange> ranges_from(std::string_view text);

class History {
 public:
  // So long an unfinished batch, and what is behind a gap, may wait for the rest (rule 7.5).
  static constexpr std::chrono::minutes kPatience{10};

  explicit History(const Limits& limits = {}) : limits_(limits) {}

  // Takes in what the API server holds now of one LiveUpdate, in any order. `accepted` is status.sequence:
  // what comes up to there needs no predecessor, because superseded ones are deleted. `now`: not given, nothing
  // is given up for its age.
  void update(std::vector<std::shared_ptr<const ChangeSet>> change_sets, std::int64_t accepted,
              std::optional<Time> now = std::nullopt);

  // In order of sequence.
  const std::vector<Batch>& batches() const { return batches_; }
  std::int64_t newest() const { return std::max(accepted_, batches_.empty() ? 0 : batches_.back().last); }
  const std::vector<Refused>& refused() const { return refused_; }
  // The sequence that is missing though later ones are there, or were there until they were given up: only a
  // Snapshot goes on from there then.
  std::optional<std::int64_t> gap() const { return gap_ ? gap_ : missed_; }
  // Whether it is known of each path that rules of this reach count what it is: a Snapshot made by such rules said so,
  // and nothing is missing since. An older watcher's tells no reach: it counts if it is not older than `asked`.
  bool knows_all(std::string_view reach, std::optional<Time> asked = std::nullopt) const;
  // The batch with the newest Snapshot; null: there is none.
  const Batch* newest_snapshot() const;
  // When the first of those that wait was made: posts on their way may overtake each other, so a young gap
  // means nothing yet. Nothing: long ago.
  std::optional<Time> gap_since() const { return missed_ ? std::nullopt : gap_since_; }
  // When the next of what waits is given up.
  std::optional<Time> gives_up_at() const;
  // Up to which sequence the history does not tell all any more: somebody else deleted what was still needed.
  // 0: it is complete. A later Snapshot makes it complete again.
  std::int64_t lost() const { return lost_; }
  // Taken over from status after a restart, where the loss itself cannot be seen any more.
  void assume_lost(std::int64_t sequence);
  // Before the first `update`, what was needed when the status was written (`needed`): if some of that is not
  // there any more, it is lost.
  void expect(std::string_view needed) { expected_ = needed; }
  // The sequences of the ChangeSets that are needed, as ranges: "3 7-9 12". At most Limits::needed characters.
  std::string needed() const;
  void assume_gap(std::int64_t missing) { missed_ = missing; }
  // The bytes that are held as this are something else: they count as not held (rule 5.9), until a batch brings them.
  void disbelieve(const WantedContent& content);
  // Whether that is why the content of this path is not held.
  bool is_disbelieved(const std::string& path) const { return disbelieved_.contains(path); }
  // Everything merged, deleted paths as tombstones.
  const Tree& all() const { return all_; }
  // The sequence with which a path began that no image has: only ChangeSets have put it anywhere (Change::is_new, rule
  // 7.5). Of one that a Checkpoint tells it is that of the Checkpoint: all that this can be asked about it is the same.
  std::optional<std::int64_t> beginning(const std::string& path) const;
  // Of all that are known, the first; none: behind the newest sequence.
  std::int64_t first_beginning() const;
  // What a container lacks that has confirmed `sequence`, leaving out the batches in `without` (rule 5.3);
  // with content. Without what a Snapshot does not know and the container was told before (rule 7.6): some of that may
  // be lost, and what is held be older than what it has.
  Tree since(std::int64_t sequence, const std::set<std::int64_t>& without = {}) const;
  // The same paths, sorted, where nothing is left out: what each of them is now is found in all(). They hold
  // until the next update.
  std::vector<PathChange> changed_since(std::int64_t sequence) const;
  // Whether there is a Snapshot after `sequence`, or one is part of a Checkpoint.
  bool snapshot_since(std::int64_t sequence) const;
  // Whether there is a batch after it that names what may be in containers already.
  bool says_again_since(std::int64_t sequence) const;
  // The sequence of the Checkpoint that it begins with; 0: there is none.
  std::int64_t merged() const { return merged_; }
  // Parts of a Checkpoint that is not complete: it is being made, or whoever made it has ended.
  const std::vector<ObjectMeta>& half_checkpoint() const { return half_checkpoint_; }
  // ChangeSets of which nothing is needed any more: every path of theirs has a later state, all targets have
  // confirmed them (`confirmed`), and a newer batch exists.
  std::vector<ObjectMeta> superseded(std::int64_t confirmed) const;

 private:
  using ChangeSets = std::vector<std::shared_ptr<const ChangeSet>>;
  using Names = std::set<std::string_view>;
  // Who knew less than a Checkpoint has to hear that something was forgotten, though nothing else of it is needed.
  bool needed(const Batch& batch) const {
    return uses_.contains(batch.last) || (batch.spec.checkpoint && batch.spec.checkpoint->forgotten > 0);
  }
  bool misses_needed(const ChangeSets& sorted, std::int64_t merged) const;
  bool misses_expected(const ChangeSets& sorted, std::int64_t merged) const;
  bool can_go_on(const ChangeSets& sorted);
  bool drop_superseded(const Names& present);
  Names settled() const;
  std::function<bool(const std::string&)> left_alone(std::int64_t sequence) const;
  bool holds(const std::string& path) const;
  bool brings_only_content(const ChangeSetSpec& batch) const;
  // By path, which lies in the changes of that batch.
  using Words = std::map<std::string_view, std::int64_t>;
  void release(std::int64_t batch);
  void speak(Words& about, std::string_view path, std::int64_t batch);
  void note_beginnings(const Batch& batch);
  class Joining;
  void begin_anew(ChangeSets checkpoint, bool lost);
  void take(const ChangeSets& sorted);
  void give_up(Time now);
  void add_batch(const std::vector<const ChangeSet*>& parts);
  void keep_remains(const std::vector<const ChangeSet*>& remains);
  void refuse(const ChangeSet& change_set, std::string phase, std::string message);
  void refresh_status(const ChangeSets& sorted);

  Limits limits_;
  std::int64_t accepted_ = 0;
  std::int64_t merged_ = 0;  // the last sequence of the Checkpoint; 0: there is none
  std::optional<Time> merged_at_;
  std::vector<Batch> batches_;
  std::vector<Refused> refused_;
  std::vector<ObjectMeta> half_checkpoint_;   // parts of one that is not complete
  std::vector<ObjectMeta> remains_;           // of superseded batches that are being deleted, part by part
  std::optional<std::int64_t> gap_, missed_;  // missed: what came after it was given up
  std::optional<Time> gap_since_;
  ChangeSets waiting_, unfinished_;  // behind the gap; parts of the newest batch, not all of which have come
  std::int64_t lost_ = 0;
  std::string expected_;  // ranges, until they have been looked for
  Tree all_;
  Words last_word_;  // the batch that spoke last about a path
  Words content_;    // the one that holds its bytes (not a change of mode alone)
  std::map<std::string, std::int64_t, std::less<>> beginnings_;
  std::map<std::int64_t, std::size_t> uses_;  // batch -> how many entries of these two it has
  std::set<std::string> known_;               // names in batches_
  std::set<std::string> disbelieved_;         // paths whose bytes were not what their digest says
};

// All of a tree, sorted, for as long as it is not changed.
std::vector<PathChange> paths_of(const Tree& tree);

// The sequence of the last part of the batch that this is a part of.
inline std::int64_t end_of_batch(const ChangeSetSpec& part) { return part.sequence + part.parts - part.part; }

// The sequence that counts as accepted, where a status tells one and we have come to another. What another operator has
// accepted counts once its newest ChangeSet, which nobody deletes, is here, too: else that would be taken for known.
std::int64_t accepted_here(std::int64_t told, std::int64_t ours,
                           const std::vector<std::shared_ptr<const ChangeSet>>& here);

// Whether a ChangeSet is of this very LiveUpdate, and not left from an older one of its name.
bool is_of(const ObjectMeta& live_update, const ObjectMeta& change_set);

// The newest sequence in use once a watcher that knows of `newest` has seen this one: it numbers on from there.
// One that is refused, of another LiveUpdate, or so far ahead that nobody comes there by counting is of no
// matter.
std::int64_t newest_with(std::int64_t newest, const ObjectMeta& live_update, const ChangeSet& change_set,
                         const Limits& limits = {});

// Those that such a watcher has to do with, by sequence.
std::vector<ChangeSet> own_in_order(const ObjectMeta& live_update, std::int64_t newest,
                                    std::vector<ChangeSet> change_sets, const Limits& limits = {});

// Whether a ChangeSet was refused only because another session's has its sequence: with the next one it is
// taken (rule 7.3).
inline constexpr std::string_view kSequenceUsed = " is already used by another ChangeSet";
bool is_sequence_used(const ChangeSetStatus& status);
// Whether it was only because of a sequence that the LiveUpdate is far from (Limits::farthest_ahead).
inline constexpr std::string_view kTooFarAhead = " is too far ahead: the newest is ";
bool is_too_far_ahead(const ChangeSetStatus& status);
// Whether it was only because there is no room for it now, whatever it holds: too much waits behind a gap, or
// nobody knows its LiveUpdate yet. The same is taken later.
inline constexpr std::string_view kMuchWaits = "more than 32 MiB wait for sequence ";
inline constexpr std::string_view kNoLiveUpdate = "there is no LiveUpdate ";
bool has_no_room(const ChangeSetStatus& status);

}  // namespace live_update
