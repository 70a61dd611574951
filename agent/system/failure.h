// Why something was not done: an answer `Failed` that does not know its request yet.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "core/wire/agent_protocol.h"

namespace live_update::agent {

struct Failure {
  Code code = Code::Io;
  int error = 0;  // errno
  std::string path, reason, remedy;

  // Cut to what fits into an answer, however long the names in the request were.
  Failed answer(std::uint32_t request) const;
};

template <typename T = void>
using Try = std::expected<T, Failure>;

inline std::unexpected<Failure> failed(Failure failure) { return std::unexpected(std::move(failure)); }

// `what` was tried on `path` and ended with this errno: the class, a sentence, and what people can do about
// it.
Failure errno_failure(int error, std::string_view what, std::string path);
// What the system calls this errno, with its number.
std::string errno_text(int error);

}  // namespace live_update::agent
