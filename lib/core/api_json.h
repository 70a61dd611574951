// JSON to the values of core/api.h and back.
//
// Decoding what the API server sends is lenient (unknown fields are skipped: it has validated already);
// decoding what a user wrote is strict and names the field (`decode_live_update_strict`). Times are RFC 3339,
// content is base64 in JSON.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/api.h"
#include "core/result.h"

namespace live_update {

// One breach of a rule, with the field as a path from the object's top: spec.steps[2].sync.to (rule 1.9).
struct FieldError {
  std::string field, message;
  bool operator==(const FieldError&) const = default;
};

// Errors say where (the byte). Nesting is bounded, so that walking the document may recurse.
Result<rapidjson::Document> parse_json(std::string_view text);
std::string to_text(const rapidjson::Value& value);

Result<LiveUpdate> decode_live_update(const rapidjson::Value& json);
Result<ChangeSet> decode_change_set(const rapidjson::Value& json);
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

std::string format_time(Time time);  // 2026-01-01T00:00:00.123456Z
Result<Time> parse_time(std::string_view text);

std::string encode_base64(std::string_view bytes);
Result<std::string> decode_base64(std::string_view text);

}  // namespace live_update
