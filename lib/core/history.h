// What the operator knows of one LiveUpdate's files: its ChangeSets in order, joined to batches, and merged (rules 5.3, 7.3).
//
// Pure and incremental: accepting the next ChangeSet costs what that ChangeSet holds. Contents are shared, never copied.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api.h"
#include "core/plan.h"

namespace live_update {

// A piece of a file's content as it came in one ChangeSet; shared between all replicas.
struct ContentPiece {
  std::uint64_t offset = 0;
  Encoding encoding = Encoding::Identity;
  std::shared_ptr<const std::string> bytes;
  bool operator==(const ContentPiece&) const = default;
};

// The last word on one path: the change (its own `content` is unused) and the pieces of its content, by offset.
struct PathState {
  Change change;
  std::vector<ContentPiece> pieces;
  bool operator==(const PathState&) const = default;
};

// Clean host path -> its last state; a delete stays as a tombstone, so that it can be passed on.
using MergedChanges = std::map<std::string, PathState>;

// Merges changes in their order: the last state of a path wins; pieces of one digest are gathered; deleting a directory
// turns everything known below it into tombstones.
void merge(MergedChanges& into, const std::vector<Change>& changes);
void merge(MergedChanges& into, const MergedChanges& newer);
std::vector<Change> to_changes(const MergedChanges& merged);

// The planner's view of merged changes: what they say exists.
class MergedTree : public HostTree {
 public:
  explicit MergedTree(const MergedChanges& merged) : merged_(merged) {}
  std::optional<FileType> type(const std::string& path) const override;
  std::vector<std::string> files_below(const std::string& directory) const override;

 private:
  const MergedChanges& merged_;
};

// One batch: all parts of it have come.
struct Batch {
  std::int64_t first = 0, last = 0;  // sequences of its parts; `last` names the batch
  ChangeSetType type = ChangeSetType::Delta;
  std::vector<std::string> names;  // of its ChangeSets, by part
  std::string user, session;
  std::optional<Time> observed_at, created;
  std::optional<BuildResult> build;
  ChangeSetStatus status;  // as last seen, of its last part
  MergedChanges changes;
};

// Why a ChangeSet is not part of the history.
struct RefusedChangeSet {
  std::string name, message;
  ChangeSetStatus status;
  bool operator==(const RefusedChangeSet&) const = default;
};

// The history of one LiveUpdate. Given all its ChangeSets that the API server holds, in any order.
class History {
 public:
  // Rebuilds from scratch what can be accepted of `change_sets`; `accepted` is status.sequence: what came up to there needs no
  // predecessor (older ones are deleted when they are superseded). Appending newer ones is incremental.
  void update(const std::vector<std::shared_ptr<const ChangeSet>>& change_sets, std::int64_t accepted);

  const std::vector<Batch>& batches() const { return batches_; }
  std::int64_t newest() const { return batches_.empty() ? accepted_ : std::max(accepted_, batches_.back().last); }
  const std::vector<RefusedChangeSet>& refused() const { return refused_; }
  // The sequence that is missing though later ones are there; they wait, or a Snapshot replaces them.
  std::optional<std::int64_t> gap() const { return gap_; }
  // A batch of which not all parts are there yet.
  bool incomplete() const { return incomplete_; }
  // Everything merged, and what came after `sequence` merged.
  const MergedChanges& all() const { return all_; }
  // The newest Snapshot, if there is one.
  std::optional<std::int64_t> snapshot() const;
  // Names of ChangeSets of which nothing is needed any more: each of their paths has a later state, every target has confirmed
  // them (`confirmed` is the oldest confirmed sequence), and they are not the newest.
  std::vector<std::string> superseded(std::int64_t confirmed) const;

 private:
  void append(const std::vector<const ChangeSet*>& parts);

  std::int64_t accepted_ = 0;
  std::vector<Batch> batches_;
  std::vector<RefusedChangeSet> refused_;
  std::optional<std::int64_t> gap_;
  bool incomplete_ = false;
  MergedChanges all_;
  std::map<std::string, std::int64_t> last_writer_;  // path -> the batch that spoke last about it
  std::set<std::string> known_;                      // names of ChangeSets in batches_
};

// A name or path that no ChangeSet may have (rules 1.5, 4.3): empty if fine, else why it is refused.
std::string refuse_reason(const ChangeSet& change_set);

}  // namespace live_update
