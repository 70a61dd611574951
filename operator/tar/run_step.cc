#include "operator/tar/run_step.h"

#include <algorithm>
#include <utility>

#include "operator/exec/exec_diagnosis.h"
#include "operator/tar/tar_script.h"

namespace live_update {
namespace {

constexpr Millis kKillLimit{15'000};  // for the whole of kill_command, which gives the command five seconds
constexpr Millis kEndLimit{5'000};    // from the kill until the session must have ended
constexpr std::size_t kPidLimit = 4096;  // more stderr than this without a pid line: there will be none
constexpr int kKilledExit = 137;

}  // namespace

RunStep::RunStep(ApiServer& api, After after, ContainerRef to, const DeliveryRun& run,
                 const Delivery& delivery, std::function<void(std::string_view)> on_output,
                 std::function<void(RunOutcome)> done)
    : api_(api),
      after_(std::move(after)),
      to_(std::move(to)),
      step_(run.step),
      timeout_seconds_(std::max(1, run.timeout_seconds)),
      on_output_(std::move(on_output)),
      done_(std::move(done)) {
  ExecStep::Wishes wishes;
  wishes.on_stdout = [this](std::string_view bytes) { take_output(bytes); };
  wishes.on_stderr = [this](std::string& bytes) { take_stderr(bytes); };
  exec_ = std::make_unique<ExecStep>(api_, after_, request(run_command(run, delivery)), std::move(wishes),
                                     [this](ExecReport report) { ended(std::move(report)); });
}

ExecRequest RunStep::request(std::vector<std::string> command) const {
  return {to_.ns, to_.pod, to_.container, std::move(command), false};
}

void RunStep::take_output(std::string_view bytes) {
  output_.add(bytes);
  if (!bytes.empty()) on_output_(bytes);
}

void RunStep::take_stderr(std::string& bytes) {
  if (!pid_.empty()) return take_output(bytes);
  unread_ += bytes;
  pid_ = take_pid(unread_);
  if (pid_.empty() && unread_.size() < kPidLimit) return;
  take_output(std::exchange(unread_, {}));
  if (pid_.empty()) return;
  exec_->wait_for_ever();
  timer_ = after_(Millis(1000) * timeout_seconds_, [this] { time_is_up(); });
}

void RunStep::time_is_up() {
  timed_out_ = true;
  kill([this] {
    timer_ = after_(kEndLimit, [this] {
      const auto done = std::move(done_);
      done(failure(kKilledExit));
    });
  });
}

void RunStep::kill(std::function<void()> then) {
  killer_ = std::make_unique<ExecStep>(api_, after_, request(kill_command(pid_)),
                                       ExecStep::Wishes{.idle = kKillLimit},
                                       [then = std::move(then)](ExecReport) { then(); });
}

void RunStep::ended(ExecReport report) {
  timer_.reset();
  take_output(std::exchange(unread_, {}));
  const auto finish = [this](RunOutcome outcome) {
    const auto done = std::move(done_);
    done(std::move(outcome));
  };
  if (timed_out_) return finish(failure(report.exit ? report.exit->code : kKilledExit));
  if (report.exit && report.exit->code == 0) return finish(RunSucceeded{});
  if (report.exit) return finish(failure(report.exit->code));
  const NotDelivered problem = diagnose(to_, report.exit.error());
  if (pid_.empty()) return finish(problem);
  kill([finish, problem] { finish(problem); });
}

RunFailure RunStep::failure(int exit_code) const { return {step_, exit_code, timed_out_, output_.text()}; }

}  // namespace live_update
