// The rules of a live update: from a spec and changes to what is to be done. Pure (semantics.md 1 to 3).
//
// The watcher and `explain` ask with the patterns of the ignore file and the host tree they see; the operator
// asks with those it knows. The same function decides in both.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/api/kinds.h"
#include "core/base/json.h"
#include "core/rules/host_tree.h"
#include "core/rules/ignore_rules.h"
#include "core/rules/path_rules.h"

namespace live_update {

struct PathMatch {
  std::string path,
      by;  // by: "spec.steps[0].fallBackOn.paths[0]: Dockerfile", ".dockerignore:3: node_modules"
  bool operator==(const PathMatch&) const = default;
};
struct IgnoredPath {
  std::string path, by;
  bool whole = false;  // rule 2.6: the crawler need not enter it
  bool operator==(const IgnoredPath&) const = default;
};

struct Copy {
  std::string from, to;  // from: host path; to: absolute remote path
  FileType type = FileType::File;
  std::string root;  // the sync's remote root: nothing may be written outside of it (rule 4.3)
  bool operator==(const Copy&) const = default;
};
struct RemoteDelete {
  std::string from, to;
  FileType type = FileType::File;
  std::string root;
  // Remote paths below `to` that other existing host files map to (rule 3.3): they stay, and with them the
  // directories above them. Not empty: `to` itself stays, only the rest of what we put below it goes.
  std::vector<std::string> keep;
  bool operator==(const RemoteDelete&) const = default;
};
struct PlannedRun {
  int step = 0;  // zero-based index into spec.steps
  std::vector<std::string> command;
  bool operator==(const PlannedRun&) const = default;
};

struct Nothing {
  bool operator==(const Nothing&) const = default;
};
enum class FallBackReason { StopPath, Unmatched, RunFailed };
struct FallBack {
  FallBackReason reason = FallBackReason::StopPath;
  bool operator==(const FallBack&) const = default;
};
struct Update {
  std::vector<Copy> copies;                         // sorted by from
  std::vector<RemoteDelete> deletes;                // sorted by to
  std::vector<PlannedRun> before_sync, after_sync;  // in the order of execution
  std::optional<int> restart;                       // the step
  bool operator==(const Update&) const = default;
};

struct Plan {
  std::variant<Nothing, FallBack, Update> decision;
  // All of them, whatever was decided, each sorted by path.
  std::vector<IgnoredPath> ignored;
  std::vector<std::string> outside;    // outside the context
  std::vector<std::string> unmatched;  // also those that onUnmatched: Ignore drops
  std::vector<PathMatch> stopped;      // that match fallBackOn, with the first entry that does
  // Changes that a sync maps to /proc, /sys or /dev (rule 1.4), and symlinks that would come to be where a sync
  // leads to, or on the way there (rule 4.3), which no check of the spec alone can see. They are not in the
  // decision; who asked says so and refuses the batch if it can.
  std::vector<FieldError> refused;
};

enum class PlanMode {
  Batch,    // one batch, all rules
  Verdict,  // likewise, but what an update copies, deletes and runs is left out
  CatchUp,  // a new container is brought to the present state (5.3, 6.5): fallBackOn and unmatched changes do
            // not fall back
};

// What a plan needs of a change. The path is somebody else's, who keeps it for that long.
struct PathChange {
  const std::string* path = nullptr;
  Op op = Op::Write;
  FileType type = FileType::File;
};

// `changes` have clean paths, each at most once. A delete whose type is not known comes as File: it is a
// directory's if the batch has a path below it (rule 3.3). A File that the host tree does not have is a
// directory if the batch has a counted path below it. `other_roots`: as Mapping has them.
Plan plan(const LiveUpdateSpec& spec, const IgnoreRules& ignore, const std::vector<Change>& changes,
          const HostTree& host, PlanMode mode = PlanMode::Batch,
          const std::vector<std::string>& other_roots = {});
// The same with what is known of paths already: `rules` are those of this spec.
Plan plan(const LiveUpdateSpec& spec, PathRules& rules, const std::vector<Change>& changes,
          const HostTree& host, PlanMode mode = PlanMode::Batch,
          const std::vector<std::string>& other_roots = {});
Plan plan(const LiveUpdateSpec& spec, PathRules& rules, std::vector<PathChange> changes, const HostTree& host,
          PlanMode mode, const std::vector<std::string>& other_roots);

}  // namespace live_update
