// The rules of a live update: from a spec and changes to what is to be done. Pure (semantics.md 1 to 3).
//
// The watcher and `explain` ask with the patterns of the ignore file and the host tree they see; the operator
// asks with those it knows. The same function decides in both.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/api.h"
#include "core/api_json.h"

namespace live_update {

class IgnoreRules;

// What the planner may ask about the host tree: what is at a clean relative path now, and which paths are
// below a directory. Answers must not change during one call.
class HostTree {
 public:
  virtual ~HostTree() = default;
  virtual std::optional<FileType> type(const std::string& path) const = 0;
  // Paths of files and symlinks strictly below `directory`, any depth, any order.
  virtual std::vector<std::string> files_below(const std::string& directory) const = 0;
};

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
  std::vector<IgnoredPath> ignored;
  std::vector<std::string> outside;    // outside the context
  std::vector<std::string> unmatched;  // all of them, also those that onUnmatched: Ignore drops
  std::vector<PathMatch> stopped;
};

enum class PlanMode {
  Batch,    // one batch, all rules
  CatchUp,  // a new container is brought to the present state (5.3, 6.5): fallBackOn and unmatched changes do
            // not fall back
};

Plan plan(const LiveUpdateSpec& spec, const IgnoreRules& ignore, const std::vector<Change>& changes,
          const HostTree& host, PlanMode mode = PlanMode::Batch);

// Every rule of semantics.md 1 that can be told from the spec alone, each with its field; empty: valid
// (rule 1.8, 1.9).
std::vector<FieldError> validate(const LiveUpdateSpec& spec);

}  // namespace live_update
