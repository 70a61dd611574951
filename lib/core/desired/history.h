// What the operator knows of one LiveUpdate's files: its ChangeSets in order, joined to batches, and merged
// (rules 5.3, 7.3).
//
// How it works. `update` is given all ChangeSets there are, sorted by sequence. Those of one batch (part 1 to
// `parts`, consecutive) are joined, a batch is merged into one tree, and for each path it is noted which batch
// spoke last of it and which holds its bytes: a batch to which neither points, and which all targets have
// confirmed, is superseded and may be deleted. What comes behind a gap waits for what is missing or for a
// Snapshot. Usually only newer ones have come and superseded ones gone: then the history goes on from where it
// is. Where something is missing that is needed all is joined anew, and `lost` says up to where nothing is known.
//
// Pure. Contents are shared, never copied.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/tree.h"

namespace live_update {

// One batch, all parts of which have come, as one ChangeSetSpec: the header of the last part, the changes of
// all.
struct Batch {
  std::int64_t first = 0, last = 0;  // sequences of its parts; `last` is the sequence of the batch
  ChangeSetSpec spec;
  std::vector<ObjectMeta> parts;  // of its ChangeSets, in order
  ChangeSetStatus status;         // as last seen, of its last part: that is where we write it
  const ObjectMeta& meta() const { return parts.back(); }
};

// A ChangeSet that is not part of the history, and why, for its status.
struct Refused {
  ObjectMeta meta;
  ChangeSetStatus status;  // as last seen
  std::int64_t sequence = 0;
  std::string phase;  // Refused or Superseded
  std::string message;
};

class History {
 public:
  // Takes in what the API server holds now of one LiveUpdate, in any order. `accepted` is status.sequence:
  // what comes up to there needs no predecessor, because superseded ones are deleted.
  void update(std::vector<std::shared_ptr<const ChangeSet>> change_sets, std::int64_t accepted);

  // In order of sequence.
  const std::vector<Batch>& batches() const { return batches_; }
  std::int64_t newest() const { return std::max(accepted_, batches_.empty() ? 0 : batches_.back().last); }
  const std::vector<Refused>& refused() const { return refused_; }
  // The sequence that is missing though later ones are there: they wait for it or for a Snapshot.
  std::optional<std::int64_t> gap() const { return gap_; }
  // When the first of those that wait was made: posts on their way may overtake each other, so a young gap
  // means nothing yet.
  std::optional<Time> gap_since() const { return gap_since_; }
  // Up to which sequence the history does not tell all any more: somebody else deleted what was still needed.
  // 0: it is complete. A later Snapshot makes it complete again.
  std::int64_t lost() const { return lost_; }
  // Taken over from status after a restart, where the loss itself cannot be seen any more.
  void assume_lost(std::int64_t sequence);
  // Everything merged, deleted paths as tombstones.
  const Tree& all() const { return all_; }
  // What a container lacks that has confirmed `sequence`, leaving out the batches in `without` (rule 5.3);
  // with content.
  Tree since(std::int64_t sequence, const std::set<std::int64_t>& without = {}) const;
  // Whether there is a Snapshot after `sequence`.
  bool snapshot_since(std::int64_t sequence) const;
  // ChangeSets of which nothing is needed any more: every path of theirs has a later state, all targets have
  // confirmed them (`confirmed`), and a newer batch exists.
  std::vector<ObjectMeta> superseded(std::int64_t confirmed) const;

 private:
  using ChangeSets = std::vector<std::shared_ptr<const ChangeSet>>;
  using Names = std::set<std::string_view>;
  bool needed(const Batch& batch) const { return uses_.contains(batch.last); }
  bool misses_needed(const ChangeSets& sorted) const;
  bool can_go_on(const ChangeSets& sorted);
  bool drop_superseded(const Names& present);
  Names settled() const;
  void speak(std::map<std::string, std::int64_t>& about, const std::string& path, std::int64_t batch);
  std::string flaw(const ChangeSet& it, std::optional<std::int64_t> last_sequence);
  void take(const ChangeSets& sorted);
  void add_batch(const std::vector<const ChangeSet*>& parts);
  void keep_remains(const std::vector<const ChangeSet*>& remains);
  void refuse(const ChangeSet& change_set, std::string phase, std::string message);
  void refresh_status(const ChangeSets& sorted);

  std::int64_t accepted_ = 0;
  std::vector<Batch> batches_;
  std::vector<Refused> refused_;
  std::vector<ObjectMeta> remains_;  // of superseded batches that are being deleted, part by part
  std::optional<std::int64_t> gap_;
  std::optional<Time> gap_since_;
  std::int64_t lost_ = 0;
  Tree all_;
  std::map<std::string, std::int64_t> last_word_;  // path -> the batch that spoke last about it
  std::map<std::string, std::int64_t>
      content_;  // path -> the batch that holds its bytes (not a change of mode alone)
  std::map<std::int64_t, std::size_t> uses_;  // batch -> how many entries of these two it has
  std::set<std::string> known_;               // names in batches_
  std::set<std::string> sound_;               // of those that wait for others: nothing to refuse was found
};

// Why no operator may carry out this ChangeSet, or empty: paths that lead out of the root (rules 1.5, 4.3),
// contradictory fields, a bad digest. The API server refuses most of it already; a hand-written one must not
// get further either way.
std::string refusal(const ChangeSetSpec& spec);

}  // namespace live_update
