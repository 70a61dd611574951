// What an unquoted YAML scalar means to kubectl, which reads YAML 1.1 (sigs.k8s.io/yaml): yes and on are
// true, 0x1f and 017 numbers.
#pragma once

#include <rapidjson/document.h>

#include <string_view>

namespace live_update {

// A truth value, a number, null, or the text itself.
rapidjson::Value plain_scalar(std::string_view text, rapidjson::Document::AllocatorType& allocator);

}  // namespace live_update
