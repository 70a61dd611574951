// Result<T>: a value, or a classified Error with a message for people.
//
// Callers branch on `kind`; people read `message`. A message says what failed, on which object, why, and what
// to do about it. Used everywhere above the library edge; exceptions end where a library throws them.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace live_update {

enum class ErrorKind {
  Invalid,          // the input breaks a rule; the same input fails again (HTTP 400, 422)
  Unauthorized,     // the credentials are unknown or expired (401)
  Forbidden,        // known, but not allowed (403)
  NotFound,         // 404
  AlreadyExists,    // 409 with reason AlreadyExists
  Conflict,         // 409 otherwise: changed in between, read again
  Gone,             // 410: the resourceVersion is too old, list again
  TooLarge,         // 413, or above a limit of our own
  TooManyRequests,  // 429: wait and retry
  Unavailable,      // no connection, cut, 5xx: retry with backoff
  Timeout,          // no answer in time: retry with backoff
  Cancelled,        // we ended it ourselves
  Io,               // a file could not be read or written
  Internal,         // a bug or an answer nobody expected
};

std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::Internal;
  std::string message;

  // True where the same request can succeed later without anybody changing anything (rule 4.9).
  bool retryable() const;
  // The same error with "context: " before its message.
  Error in(std::string_view context) const;
  bool operator==(const Error&) const = default;
};

template <typename T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message)});
}

}  // namespace live_update
