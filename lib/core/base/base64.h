// RFC 4648 base64, as the API server has bytes in JSON. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace live_update {

std::string encode_base64(std::string_view bytes);
// Error Invalid: other characters, or a length that cannot be.
Result<std::string> decode_base64(std::string_view text);

}  // namespace live_update
