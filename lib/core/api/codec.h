// JSON to the values of core/api/kinds.h and back.
//
// Decoding what the API server sends is lenient (unknown fields are skipped: it has validated already);
// decoding what a user wrote is strict and names the field (`decode_live_update_strict`). Times are RFC 3339,
// content is base64 in JSON.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"
#include "core/base/json.h"
#include "core/base/result.h"

namespace live_update {

Result<LiveUpdate> decode_live_update(const rapidjson::Value& json);
// An operator that was cut off may write what it knows of an object that is gone into the one that has its name now:
// the API server takes it. That tells nothing of this one, and is read as no status but its uid.
bool has_status_of_another(const LiveUpdate& live_update);
Result<ChangeSet> decode_change_set(const rapidjson::Value& json);
// Of one that cannot be read: its place, and `flaw` says why; without changes. So it can be refused.
ChangeSet decode_flawed_change_set(const rapidjson::Value& json);
// What alone becomes different of a ChangeSet that is known: its spec cannot be changed.
ChangeSetStatus decode_change_set_status(const rapidjson::Value& json);
Result<Pod> decode_pod(const rapidjson::Value& json);
Result<Workload> decode_workload(const rapidjson::Value& json);
// The `metadata` of a whole object, whatever its kind; what cannot be read stays empty.
ObjectMeta decode_meta(const rapidjson::Value& object);

// For files of users: unknown fields, wrong kinds and unknown enum values become errors; what can be read is
// in `value`.
struct StrictLiveUpdate {
  LiveUpdate value;
  std::vector<FieldError> errors;
};
StrictLiveUpdate decode_live_update_strict(const rapidjson::Value& json);

// The breaches of rules (from `validate`) that are not mere consequences of a field that could not be read.
std::vector<FieldError> without_consequences(const std::vector<FieldError>& unread,
                                             std::vector<FieldError> rules);

// Whole objects with apiVersion and kind, ready to be sent; fields that have their default are left out. A
// status object carries status only (for server-side apply).
std::string encode_change_set(const ChangeSet& change_set);
std::string encode_live_update(const LiveUpdate& live_update);
std::string encode_live_update_status(const ObjectMeta& meta, const LiveUpdateStatus& status);
std::string encode_change_set_status(const ObjectMeta& meta, const ChangeSetStatus& status);

}  // namespace live_update
