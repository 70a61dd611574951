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
  // Nothing that goes through this route may be written outside of this, and no link below it is followed (rule
  // 4.3): `to`, or for a `from` that is a file the directory that it lands in; or, if that lies in what another
  // sync fills, also one of another LiveUpdate, the outermost such `to`: a link on the way may have come through
  // that sync.
  const std::string& root(std::string_view path, bool directory) const {
    return path == from && !directory ? file_root : tree_root;
  }
  std::string tree_root, file_root;
};

class Mapping {
 public:
  // `others`: where the syncs of other LiveUpdates lead in the same containers, clean.
  explicit Mapping(const LiveUpdateSpec& spec, std::vector<std::string> others = {});
  // The sync that a path goes through: the first whose `from` equals it or is a component-wise ancestor;
  // null: none.
  const Route* route(std::string_view path) const;
  // Whether a symlink at this path is followed (rule 3.3): it is the `from` of the sync that it goes through, or
  // leads to the `from` of one that is declared before that. The crawler takes it for what it leads to. No
  // other link is followed.
  bool follows(std::string_view path) const;
  // Whether a symlink at this remote path would lead a sync elsewhere: it leads there, or through there.
  bool leads_to_root(std::string_view remote) const;
  // Whether host paths that are not below each other can land on one remote path or below one another there.
  bool overlapping() const { return overlapping_; }
  // Whether two host paths can land on this one: so does `from` as a file in `to/`, and what was below it as a folder.
  bool shared(std::string_view remote) const;
  // In the order of declaration.
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::string outermost(const std::string& remote) const;

  std::vector<Route> routes_;
  std::vector<std::string> tops_;    // of all syncs, those of others too
  std::vector<std::string> inside_;  // where a `from` that is a file lands in its `to/`
  bool overlapping_ = false;
};

// Where a spec's syncs lead, clean.
std::vector<std::string> sync_roots(const LiveUpdateSpec& spec);
// Of where the syncs of others lead, what decides how far those that lead to `roots` may go (rule 4.3): what lies above or
// below one of them. Folders beside each other are of no matter to each other.
std::vector<std::string> reaching_into(std::vector<std::string> others,
                                       const std::vector<std::string>& roots);

// Rule 3.2: spec.source.context, or, where that is not given or empty, all sync.from, literal fallBackOn
// paths and literal triggers of runs with `when: Always`. Clean, sorted, without paths below others.
std::vector<std::string> context_of(const LiveUpdateSpec& spec);
bool in_context(std::string_view path, const std::vector<std::string>& context);

}  // namespace live_update
