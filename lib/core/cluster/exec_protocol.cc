#include "core/cluster/exec_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/api/kube_status.h"

namespace live_update {
namespace {

std::string frame(std::uint8_t first, std::string_view rest) {
  std::string message;
  message.reserve(rest.size() + 1);
  message.push_back(static_cast<char>(first));
  message.append(rest);
  return message;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

template <std::size_t N>
bool has_any(std::string_view text, const std::array<std::string_view, N>& parts) {
  return std::ranges::any_of(parts, [&](auto part) { return has(text, part); });
}

// The runtime's last words: `... exec: "tar": executable file not found in $PATH: unknown` has all that
// matters behind "exec: ".
std::string_view essence(std::string_view message) {
  if (const auto at = message.rfind("exec: \""); at != message.npos) message.remove_prefix(at + 6);
  for (std::string_view noise : {"Internal error occurred: ", "error executing command in container: "}) {
    while (message.starts_with(noise)) message.remove_prefix(noise.size());
  }
  if (message.ends_with(": unknown")) message.remove_suffix(9);
  return message;
}

std::string clip(std::string_view text) {
  constexpr std::size_t kMost = 500;
  return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "...";
}

Result<ExecExit> exit_code(const ApiStatus& status) {
  for (const auto& cause : status.causes) {
    if (cause.reason != "ExitCode") continue;
    int code = 0;
    const char* end = cause.message.data() + cause.message.size();
    const auto read = std::from_chars(cause.message.data(), end, code);
    if (read.ec == std::errc() && read.ptr == end && code > 0 && code <= 255) return ExecExit{code};
    return fail(ErrorKind::Internal,
                "the server gives an exit code that is none: \"" + clip(cause.message) + "\"");
  }
  return fail(ErrorKind::Internal, "the command failed, and the server does not say with which exit code: " +
                                       clip(status.message));
}

}  // namespace

std::string encode_exec_frame(ExecChannel channel, std::string_view data) {
  return frame(static_cast<std::uint8_t>(channel), data);
}

std::string encode_exec_close(ExecChannel channel) {
  const char which = static_cast<char>(channel);
  return frame(static_cast<std::uint8_t>(ExecChannel::Close), {&which, 1});
}

Result<ExecFrame> decode_exec_frame(std::string_view message) {
  if (message.empty()) return fail(ErrorKind::Internal, "exec: the server sent a message without a channel");
  const auto channel = static_cast<ExecChannel>(static_cast<std::uint8_t>(message[0]));
  const auto data = message.substr(1);
  switch (channel) {
    case ExecChannel::Stdout:
    case ExecChannel::Stderr:
    case ExecChannel::Error:
      return ExecFrame{channel, data};
    case ExecChannel::Close:
      if (data.size() == 1) return ExecFrame{channel, data};
      return fail(ErrorKind::Internal,
                  "exec: the server sent a close frame of " + std::to_string(message.size()) + " bytes");
    case ExecChannel::Stdin:
    case ExecChannel::Resize:
      break;
  }
  return fail(ErrorKind::Internal, "exec: the server sent data on channel " +
                                       std::to_string(static_cast<int>(channel)) +
                                       ", which is not one of its own");
}

Result<ExecExit> decode_exec_status(std::string_view json) {
  const auto status = decode_api_status(json);
  if (!status)
    return fail(ErrorKind::Internal,
                "exec: the server ended the command without a Status: \"" + clip(json) + "\"");
  if (status->success) return ExecExit{0};
  if (status->reason == "NonZeroExitCode") return exit_code(*status);
  return std::unexpected(classify_exec_failure(status->message));
}

Error classify_exec_failure(std::string_view message) {
  static constexpr std::array<std::string_view, 5> kNoProgram = {
      "executable file not found", "no such file or directory", "permission denied", "exec format error",
      "is a directory"};
  static constexpr std::array<std::string_view, 6> kNotRunning = {
      "is not running",    "CONTAINER_EXITED",       "CONTAINER_CREATED",
      "stopped container", "not created or running", "already finished"};
  static constexpr std::array<std::string_view, 3> kMissing = {"container not found", "pod does not exist",
                                                               "is not valid for pod"};
  const std::string what = clip(essence(message));
  if (has_any(message, kNoProgram))
    return {ErrorKind::Invalid, "the program cannot be started in the container: " + what};
  if (has_any(message, kNotRunning)) return {ErrorKind::Unavailable, "the container is not running: " + what};
  if (has_any(message, kMissing)) return {ErrorKind::NotFound, "there is no such container: " + what};
  return {ErrorKind::Unavailable, "the container runtime did not start the command: " + what};
}

}  // namespace live_update
