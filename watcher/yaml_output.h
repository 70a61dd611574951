// JSON as YAML for people, as kubectl's -o yaml lays it out. Pure.
#pragma once

#include <rapidjson/document.h>

#include <string>

namespace live_update {

// One document; strings that YAML could take for something else are quoted.
std::string to_yaml(const rapidjson::Value& json);

}  // namespace live_update
