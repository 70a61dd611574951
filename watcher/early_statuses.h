// EarlyStatuses: what the operator said of our ChangeSets before the API server's answer to their posts came.
//
// Kept are those of our own session that are newer than all that is known to be stored, so never more than are
// under way; were there more, the oldest would go. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/api/kinds.h"

namespace live_update {

class EarlyStatuses {
 public:
  static constexpr std::size_t kMost = 256;

  explicit EarlyStatuses(std::string session) : session_(std::move(session)) {}

  // Nothing, if it is not one of ours to come, or nothing was said of it yet.
  void keep(const ChangeSet& change_set);
  // It is stored: what was said of it, if anything.
  std::optional<ChangeSetStatus> take(std::int64_t sequence);
  // All up to here are known.
  void known(std::int64_t sequence);
  std::size_t size() const { return statuses_.size(); }

 private:
  const std::string session_;
  std::int64_t known_ = 0;
  std::map<std::int64_t, ChangeSetStatus> statuses_;  // by sequence
};

}  // namespace live_update
