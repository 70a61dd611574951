// The real agent as a child, and the operator's end of its session.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/system/fd.h"
#include "core/wire/agent_protocol.h"

namespace live_update::agent {

// How the child is set up before the agent starts.
struct Setup {
  uid_t uid = 0;                              // another than 0: that user and group, nothing else
  int openat2_error = 0, exchange_error = 0;  // what seccomp answers instead of the kernel
  int pidfd_error = 0;                        // likewise, to pidfd_open
  std::vector<std::string> env;               // without LIVE_UPDATE_FENCE: a container of its own
  std::vector<std::string> arguments = {"serve"};
  std::vector<std::string> before;  // words before the program: nsenter ...
  std::string program;              // a copy of it; empty: agent_command()
};

// argv of the agent under test: LIVE_UPDATE_AGENT (words, for an emulator), else the one that was built.
std::vector<std::string> agent_command();
// Under qemu-user: slower, and a program that cannot be started is only seen to exit with 127.
inline bool emulated() { return agent_command().size() > 1; }

// With ASan: much more memory, less speed.
inline constexpr bool kSanitized =
#ifdef __SANITIZE_ADDRESS__
    true;
#else
    false;
#endif

// A started program of ours; killed with this object.
class Child {
 public:
  explicit Child(const Setup& setup, bool streams = true);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Exit code, 128 + N for a signal. Waits for at most ten seconds, then -1.
  int wait();

  Fd in, out;  // its stdin and stdout

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
  bool reaped_ = false;
};

// An answer with the bytes it points into.
struct Received {
  Answer answer;
  std::string bytes;
};

class AgentProcess {
 public:
  // Says Hello and hears the agent's.
  explicit AgentProcess(const Setup& setup = {}, const Hello& hello = {.program = "test"});

  const Hello& hello() const { return hello_; }
  // What the container printed before.
  const std::string& noise() const { return reader_.noise(); }
  // All in one write.
  void send(const std::vector<Request>& requests);
  void send_bytes(std::string_view bytes);
  std::string encode(const std::vector<Request>& requests);
  // The next answer; Failed with code Protocol and reason "end" at the end, "late" after ten seconds.
  Received next();
  // Sends, and collects until this request has its final answer. Warnings and outputs go to their lists.
  Answer ask(const std::vector<Request>& requests, std::uint32_t request);
  Answer answer_to(std::uint32_t request);
  // A batch of one write, with sequence 1 up: its answer.
  Answer apply(const std::vector<std::string>& roots, std::vector<Request> entries);
  // Ends the session as the operator does; the exit code.
  int close();
  pid_t pid() const { return child_.pid(); }
  Child& child() { return child_; }

  std::vector<Warning> warnings;
  std::map<std::uint32_t, std::string> output, errors;  // what runs have printed, by request
  std::function<void(const RunOutput&)> on_output;

 private:
  Child child_;
  FrameWriter writer_;
  FrameReader reader_{kMaxNoise};
  Hello hello_;
  std::int64_t sequence_ = 0;
};

// --- requests as tests say them
Digest sha256_of(std::string_view bytes);
std::string zstd_of(std::string_view bytes);
// File and its Data.
std::vector<Request> file(std::string path, std::string_view content, std::uint16_t mode = 0644,
                          std::uint16_t root = 0);
std::vector<Request> operator+(std::vector<Request> all, std::vector<Request> more);

// Does nothing, does not wait for its turn, and is answered: what came before it has been taken in.
Request barrier(std::uint32_t request);
bool passed(const Answer& answer);

// What the failure is, for comparisons: "Code: reason (remedy)"; "" for anything else.
std::string failure_of(const Answer& answer);
bool confirmed(const Answer& answer);
// Everything below a directory: path -> "file <mode> <content>", "dir", "link <target>"; temporary names,
// too.
std::map<std::string, std::string> tree_of(const std::string& root);
// A process that executes this file, which must be a copy of `sleep`; it runs when the constructor returns.
class Sleeper {
 public:
  explicit Sleeper(const std::string& file);
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  bool alive() const { return kill(pid_, 0) == 0; }

 private:
  pid_t pid_;
};
// Waits until this holds, for at most ten seconds.
bool soon(const std::function<bool()>& holds);

}  // namespace live_update::agent
