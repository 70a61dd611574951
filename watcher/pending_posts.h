// PendingPosts: batches that the API server has stored, but the operator has not accepted yet (rule 7.3).
//
// Two sessions may use one sequence: their ChangeSets have different names, so the API server takes both, and
// the operator refuses the later one. It is then of no effect, and what it brought must be posted again. No
// save is given up before the operator has said something of it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// What was in a batch, in short.
struct PendingPost {
  std::vector<std::string> names;  // of its parts
  std::int64_t sequence = 0;       // of its last part
  bool snapshot = false;
  std::vector<Change> changes;  // path, op and type only; of a Snapshot none
  bool operator==(const PendingPost&) const = default;
};

class PendingPosts {
 public:
  // Each of these returns the batch if it turns out to be displaced: to be posted again, once.

  // The parts are stored. Their status may have come before the answer to the post.
  std::optional<PendingPost> stored(const std::vector<ChangeSetSpec>& parts);
  std::optional<PendingPost> status(const ChangeSet& change_set);
  // Gone before anything was said of it.
  std::optional<PendingPost> removed(const std::string& name);

  // Of the last run: those of its batches that are displaced by now; others are waited for.
  std::vector<PendingPost> resume(std::vector<PendingPost> posts, const std::vector<ChangeSet>& change_sets);
  const std::vector<PendingPost>& open() const { return open_; }
  // How many were displaced since one was accepted.
  int displaced_in_a_row() const { return displaced_; }

 private:
  enum class Fate { Open, Accepted, Displaced };
  Fate fate(const PendingPost& post, const ChangeSetStatus& status, bool last_part) const;
  Fate fate_among(const PendingPost& post, const std::vector<ChangeSet>& change_sets) const;
  std::vector<PendingPost>::iterator find(const std::string& name);
  std::optional<PendingPost> settle(std::vector<PendingPost>::iterator post, Fate fate);

  std::vector<PendingPost> open_;
  std::map<std::string, ChangeSetStatus> early_;  // of ChangeSets that are not known yet; the newest few
  std::int64_t snapshot_ = 0;                     // the newest of ours
  int displaced_ = 0;
};

}  // namespace live_update
