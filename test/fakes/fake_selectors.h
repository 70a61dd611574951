// labelSelector and fieldSelector, as in a query.
#pragma once

#include <rapidjson/document.h>

#include <string>

namespace live_update {

// "app=web,tier!=db,env in (a, b),env notin (c),x,!y"
bool matches_labels(const rapidjson::Value& object, const std::string& selector);
// "metadata.name=web,spec.liveUpdate!=api": the field at a dotted path.
bool matches_fields(const rapidjson::Value& object, const std::string& selector);

}  // namespace live_update
