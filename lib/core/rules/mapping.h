// Where the syncs of a spec put host paths (rule 3.3), and what belongs to the context (rule 3.2). Text only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// One sync, made ready.
struct Route {
  int step = 0;
  std::string from, to;  // clean; `to` without a trailing "/", but for "/" itself
  bool into = false;     // `to` was written with a trailing "/": a file goes in there under its own name

  // Where a host path at or below `from` goes. `directory` says what the path is; it matters for `from`
  // itself only.
  std::string remote(std::string_view path, bool directory) const;
  // Nothing that goes through this route may be written outside of this (rule 4.3): `to`, or for a `from`
  // that is a file the directory that it lands in.
  std::string root(std::string_view path, bool directory) const;
};

class Mapping {
 public:
  explicit Mapping(const LiveUpdateSpec& spec);
  // The sync that a path goes through: the first whose `from` equals it or is a component-wise ancestor;
  // null: none.
  const Route* route(std::string_view path) const;
  // Whether a symlink at this path is followed (rule 3.3): it is the `from` of the sync that it goes through, or
  // leads to the `from` of one that is declared before that. The crawler takes it for what it leads to. No
  // other link is followed.
  bool follows(std::string_view path) const;
  // Whether host paths that are not below each other can land on one remote path or below one another there.
  bool overlapping() const { return overlapping_; }
  // In the order of declaration.
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  bool overlapping_ = false;
};

// Rule 3.2: spec.source.context, or, where that is not given or empty, all sync.from, literal fallBackOn
// paths and literal triggers of runs with `when: Always`. Clean, sorted, without paths below others.
std::vector<std::string> context_of(const LiveUpdateSpec& spec);
bool in_context(std::string_view path, const std::vector<std::string>& context);

}  // namespace live_update
