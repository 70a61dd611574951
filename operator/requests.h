// The requests that the operator sends to the API server, as values. Pure.
#pragma once

#include <string>

#include "core/api/kinds.h"
#include "core/api/object_key.h"
#include "core/reconcile/reconcile.h"
#include "kube/api_server.h"

namespace live_update {

inline constexpr std::string_view kFieldManager = "live-update-operator";

// Server-side apply of a status; ours alone, so forced.
Request apply_status(const ObjectMeta& live_update, const LiveUpdateStatus& status);
Request apply_status(const ObjectMeta& change_set, const ChangeSetStatus& status);

// With the name that it has by its spec; the LiveUpdate owns it.
Request create_change_set(const ObjectMeta& live_update, const ChangeSetSpec& spec);

// Only the very object that was looked at: the uid is a precondition.
Request delete_change_set(const ObjectMeta& change_set);
Request delete_pod(const std::string& ns, const PodToDelete& pod);
// Whether it is there at this moment, not as a cache has it.
Request get_live_update(const ObjectKey& key);

// Whether the API server said that it has not done what it was asked for. Of no answer nobody can tell.
bool is_refusal(const Error& error);

// All pods as they are when it is answered, not as a cache has them.
Request list_pods(const std::string& ns);
// Of the objects of a list.
Result<std::vector<std::string>> uids_of(const std::string& list);

// A rollout restart through the pod template (rule 6.2). An error for kinds whose pods cannot be replaced
// that way.
Result<Request> restart_workload(const ObjectMeta& live_update, const WorkloadRef& workload,
                                 std::int64_t sequence);

// An Event on the LiveUpdate. Its name is fixed by its content and by what it is about, or else by its second,
// so sending it twice is one Event.
Request create_event(const ObjectMeta& live_update, const EventNote& note, const std::string& instance,
                     Time now);

}  // namespace live_update
