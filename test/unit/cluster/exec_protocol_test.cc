#include "core/cluster/exec_protocol.h"

#include <doctest/doctest.h>

#include "core/api/kube_status.h"

namespace live_update {
namespace {

using namespace std::string_literals;

TEST_SUITE_BEGIN("exec protocol");

TEST_CASE("frames carry the channel in their first byte") {
  CHECK(encode_exec_frame(ExecChannel::Stdin, "ab") == "\0ab"s);
  CHECK(encode_exec_frame(ExecChannel::Stdin, "") == "\0"s);
  CHECK(encode_exec_frame(ExecChannel::Resize, "{}") == "\4{}"s);
  CHECK(encode_exec_close(ExecChannel::Stdin) == "\xff\0"s);
}

TEST_CASE("what the server may send") {
  CHECK(decode_exec_frame("\1hello") == ExecFrame{ExecChannel::Stdout, "hello"});
  CHECK(decode_exec_frame("\2") == ExecFrame{ExecChannel::Stderr, ""});
  CHECK(decode_exec_frame("\1a\0b"s) == ExecFrame{ExecChannel::Stdout, std::string_view("a\0b", 3)});
  CHECK(decode_exec_frame("\3{}") == ExecFrame{ExecChannel::Error, "{}"});
  CHECK(decode_exec_frame("\xff\1") == ExecFrame{ExecChannel::Close, "\1"});
}

TEST_CASE("hostile frames are errors, every first byte is handled") {
  CHECK(decode_exec_frame("").error().kind == ErrorKind::Internal);
  CHECK(decode_exec_frame("\xff").error().message == "exec: the server sent a close frame of 1 bytes");
  CHECK(decode_exec_frame("\xff\1\2").error().kind == ErrorKind::Internal);
  CHECK(decode_exec_frame("\7x").error().message ==
        "exec: the server sent data on channel 7, which is not one of its own");
  for (int first = 0; first < 256; ++first) {
    const std::string message{static_cast<char>(first), '\1'};
    const bool good = first == 1 || first == 2 || first == 3 || first == 255;
    CHECK(decode_exec_frame(message).has_value() == good);
  }
}

TEST_CASE("the error channel tells the exit code") {
  CHECK(decode_exec_status(R"({"metadata":{},"status":"Success"})") == ExecExit{0});
  CHECK(decode_exec_status(
            R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code",
      "reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}})") ==
        ExecExit{3});
}

TEST_CASE("an exit code that is none is an error, not zero") {
  for (const char* code : {"", "0", "x", "3x", " 3", "-1", "256", "99999999999999999999"}) {
    const auto json =
        R"({"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":")"s +
        code + "\"}]}}";
    CHECK(decode_exec_status(json).error().kind == ErrorKind::Internal);
  }
  CHECK_FALSE(decode_exec_status(R"({"status":"Failure","reason":"NonZeroExitCode"})").has_value());
  CHECK_FALSE(decode_exec_status(
      R"({"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[7,{"reason":1}]}})"));
}

TEST_CASE("a program that is not there") {
  const auto ended = decode_exec_status(
      R"({"metadata":{},"status":"Failure","message":"Internal error occurred: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"ab\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"tar\": executable file not found in $PATH: unknown","reason":"InternalError","details":{"causes":[{"message":"x"}]},"code":500})");
  CHECK(ended.error() ==
        Error{ErrorKind::Invalid,
              "the program cannot be started in the container: \"tar\": executable file not found in $PATH"});
}

TEST_CASE("a container that is not there, or not running") {
  CHECK(classify_exec_failure("unable to upgrade connection: container not found (\"web\")").kind ==
        ErrorKind::NotFound);
  CHECK(classify_exec_failure("container web is not valid for pod web-1").kind == ErrorKind::NotFound);
  CHECK(classify_exec_failure("failed to exec in container: container is in CONTAINER_EXITED state").kind ==
        ErrorKind::Unavailable);
  CHECK(classify_exec_failure("error dialing backend: EOF").message ==
        "the container runtime did not start the command: error dialing backend: EOF");
}

TEST_CASE("an end that is no Status") {
  CHECK(decode_exec_status("").error().message ==
        "exec: the server ended the command without a Status: \"\"");
  CHECK(decode_exec_status("null").error().kind == ErrorKind::Internal);
  CHECK(decode_exec_status(R"({"status":5})").error().kind == ErrorKind::Internal);
  CHECK(decode_exec_status(std::string(1 << 20, '[')).error().message.size() < 1000);
}

TEST_CASE("Status: the fields we read, and wrong types stay empty") {
  const auto status = decode_api_status(
      R"({"kind":"Status","status":"Failure","code":409,"reason":"AlreadyExists","message":"m","details":{"group":"g","kind":"changesets","name":"n","retryAfterSeconds":2,"causes":[{"reason":"r","message":"c","field":"f"}]}})");
  REQUIRE(status);
  CHECK(status->code == 409);
  CHECK(status->reason == "AlreadyExists");
  CHECK(status->message == "m");
  CHECK(status->group + "/" + status->kind + "/" + status->name == "g/changesets/n");
  CHECK(status->causes == std::vector<ApiStatus::Cause>{{"r", "c", "f"}});
  CHECK(status->retry_after_seconds == 2);
  CHECK(decode_api_status(R"({"status":"Failure","code":"x","details":[],"message":{}})") == ApiStatus{});
  CHECK_FALSE(decode_api_status("<html>").has_value());
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
