// metav1.Status: how the API server says what went wrong, in error bodies, in ERROR events of a watch and at
// the end of an exec session. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace live_update {

struct ApiStatus {
  struct Cause {
    std::string reason, message, field;
    bool operator==(const Cause&) const = default;
  };
  bool success = false;  // status: Success
  int code = 0;          // the HTTP status that goes with it; 0 where not given
  std::string reason,
      message;  // reason is one CamelCase word: Forbidden, AlreadyExists, Expired, NonZeroExitCode
  std::string group, kind,
      name;  // details: which object (kind is the plural resource name, as the API server has it)
  std::vector<Cause> causes;
  int retry_after_seconds = 0;
  bool operator==(const ApiStatus&) const = default;
};

// Nothing if `json` is no Status (a proxy's HTML page, a cut body). Missing or mistyped fields stay empty.
std::optional<ApiStatus> decode_api_status(std::string_view json);

}  // namespace live_update
