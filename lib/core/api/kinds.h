// The kinds of liveupdate.dev/v1alpha1 as plain values, and the few fields we read of other kinds.
//
// The field names are those of the CRDs in crds/; docs/liveupdate.md and docs/changeset.md explain each for
// users. Everything here is a value: copy it, compare it, move it between threads.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/api/forgetting_status.h"
#include "core/base/shared_list.h"
#include "core/base/time.h"

namespace live_update {

inline constexpr std::string_view kApiGroup = "liveupdate.dev";
inline constexpr std::string_view kApiVersion = "liveupdate.dev/v1alpha1";

// The part of metav1.ObjectMeta that we use.
struct ObjectMeta {
  std::string ns;  // metadata.namespace
  std::string name;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  std::optional<Time> created;
  std::optional<Time> deleted;  // deletionTimestamp: the object is going away
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  struct OwnerReference {
    std::string api_version, kind, name, uid;
    bool controller = false;
    bool operator==(const OwnerReference&) const = default;
  };
  std::vector<OwnerReference> owners;
  bool operator==(const ObjectMeta&) const = default;
};

// ---------------------------------------------------------------------------------------------- LiveUpdate

struct LabelSelector {
  struct Expression {
    std::string key, op;  // In, NotIn, Exists, DoesNotExist
    std::vector<std::string> values;
    bool operator==(const Expression&) const = default;
  };
  std::map<std::string, std::string> match_labels;
  std::vector<Expression> match_expressions;
  bool operator==(const LabelSelector&) const = default;
};

struct WorkloadRef {
  std::string kind, name;
  bool operator==(const WorkloadRef&) const = default;
};

// Exactly one of workload and selector; at most one of container and image (rule 1.10).
struct TargetSpec {
  std::optional<WorkloadRef> workload;
  std::optional<LabelSelector> selector;
  std::string container, image;
  bool operator==(const TargetSpec&) const = default;
};

enum class OnUnmatched { FallBack, Ignore };
enum class DeletePolicy { Tracked, Mirror, Never };

struct SourceSpec {
  std::optional<std::vector<std::string>> context;  // not given: rule 3.2's default
  std::vector<std::string> ignore;
  std::string ignore_file;               // empty: .dockerignore if there is one
  std::vector<std::string> credentials;  // patterns of those that may leave the machine (rule 2.8)
  OnUnmatched on_unmatched = OnUnmatched::FallBack;
  DeletePolicy deletes = DeletePolicy::Tracked;
  int max_deletes = 1000;
  bool operator==(const SourceSpec&) const = default;
};

struct InitialSync {
  bool operator==(const InitialSync&) const = default;
};
struct FallBackOn {
  std::vector<std::string> paths;
  bool operator==(const FallBackOn&) const = default;
};
struct Sync {
  std::string from, to;
  bool operator==(const Sync&) const = default;
};
enum class RunWhen { Matched, Always };
enum class RunPhase { AfterSync, BeforeSync };
enum class OnFailure { Stop, Continue, FallBack };
// Exactly one of command and shell (rule 1.7).
struct Run {
  std::vector<std::string> command;
  std::string shell;
  std::vector<std::string> triggers;
  RunWhen when = RunWhen::Matched;
  RunPhase phase = RunPhase::AfterSync;
  OnFailure on_failure = OnFailure::Stop;
  int timeout_seconds = 600;
  std::string working_dir;
  bool operator==(const Run&) const = default;
  // The argv that is executed: `command`, or `sh -c shell`.
  std::vector<std::string> argv() const;
};
struct RestartProcess {
  std::string signal = "TERM";
  int grace_seconds = 10;
  int alive_seconds = 1;
  bool operator==(const RestartProcess&) const = default;
};
struct RestartSignal {
  std::string signal;
  bool operator==(const RestartSignal&) const = default;
};
struct RestartContainer {
  bool operator==(const RestartContainer&) const = default;
};
// In YAML: restart: {process: {...}} | {signal: HUP} | {container: {}}
struct Restart {
  std::variant<RestartProcess, RestartSignal, RestartContainer> how;
  std::vector<std::string> triggers;
  bool operator==(const Restart&) const = default;
};
using Step = std::variant<InitialSync, FallBackOn, Sync, Run, Restart>;

enum class Redeploy { Restart, SetImage, None };
struct FallBackBuild {
  std::vector<std::string> command;
  int timeout_seconds = 1800;
  bool operator==(const FallBackBuild&) const = default;
};
struct FallBackSpec {
  std::optional<FallBackBuild> build;
  Redeploy redeploy = Redeploy::Restart;
  bool operator==(const FallBackSpec&) const = default;
};

enum class Transport { Auto, Agent, Tar, Ephemeral };

struct Debounce {
  int quiet_milliseconds = 5;
  int max_milliseconds = 100;
  bool operator==(const Debounce&) const = default;
};

struct LiveUpdateSpec {
  TargetSpec target;
  SourceSpec source;
  std::vector<Step> steps;
  FallBackSpec fall_back;
  Debounce debounce;
  Transport transport = Transport::Auto;
  bool suspend = false;
  bool operator==(const LiveUpdateSpec&) const = default;
};

struct Condition {
  std::string type;
  bool status = false;  // "True" or "False"
  std::string reason, message;
  std::int64_t observed_generation = 0;
  std::optional<Time> last_transition;
  bool operator==(const Condition&) const = default;
};

// What is known of one target container; `state` is one of
// Synced, Applying, Waiting, RunFailed, FallBack, Retrying, Failed (docs/liveupdate.md).
struct ContainerStatus {
  std::string pod, container, container_id;
  std::int64_t applied_sequence = 0;  // the newest that the container confirmed (rule 7.1)
  std::optional<Time> applied_at;
  std::string state, transport, message;
  std::int64_t last_milliseconds = 0;
  std::vector<int> failed_steps;  // runs that are due again with the next batch (rule 4.7): spec.steps[...]
  std::string rules;              // by which it has that: a mark of what the spec said (rule 5.7)
  bool older_rules = false;       // others before these may have put something elsewhere
  bool replace_pod = false;       // it is due to be restarted, which only the deletion of its pod does
  bool operator==(const ContainerStatus&) const = default;
};

// Containers that status.containers has no room for: those of equal state together, as
// ContainerStatus has it.
struct OtherContainers {
  std::int64_t applied_sequence = 0;
  std::string state, transport, rules;
  bool older_rules = false;
  std::vector<int> failed_steps;
  std::vector<std::string> ids;  // digests of their container IDs (core/base/digest64.h)
  bool operator==(const OtherContainers&) const = default;
};

// Content that is asked of who watches (rule 5.9).
struct WantedFile {
  std::string path, digest;
  bool operator==(const WantedFile&) const = default;
};

struct FallBackStatus {
  std::string reason;  // StopPath, Unmatched, RunFailed
  std::vector<std::string> paths;
  std::int64_t other_paths = 0;
  std::string change_set;
  std::string phase;  // Redeploying, Redeployed, WaitingForBuild, WaitingForDeploy, Failed
  std::string message;
  bool operator==(const FallBackStatus&) const = default;
};

struct SessionStatus {
  std::string holder, user, lease;
  std::optional<Time> since;
  bool operator==(const SessionStatus&) const = default;
};

// How long after spec.observedAt of a ChangeSet each stage of its way was reached, in milliseconds; of
// several containers the last one counts. What is not known is missing (docs/changeset.md).
template <typename Duration>
struct SaveStages {
  std::optional<Duration> posted, received, planned, sent, confirmed, applied;
  bool operator==(const SaveStages&) const = default;

