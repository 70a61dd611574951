// EarlyStatuses: what became of our ChangeSets before the API server's answer to their posts came: what the operator
// said of them, and whether they are gone again.
//
// Kept are those of our own session that are newer than all that is known to be stored, so never more than are
// under way; were there more, the oldest would go. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/api/kinds.h"

namespace live_update {

class EarlyStatuses {
 public:
  static constexpr std::size_t kMost = 256;

  explicit EarlyStatuses(std::string session) : session_(std::move(session)) {}

  // Nothing, if it is not one of ours to come, or nothing was said of it yet.
  void keep(const ChangeSet& change_set);
  // Somebody has deleted it.
  void removed(const ChangeSet& change_set);
  // Whether it is of the time before the sequences began anew: its name may be that of one that is under way now.
  bool is_older(const ChangeSet& change_set) const { return older_.contains(change_set.meta.uid); }
  // It is stored: what was said of it, if anything.
  std::optional<ChangeSetStatus> take(std::int64_t sequence);
  // And whether it is gone.
  bool take_removed(std::int64_t sequence) { return removed_.erase(sequence) > 0; }
  // All up to here are known.
  void known(std::int64_t sequence);
  // The sequences begin anew with this one: those before are known, and no others.
  void start_over(std::int64_t next);
  std::size_t size() const { return statuses_.size(); }

 private:
  const std::string session_;
  std::int64_t known_ = 0;
  std::map<std::int64_t, ChangeSetStatus> statuses_;  // by sequence
  std::set<std::int64_t> removed_;
  std::set<std::string> there_, older_;  // UIDs of our own; those from before `start_over`
};

}  // namespace live_update
