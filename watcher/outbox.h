// Outbox: what the API server was told, and which paths may differ from it by now.
//
// While the API server is away the paths pile up here, and what is sent when it is back is one difference:
// what was saved three times goes once, what was changed back not at all. What was told is never forgotten: that a
// path is gone stays as a tombstone, and what does not count any more stays as it was told, so that it can be
// said when it counts again that it is gone, or another. Pure.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/desired/tree.h"
#include "core/rules/change_buffer.h"

namespace live_update {

class Outbox {
 public:
  // Rule 2.1: whether a path counts, asked anew each time.
  using Counts = std::function<bool(const std::string&)>;

  // `posted` is what the API server was told, deletes as tombstones; also of what does not count now.
  void start(Tree posted, Counts counts = [](const std::string&) { return true; });

  void add(const DirtyPaths& dirty);
  void add_paths(const std::set<std::string>& paths) { due_.insert(paths.begin(), paths.end()); }
  void add_all() { due_ = {""}; }

  // The difference between what was posted and `now` at the paths that are due, which are not due any more.
  // What is `unknown` now is neither deleted nor sent as it was: it is due again when it is known (rule 7.6).
  std::vector<Change> take(const Tree& now, const Unknowns& unknown = {});
  bool empty() const { return due_.empty(); }
  // How many paths differ.
  std::size_t waiting(const Tree& now, const Unknowns& unknown = {}) const;
  // For a Snapshot: all that was told of, counts, and is not there now, whether that was said before or not.
  // Proportional to all that was told.
  std::vector<Change> gone(const Tree& now, const Unknowns& unknown) const;

  // These parts are stored. What a Snapshot does not know is in doubt from then on: when it can be read it is
  // sent, whatever was posted of it before, also that it is gone. So is what does not count, of which it says nothing.
  void confirm(const std::vector<ChangeSetSpec>& parts);
  // Of these, which were refused, the API server knows nothing, though a folder above them was told to be gone.
  void untold(const std::vector<Change>& deletes);
  // They are of no effect, after all: what the API server knows at these paths is in doubt, and they are due.
  void retract(const std::vector<Change>& changes);
  // What the API server has of these paths is not enough: they are sent whole. A batch that is under way and has no
  // content of them does not change that.
  void ask_again(const std::vector<std::string>& paths);
  // These paths are as they are in `tree`, without being sent.
  void assume(const std::vector<std::string>& paths, const Tree& tree);
  // The API server was told of it, and that is not in doubt.
  bool knows(const std::string& path) const;
  // Paths that count and are there, as the API server knows it. Proportional to all that was told.
  std::int64_t there() const;

  const Tree& posted() const { return posted_; }

 private:
  void keep_asked(const std::vector<ChangeSetSpec>& parts);
  std::vector<Change> difference(const Tree& now, const Unknowns& unknown) const;

  Tree posted_;
  Counts counts_;
  std::set<std::string> asked_;  // again, since the last `take`
  std::set<std::string> due_;    // each with everything below it; "" is all
};

// What these have said of paths of which `base` has nothing is put into it: notes of an older format have neither
// deletes nor what had ceased to count.
Tree completed(Tree base, const std::vector<ChangeSet>& change_sets);

// What is known of the API server's side at the start: `base` and then all complete batches after `sequence`,
// in order; those that the operator has not accepted count for nothing.
Tree replay(Tree base, std::int64_t sequence, const std::vector<ChangeSet>& change_sets);

}  // namespace live_update