  struct Stage {
    std::string_view name;  // in JSON, in metrics and for people
    std::optional<Duration> SaveStages::* time;
  };
  // In their order; the last one is the whole.
  static constexpr auto all() {
    return std::array{Stage{"posted", &SaveStages::posted},       Stage{"received", &SaveStages::received},
                      Stage{"planned", &SaveStages::planned},     Stage{"sent", &SaveStages::sent},
                      Stage{"confirmed", &SaveStages::confirmed}, Stage{"applied", &SaveStages::applied}};
  }
};
using SaveMilliseconds = SaveStages<std::int64_t>;

// The newest ChangeSet that every container has confirmed, as in its own status.
struct LastApplied {
  std::int64_t sequence = 0;
  SaveMilliseconds milliseconds;
  bool operator==(const LastApplied&) const = default;
};

struct LiveUpdateStatus {
  std::string uid;  // of the object that it tells of; empty: an older operator's
  std::int64_t observed_generation = 0;
  std::int64_t sequence = 0;  // newest accepted ChangeSet
  std::vector<Condition> conditions;
  std::optional<SessionStatus> session;
  std::string target, synced, state;  // for kubectl get: "Deployment/web", "3/3", "Synced"
  std::int64_t targets = 0, synced_targets = 0;
  std::vector<ContainerStatus> containers;  // at most 100, those not synced first
  std::vector<OtherContainers> others;      // the rest
  // Where one of them has failed steps: marks of all steps that spec had, to find these again (core/rules/step_marks.h).
  std::vector<std::string> due;
  std::vector<WantedFile> wanted;  // at most 1,000 at a time, by path
  std::string history;             // the sequences of the ChangeSets that are needed: "3 7-9 12"
  // Rule 5.8. "Assumed": what no ChangeSet named is taken to be in the image as it was on the machine at the first
  // start. "Compared": a Snapshot named it. And the mark of the rules (baseline_mark) for which that holds.
  std::string baseline, baseline_rules;
  std::optional<ForgettingStatus> forgetting;
  std::optional<FallBackStatus> fall_back;
  std::int64_t unmatched = 0;
  std::optional<LastApplied> last_applied;
  bool operator==(const LiveUpdateStatus&) const = default;
};

// Who wrote something last, as metadata.managedFields has it.
struct LastWriter {
  std::string manager;
  std::optional<Time> time;
  bool operator==(const LastWriter&) const = default;
};

struct LiveUpdate {
  ObjectMeta meta;
  LiveUpdateSpec spec;
  LiveUpdateStatus status;
  LastWriter writer;  // of all but the status; read only
  bool operator==(const LiveUpdate&) const = default;
};

// ----------------------------------------------------------------------------------------------- ChangeSet

enum class Op { Write, Delete };
enum class FileType { File, Directory, Symlink };
enum class Encoding { Identity, Zstd };
enum class ChangeSetType { Delta, Snapshot, Build };

// One host path and what it is now. Paths are relative to the root and clean ("a/b", rule 1.5), bytes as on
// the host (UTF-8).
struct Change {
  std::string path;
  Op op = Op::Write;
  FileType type = FileType::File;
  std::uint32_t mode = 0;  // permission bits only; 0 with op Delete
  std::optional<Time> mtime;
  std::uint64_t size = 0;  // bytes of the whole file
  std::string digest;      // "sha256:<hex>" of the whole file
  std::string target;      // of a symlink
  Encoding encoding = Encoding::Identity;
  std::uint64_t offset = 0;  // where in the file `content` begins; a large file comes in pieces, one per part
  // The encoded bytes (raw, not base64); shared because stores, trees and lanes hold the same content. Null:
  // none.
  std::shared_ptr<const std::string> content;
  std::int64_t stamp = 0;  // of a Checkpoint: the sequence that last said something of this path (rule 7.5)
  // Of a Write: the disk that the image is taken to equal did not have it, and nobody was told of it before (rule 7.5).
  bool is_new = false;
  bool operator==(const Change&) const;  // by the bytes of the content, not by where they are
};

// Rule 7.6. Something is there, but the machine cannot say more of it: neither what it holds nor that it is
// gone. So it is not applied, and deletes nothing.
struct UnknownPath {
  std::string path;    // "." is the root
  bool below = false;  // a folder that could not be read: anything may be below it
  bool operator==(const UnknownPath&) const = default;
};

// What a machine ignores beside what the spec says and what is built in, for `deletes: Mirror` (rule 4.5): what is
// ignored there is in no Snapshot, and stays where it is.
struct HostIgnores {
  static constexpr std::size_t kMostPatterns = 1000, kMostBytes = 32 * 1024;
  std::string patterns;    // the ignore file's, a line each; empty: there is none
  std::string incomplete;  // why that is not all of it; empty: it is
  bool operator==(const HostIgnores&) const = default;
};

struct BuildResult {
  bool succeeded = false;
  std::int64_t started_after = 0;  // the sequence that the build contains (rule 6.3)
  int exit_code = 0;
  std::string image, output;
  bool operator==(const BuildResult&) const = default;
};

// What the operator makes of confirmed ChangeSets, to keep few of them: a Delta that says what is left of all up to
// its sequence, each change with its stamp (rule 7.5). Only the operator's own account may create one.
struct CheckpointOf {
  // The newest Snapshot among them and its reach; 0: there was none, so paths that are not named are as the image
  // has them.
  std::int64_t snapshot = 0;
  std::string reach;
  std::optional<HostIgnores> ignores = {};  // of that Snapshot; its unknown paths are the Checkpoint's
  // Up to here it does not tell all that is gone: paths that were new, and that no container has any more, are left out.
  std::int64_t forgotten = 0;
  bool operator==(const CheckpointOf&) const = default;
};

struct ChangeSetSpec {
  std::string live_update, session, user;
  std::int64_t sequence = 0;
  ChangeSetType type = ChangeSetType::Delta;
  std::optional<Time> observed_at;  // of the file event
  std::optional<Time> posted_at;    // when it was first sent to the API server, on the same clock
  int part = 1,
      parts = 1;  // one batch split over `parts` ChangeSets of consecutive sequences; applied as one
  SharedList<Change> changes;        // held once, however many have this spec
  std::vector<UnknownPath> unknown;  // of a Snapshot: what it would name if it could
  // Of a Snapshot: by which rules it looked (reach_mark of core/rules/rules_mark.h): what these do not count, it says
  // nothing of. Empty: an older watcher's.
  std::string reach = {};
  std::optional<HostIgnores> ignores = {};  // likewise; of its last part. None: it does not tell
  std::optional<CheckpointOf> checkpoint = {};
  std::optional<BuildResult> build;
  bool operator==(const ChangeSetSpec&) const = default;
};

// The last lines that a run printed in one container.
struct RunOutput {
  int step = 0;  // index into spec.steps
  std::string pod;
  std::int64_t line = 0;  // how many lines came before `text`
  std::string text;       // whole lines
  bool operator==(const RunOutput&) const = default;
};

struct ChangeSetStatus {
  std::string phase;  // Waiting, Applied, FallBack, Failed, Refused, Nothing, Superseded; empty: not seen yet
  std::int64_t containers = 0, targets = 0;
  SaveMilliseconds milliseconds;
  std::string message;
  std::vector<RunOutput> runs;  // in order of steps
  bool operator==(const ChangeSetStatus&) const = default;
};

inline constexpr std::size_t kMostChanges = 4096;  // in one ChangeSet

struct ChangeSet {
  ObjectMeta meta;
  ChangeSetSpec spec;
  ChangeSetStatus status;
  // Not of the object, but of us: why it is no use, whatever else there is (then the spec has no changes), and
  // about what its changes take in memory.
  std::string flaw = {};
  std::size_t bytes = 0;
  bool operator==(const ChangeSet&) const = default;
};

// `<lu>-<session>-<sequence>`, the sequence with six digits at least: posting it twice is one ChangeSet
// (rule 7.3).
std::string change_set_name(const std::string& live_update, const std::string& session,
                            std::int64_t sequence);

// ------------------------------------------------------------------------------------------ kinds we only
// read

struct PodContainer {
  std::string name, image, container_id;
  std::string image_id;  // what runs, whatever the image is called; empty: not known yet
  bool init = false;     // an init container; a native sidecar has restart_always
  bool restart_always = false;
  bool running = false, terminated = false;
  std::string waiting_reason;  // CrashLoopBackOff, ContainerCreating, ...
  std::optional<Time> started;
  int restarts = 0;
  std::vector<std::string> empty_dirs;  // where the pod's emptyDir volumes are mounted, writable
  // Where volumes are mounted, even for reading only, that another container of the pod can write to, or that
  // may outlive the pod or be mounted elsewhere (claims, hostPath, ...).
  std::vector<std::string> shared;
  bool has_volumes = false;  // that it may write to: files there outlive it
  bool operator==(const PodContainer&) const = default;
};

struct Pod {
  ObjectMeta meta;
  std::string phase, node;
  std::vector<PodContainer> containers;  // spec and status joined by name
  bool operator==(const Pod&) const = default;
};

// Deployment, StatefulSet, DaemonSet, ReplicaSet, Job: what ownership and redeployment need.
struct Workload {
  std::string api_version, kind;
  ObjectMeta meta;
  std::map<std::string, std::string> template_annotations;
  std::string revision;  // deployment.kubernetes.io/revision of Deployments and ReplicaSets
  LabelSelector selector;
  std::int64_t replicas = 0;
  bool operator==(const Workload&) const = default;
};

}  // namespace live_update
