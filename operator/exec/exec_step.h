// One command in a container from start to end: its input in bounded pieces, its output bounded, and an end
// to waiting.
//
// On the loop. `done` runs exactly once, on a later turn of the loop than what caused it, so that it may
// destroy the step; destroying the step before cuts the connection (the command may go on) and `done` does
// not run.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "kube/api_server.h"
#include "operator/exec/stdin_feed.h"
#include "run/loop.h"

namespace live_update {

struct ExecReport {
  Result<ExecExit> exit;
  std::string err;  // the first 8 KiB of stderr and the last 8 KiB
};

class ExecStep {
 public:
  struct Wishes {
    ByteSource input;  // none: the command has no stdin. An error of it cuts the command
    // Cut with a Timeout when for this long no byte went in or came out, and nothing else happened either. 0:
    // never.
    Millis idle{30'000};
    // Every piece of output, as it comes. For stderr before it is kept; what is left in the argument is.
    std::function<void(std::string_view)> on_stdout;
    std::function<void(std::string&)> on_stderr;
  };

  ExecStep(ApiServer& api, After after, ExecRequest request, Wishes wishes,
           std::function<void(ExecReport)> done);
  ExecStep(const ExecStep&) = delete;
  ExecStep& operator=(const ExecStep&) = delete;

  // From now on silence is no reason to cut.
  void wait_for_ever();

 private:
  void progress();
  void end(Result<ExecExit> exit);

  After after_;
  Wishes wishes_;
  std::function<void(ExecReport)> done_;
  std::string err_head_, err_tail_;
  bool ended_ = false;
  Handle idle_, later_;
  StdinFeed feed_;
  std::unique_ptr<ExecSession> session_;
};

}  // namespace live_update
