// Outbox: what the API server was told, and which paths may differ from it by now.
//
// While the API server is away the paths pile up here, and what is sent when it is back is one difference:
// what was saved three times goes once, what was changed back not at all. Pure.
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
  // `posted` is what the API server knows.
  void start(Tree posted);

  void add(const DirtyPaths& dirty);
  void add_paths(const std::set<std::string>& paths) { due_.insert(paths.begin(), paths.end()); }
  void add_all() { due_ = {""}; }

  // The difference between what was posted and `now` at the paths that are due, which are not due any more.
  // What is `unknown` now is not deleted.
  std::vector<Change> take(const Tree& now, const Unknowns& unknown = {});
  bool empty() const { return due_.empty(); }
  // How many paths differ.
  std::size_t waiting(const Tree& now, const Unknowns& unknown = {}) const;

  // These parts are stored. What a Snapshot does not know is in doubt from then on: when it can be read it is
  // sent, whatever was posted of it before.
  void confirm(const std::vector<ChangeSetSpec>& parts);
  // They are of no effect, after all: what the API server knows at these paths is in doubt, and they are due.
  void retract(const std::vector<Change>& changes);
  // What the API server has of these paths is not enough: they are sent whole.
  void ask_again(const std::vector<std::string>& paths);
  // These paths are as they are in `tree`, without being sent.
  void assume(const std::vector<std::string>& paths, const Tree& tree);
  // What does not count any more is forgotten, not deleted (rule 2.1).
  void keep_if(const std::function<bool(const std::string&)>& counts) { posted_.keep_if(counts); }

  const Tree& posted() const { return posted_; }

 private:
  std::vector<Change> difference(const Tree& now, const Unknowns& unknown) const;

  Tree posted_;
  std::set<std::string> due_;  // each with everything below it; "" is all
};

// The credentials (rule 2.8) that these leave behind.
std::set<std::string> credentials_in(const std::vector<ChangeSet>& change_sets);

// What is known of the API server's side at the start: `base` and then all complete batches after `sequence`,
// in order; those that the operator has not accepted count for nothing.
Tree replay(Tree base, std::int64_t sequence, const std::vector<ChangeSet>& change_sets);

}  // namespace live_update
