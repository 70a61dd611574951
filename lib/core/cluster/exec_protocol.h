// v5.channel.k8s.io: how exec travels over a WebSocket. Pure; both directions, so that the test server speaks
// it too.
//
// Every message is binary: one byte that names the channel, then its data. The client sends stdin, resize and
// close; the server sends stdout, stderr and, once and last, the error channel with a metav1.Status that
// tells how the command ended. Close is what v5 has and v4 has not: without it `tar -x -f -` never sees the
// end of its input. Sources: apimachinery pkg/util/remotecommand/constants.go, client-go
// tools/remotecommand/websocket.go, KEP-4006.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace live_update {

inline constexpr std::string_view kExecProtocol = "v5.channel.k8s.io";

enum class ExecChannel : std::uint8_t {
  Stdin = 0,
  Stdout = 1,
  Stderr = 2,
  Error = 3,
  Resize = 4,
  Close = 255
};

// How a command ended that did run.
struct ExecExit {
  int code = 0;
  bool operator==(const ExecExit&) const = default;
};

struct ExecFrame {
  ExecChannel channel;
  std::string_view data;  // points into the decoded message
  bool operator==(const ExecFrame&) const = default;
};

// One whole message for `channel`.
std::string encode_exec_frame(ExecChannel channel, std::string_view data);
// The message that closes `channel`: bytes 255, channel.
std::string encode_exec_close(ExecChannel channel);

// A message from the server. Empty `data` is normal (the server announces its channels so). An Error of kind
// Internal for an empty message, an unknown channel, one that only a client sends, or a close frame that is
// not of two bytes.
Result<ExecFrame> decode_exec_frame(std::string_view message);

// The content of the error channel. A value if the command ran, whatever its exit code; else an Error:
//   Invalid      the container has no such program, it is not executable, or its working directory is missing
//   NotFound     there is no such container or pod
//   Unavailable  the container is not running (now), or the container runtime failed: retry
//   Internal     no Status that we understand
Result<ExecExit> decode_exec_status(std::string_view json);

// The same classes for the text with which API server or kubelet refuse to start a command.
Error classify_exec_failure(std::string_view message);

}  // namespace live_update
