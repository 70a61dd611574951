#include "core/api/kube_status.h"

#include <rapidjson/document.h>

namespace live_update {
namespace {

using rapidjson::Value;

std::string text(const Value& object, const char* name) {
  const auto it = object.FindMember(name);
  if (it == object.MemberEnd() || !it->value.IsString()) return {};
  return {it->value.GetString(), it->value.GetStringLength()};
}

int number(const Value& object, const char* name) {
  const auto it = object.FindMember(name);
  return it != object.MemberEnd() && it->value.IsInt() ? it->value.GetInt() : 0;
}

void read_details(const Value& details, ApiStatus& status) {
  status.group = text(details, "group");
  status.kind = text(details, "kind");
  status.name = text(details, "name");
  status.retry_after_seconds = number(details, "retryAfterSeconds");
  const auto causes = details.FindMember("causes");
  if (causes == details.MemberEnd() || !causes->value.IsArray()) return;
  for (const Value& cause : causes->value.GetArray()) {
    if (!cause.IsObject()) continue;
    status.causes.push_back({text(cause, "reason"), text(cause, "message"), text(cause, "field")});
  }
}

}  // namespace

std::optional<ApiStatus> decode_api_status(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(),
                                                 json.size());  // hostile nesting must not take the stack
  if (document.HasParseError() || !document.IsObject()) return std::nullopt;
  const std::string outcome = text(document, "status");
  if (outcome != "Success" && outcome != "Failure") return std::nullopt;

  ApiStatus status;
  status.success = outcome == "Success";
  status.code = number(document, "code");
  status.reason = text(document, "reason");
  status.message = text(document, "message");
  const auto details = document.FindMember("details");
  if (details != document.MemberEnd() && details->value.IsObject()) read_details(details->value, status);
  return status;
}

}  // namespace live_update
