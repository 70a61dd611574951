#include "core/base/result.h"

namespace live_update {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Invalid:
      return "Invalid";
    case ErrorKind::Unauthorized:
      return "Unauthorized";
    case ErrorKind::Forbidden:
      return "Forbidden";
    case ErrorKind::NotFound:
      return "NotFound";
    case ErrorKind::AlreadyExists:
      return "AlreadyExists";
    case ErrorKind::Conflict:
      return "Conflict";
    case ErrorKind::Gone:
      return "Gone";
    case ErrorKind::TooLarge:
      return "TooLarge";
    case ErrorKind::TooManyRequests:
      return "TooManyRequests";
    case ErrorKind::Unavailable:
      return "Unavailable";
    case ErrorKind::Timeout:
      return "Timeout";
    case ErrorKind::Cancelled:
      return "Cancelled";
    case ErrorKind::Io:
      return "Io";
    case ErrorKind::Internal:
      return "Internal";
  }
  return "Internal";
}

bool Error::retryable() const {
  switch (kind) {
    case ErrorKind::Conflict:
    case ErrorKind::Gone:
    case ErrorKind::TooManyRequests:
    case ErrorKind::Unavailable:
    case ErrorKind::Timeout:
      return true;
    default:
      return false;
  }
}

Error Error::in(std::string_view context) const { return {kind, std::string(context) + ": " + message}; }

}  // namespace live_update
