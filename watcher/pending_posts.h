// PendingPosts: batches that the API server has stored, but the operator has not accepted yet (rule 7.3).
//
// Two sessions may use one sequence: their ChangeSets have different names, so the API server takes both, and
// the operator refuses the later one. It is then of no effect, and what it brought must be posted again. No
// save is given up before the operator has said something of it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "watcher/early_statuses.h"

namespace live_update {

// What was in a batch, in short.
struct PendingPost {
  std::vector<std::string> names;  // of its parts
  std::int64_t sequence = 0;       // of its last part
  bool snapshot = false;
  bool digests = false;         // of a Snapshot: without the content that its targets are taken to have
  std::vector<Change> changes;  // path, op and type only; of a Snapshot none
  bool operator==(const PendingPost&) const = default;
};

// A batch that is of no effect: to be posted again.
struct LostPost {
  enum Why {
    Displaced,    // another session has used its sequence, or it was deleted before anything was said of it
    TooFarAhead,  // the operator's sequences begin anew; ours follow them
    NoRoom,       // whatever it holds: it is taken later
    Refused,      // for something in it
  };
  PendingPost post;
  Why why = Displaced;
};

class PendingPosts {
 public:
  explicit PendingPosts(std::string session) : early_(std::move(session)) {}

  // Each of these returns the batch if it turns out to be lost, once.

  // The parts are stored. Their status may have come before the answer to the post.
  std::optional<LostPost> stored(const std::vector<ChangeSetSpec>& parts, bool digests = false);
  std::optional<LostPost> status(const ChangeSet& change_set);
  // Gone before anything was said of it, be it before the answer to the post.
  std::optional<LostPost> removed(const ChangeSet& change_set);

  // Of the last run: those of its batches that are lost by now; others are waited for.
  std::vector<LostPost> resume(std::vector<PendingPost> posts, const std::vector<ChangeSet>& change_sets);
  // The operator's sequences begin anew, and ours with this one.
  void start_over(std::int64_t next);
  const std::vector<PendingPost>& open() const { return open_; }
  // The first ChangeSet of all is among them: another session's may take its place.
  bool awaits_first() const;
  // It is of a batch that is open, be it of the last run.
  bool awaits(const std::string& name) const;
  // How many were displaced or too far ahead, and how many refused, since one was accepted.
  int displaced_in_a_row() const { return displaced_; }
  int refused_in_a_row() const { return refused_; }

 private:
  enum class Fate { Open, Accepted, Displaced, TooFarAhead, NoRoom, Refused };
  Fate fate(const PendingPost& post, const ChangeSetStatus& status, bool last_part) const;
  Fate fate_among(const PendingPost& post, const std::vector<ChangeSet>& change_sets) const;
  std::vector<PendingPost>::iterator find(const std::string& name);
  std::optional<LostPost> settle(std::vector<PendingPost>::iterator post, Fate fate);

  std::vector<PendingPost> open_;
  EarlyStatuses early_;
  std::int64_t snapshot_ = 0;  // the newest of ours
  int displaced_ = 0, refused_ = 0;
};

}  // namespace live_update
