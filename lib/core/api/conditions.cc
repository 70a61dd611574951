#include "core/api/conditions.h"

#include <algorithm>
#include <array>

#include "core/base/json.h"
#include "core/base/text.h"

namespace live_update {
namespace {

constexpr std::array kReasons = {
    Reason{reason::kSynced, "Every container has confirmed every change.", ""},
    Reason{reason::kApplying, "Changes are on their way into the containers.", ""},
    Reason{reason::kIdle, "There is nothing to do.", ""},
    Reason{reason::kAsExpected, "Nothing waits for a person.", ""},
    Reason{reason::kNone, "No fall-back is under way.", ""},
    Reason{reason::kHistoryComplete, "The operator has every change that it needs.", ""},
    Reason{reason::kSuspended, "spec.suspend is true: changes are recorded, but not applied.",
           "Set spec.suspend to false; what was recorded is applied then."},

    Reason{
        reason::kInvalidSpec, "The spec breaks a rule that only the operator could see.",
        "Correct the field that the message names; `live-update validate -f FILE` says the same beforehand."},
    Reason{reason::kNoTarget, "No running pod is selected by spec.target.",
           "Compare spec.target with `kubectl get pods --show-labels` in the namespace of the LiveUpdate, "
           "and see that the "
           "workload has replicas; changes stay due until a pod appears."},
    Reason{reason::kContainerNotChosen, "The pods have several containers, and spec.target chooses none.",
           "Name one in spec.target.container, or its image in spec.target.image."},
    Reason{reason::kNoSuchContainer, "The pods have no container of the name or image in spec.target.",
           "Correct spec.target.container or spec.target.image; the message lists the containers there are."},
    Reason{reason::kWaiting, "A container does not run yet.",
           "See `kubectl describe pod` for what it waits for; changes are applied as soon as it runs."},
    Reason{reason::kNotAllowed,
           "The pod refuses live updates with the annotation liveupdate.dev/allow: \"false\", or its "
           "namespace is the "
           "cluster's or the operator's own.",
           "Ask its owner, or select other pods."},

    Reason{
        reason::kToolMissing,
        "The container's image lacks a program that is needed to update it: tar, or sh for deletes and runs.",
        "Use an image that has both for development, such as one with busybox."},
    Reason{reason::kNotWritable, "The container's user may not write where a sync leads to.",
           "Give the directory to the user that the message names (`RUN chown` in the Dockerfile), run the "
           "container as its owner "
           "(securityContext.runAsUser), or sync to another directory."},
    Reason{reason::kReadOnlyFileSystem, "The place that a sync leads to is on a read-only file system.",
           "Mount an emptyDir there, or leave out securityContext.readOnlyRootFilesystem for development."},
    Reason{reason::kNoSpace, "The container's file system is full.",
           "Free space in the container or on its node, or raise the limit of the volume; it is tried again "
           "with the next batch."},
    Reason{reason::kPathEscapes,
           "A write would lead out of its sync's directory, through a symlink in the container.",
           "Remove the symlink that the message names, or sync to the directory that it points to."},
    Reason{reason::kAgentUnavailable,
           "The agent cannot be put into a container or started there, and spec.transport forbids Tar.",
           "The message names each way that was tried. Give the container a writable directory that allows "
           "execution, such as an emptyDir at /tmp, and an image with sh; or set spec.transport to Auto."},
    Reason{reason::kUnsupported, "The transport in use cannot do what a step asks for.",
           "Change the step, or spec.transport, as the message says."},
    Reason{reason::kRunFailed, "A run step ended with an error; the files of the batch are in place.",
           "The message has the exit code and the last lines of output. Correct the cause and save: the step "
           "is run again with "
           "the next batch."},
    Reason{reason::kRestartFailed,
           "The restart step could not be carried out, or the new process ended at once.",
           "The message says which; see `kubectl logs`."},
    Reason{reason::kRetrying, "A passing error, such as a cut connection; it is tried again by itself.",
           "If it stays, the message says what is in the way."},
    Reason{reason::kUnreachable,
           "The container cannot be reached: the API server or the pod's node does not answer.",
           "See `kubectl get nodes`; it is tried again by itself."},
    Reason{reason::kForbidden, "The operator lacks a right in this namespace.",
           "Install the chart with this namespace in watchNamespaces, or grant its service account what the "
           "message names."},
    Reason{reason::kFailed, "A container could not be updated, and trying again does not help.",
           "The message of the container in status.containers says why."},

    Reason{reason::kStopPath, "A path of fallBackOn changed, so the containers are built and deployed anew.",
           "Nothing, if that was meant; `live-update explain --changed PATH` shows which pattern matched."},
    Reason{reason::kUnmatched, "A path changed that belongs to the image, but that no sync covers.",
           "Add a sync for it, ignore it in spec.source.ignore, or set spec.source.onUnmatched: Ignore."},

    Reason{reason::kSequenceGap, "A ChangeSet is missing between two others, so the later ones wait.",
           "Start `live-update watch` again: it posts everything anew."},
    Reason{reason::kDigestMismatch, "Content does not have the digest that its ChangeSet names.",
           "Start `live-update watch` again: it posts everything anew. ChangeSets written by hand need the "
           "right digest."},
    Reason{reason::kRefused, "A ChangeSet breaks a rule and is left out.",
           "Its status.message says which rule; post a correct one with the next sequence."},
    Reason{reason::kSnapshotNeeded, "The operator waits for the watcher to post everything there is.",
           "Start `live-update watch` or `live-update push` for this LiveUpdate."},
    Reason{reason::kInitialSync, "spec.steps has initialSync, and no watcher has posted everything yet.",
           "Start `live-update watch` or `live-update push` for this LiveUpdate."},
    Reason{reason::kHistoryLost, "ChangeSets that a container still needs are gone from the API server.",
           "Start `live-update watch` or `live-update push` for this LiveUpdate: it posts everything anew."},
    Reason{
        reason::kRulesChanged,
        "Which paths count, or where syncs lead, has changed, so containers must be compared with all that "
        "the machine has.",
        "Nothing while `live-update watch` runs; else start it, or `live-update push`, for this "
        "LiveUpdate."},
    Reason{reason::kContentNeeded,
           "A container needs files whose content nobody in the cluster holds, such as those that a new sync "
           "maps.",
           "Start `live-update watch` for this LiveUpdate: it sends what status.wanted lists."},
    Reason{reason::kTooManyDeletes,
           "With spec.source.deletes: Mirror more than spec.source.maxDeletes files and folders that only a "
           "container "
           "has would be deleted there, so none of them was; all else has arrived.",
           "The message names five. Ignore what is to stay (spec.source.ignore or the ignore file), or raise "
           "spec.source.maxDeletes: then it is looked at again. After deleting them in the container by hand "
           "run "
           "`live-update push`."},
};

auto position(std::vector<Condition>& conditions, std::string_view type) {
  return std::ranges::find(conditions, type, &Condition::type);
}

}  // namespace

std::span<const Reason> all_reasons() { return kReasons; }

const Reason* find_reason(std::string_view name) {
  const auto found = std::ranges::find(kReasons, name, &Reason::name);
  return found == kReasons.end() ? nullptr : &*found;
}

void set_condition(std::vector<Condition>& conditions, Condition condition, Time now) {
  if (condition.reason.empty()) condition.reason = condition.type;
  condition.message = status_message(condition.message);
  const auto old = position(conditions, condition.type);
  if (old == conditions.end()) {
    condition.last_transition = now;
    conditions.push_back(std::move(condition));
    return;
  }
  const bool same = old->status == condition.status && old->last_transition;
  condition.last_transition = same ? old->last_transition : now;
  *old = std::move(condition);
}

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  const auto found = std::ranges::find(conditions, type, &Condition::type);
  return found == conditions.end() ? nullptr : &*found;
}

}  // namespace live_update
