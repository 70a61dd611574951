// One command under way (rule 4.6). Passive: the session polls its pipes and tells it the time and its
// child's end.
//
// The command has a session and process group of its own. It is over when the command itself has ended and
// what it printed has been passed on; a daemon that it left behind and that holds its output open delays that
// by 100 ms. Output is read only as far as the operator's credit reaches: then the pipe fills, and the
// command waits.
#pragma once

#include <poll.h>

#include <array>
#include <optional>
#include <vector>

#include "agent/run/guardian.h"
#include "agent/run/launch.h"
#include "agent/system/fd.h"

namespace live_update::agent {

class Runner {
 public:
  static Try<Runner> start(const Run& run, Guardian& guardian);

  std::uint32_t request() const { return run_.request; }
  const Gate& gate() const { return run_.gate; }
  pid_t pid() const { return pid_; }

  void add_polls(std::vector<pollfd>& polls) const;
  // Reads at most 32 KiB of what is there; empty when there is nothing, or no credit. The bytes are valid
  // until the next call.
  std::optional<RunOutput> read();
  void credit(std::uint32_t bytes);
  void ended(int status, std::int64_t now);  // as of waitpid
  void tick(std::int64_t now);
  // How it ended, once it is over.
  std::optional<RunExit> over(std::int64_t now);
  // When tick or over may have something to do.
  std::int64_t due() const;

 private:
  Runner(const Run& run, pid_t pid, Guardian& guardian, std::array<Fd, 2> pipes);
  bool drained(std::int64_t now) const;
  bool group_gone() const;

  Run run_;
  pid_t pid_;
  Guardian* guardian_;
  std::array<Fd, 2> pipes_;
  std::array<std::size_t, 2> unread_{};  // at the end of the command, what its pipes still held
  std::uint64_t credit_;
  std::int64_t started_, deadline_;
  enum class Stage { Running, Terminating, Killed } stage_ = Stage::Running;
  std::optional<int> status_;
  std::int64_t ended_at_ = 0;
  std::string block_;
  std::size_t turn_ = 0;
};

}  // namespace live_update::agent
