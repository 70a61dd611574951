// DeleteGuard: deletes that somebody should be asked about first (rule 7.4).
//
// An unmounted disk looks the same as `rm -rf`. More deletes than `source.maxDeletes` within two seconds, or
// the whole tree, are held back, and only they; what comes back meanwhile is held no more. No question is
// needed for what git did, nor for what arrives elsewhere in the same batch (a renamed folder). Pure: time is
// an argument.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/tree.h"
#include "core/desired/unknown.h"

namespace live_update {

class DeleteGuard {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  // What is deleted within so long is one deed, in however many batches.
  static constexpr std::chrono::seconds kTogether{2};

  struct Situation {
    const Tree& posted;                   // what the API server knows
    std::function<std::int64_t()> there;  // how many paths that is; asked only when it matters
    bool nothing_left;                    // the tree has become empty
    std::int64_t most;                    // source.maxDeletes
    bool allowed;                         // --allow-deletes
    std::function<bool()> on_purpose;     // git has just changed its HEAD; asked only when it matters
  };

  // Takes out of a batch what is to be asked about. What is held already must be part of the batch if it is
  // still gone.
  std::vector<Change> sift(std::vector<Change> changes, const Situation& situation, Instant now);

  const std::set<std::string>& held() const { return held_; }
  // For a Snapshot, in which whatever is not named is deleted: what is held is named as unknown (rule 7.6), and
  // what would be put in its place is left out.
  void spare(std::vector<Change>& changes, Unknowns& unknown) const;
  // What the last run held back.
  void resume(std::vector<std::string> held);
  // The question about what is held, with where it happened; empty: nothing is.
  std::string question(const std::string& root) const;

 private:
  std::set<std::string> gone(const std::vector<Change>& changes, const Tree& posted) const;
  bool too_many(const std::set<std::string>& fresh, const Situation& situation);

  std::set<std::string> held_;
  std::map<std::string, Instant> lately_;  // deleted paths, and when
  struct Case {
    std::int64_t deletes = 0, here = 0, before = 0, most = 0;
    bool all = false;
  } case_;
};

}  // namespace live_update
