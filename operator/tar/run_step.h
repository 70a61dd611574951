// One run step in one container (rules 4.6 and 4.7): executed, its output kept at the end, ended when its
// time is up.
//
// On the loop. `done` runs exactly once, on a later turn than what caused it, and may destroy the step.
// Destroying the step before cuts the connection and leaves the command alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "core/desired/delivery.h"
#include "operator/exec/exec_step.h"
#include "operator/exec/output_tail.h"

namespace live_update {

struct RunSucceeded {};
// NotDelivered: it could not be started, or nobody knows how it ended because the connection broke; what was
// left of it has been killed as far as it could be reached, since it will be tried again.
using RunOutcome = std::variant<RunSucceeded, RunFailure, NotDelivered>;

class RunStep {
 public:
  // `on_output`: what it prints, as it comes.
  RunStep(ApiServer& api, After after, ContainerRef to, const DeliveryRun& run, const Delivery& delivery,
          std::function<void(std::string_view)> on_output, std::function<void(RunOutcome)> done);

 private:
  void take_output(std::string_view bytes);
  void take_stderr(std::string& bytes);
  void time_is_up();
  void ended(ExecReport report);
  void kill(std::function<void()> then);
  ExecRequest request(std::vector<std::string> command) const;
  RunFailure failure(int exit_code) const;

  ApiServer& api_;
  After after_;
  ContainerRef to_;
  int step_, timeout_seconds_;
  std::function<void(std::string_view)> on_output_;
  std::function<void(RunOutcome)> done_;
  OutputTail output_;
  std::string unread_;  // stderr before the pid line is complete
  std::string pid_;     // what kill_command takes; "": not known yet
  bool timed_out_ = false;
  Handle timer_;
  std::unique_ptr<ExecStep> exec_, killer_;
};

}  // namespace live_update
