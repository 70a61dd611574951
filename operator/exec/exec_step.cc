#include "operator/exec/exec_step.h"

#include <algorithm>
#include <utility>

namespace live_update {
namespace {

constexpr std::size_t kErrPart = 8 * 1024;

}  // namespace

ExecStep::ExecStep(ApiServer& api, After after, ExecRequest request, Wishes wishes,
                   std::function<void(ExecReport)> done)
    : after_(std::move(after)),
      wishes_(std::move(wishes)),
      done_(std::move(done)),
      feed_(after_, {.on_written = [this] { progress(); },
                     .on_end = [this] { session_->close_stdin(); },
                     .on_broken = [this](Error error) { end(std::unexpected(std::move(error))); }}) {
  request.stdin_open = static_cast<bool>(wishes_.input);
  ExecCallbacks callbacks;
  callbacks.on_open = [this] { progress(); };
  callbacks.on_stdout = [this](std::string bytes) {
    progress();
    if (wishes_.on_stdout) wishes_.on_stdout(bytes);
  };
  callbacks.on_stderr = [this](std::string bytes) {
    progress();
    if (wishes_.on_stderr) wishes_.on_stderr(bytes);
    const std::size_t head = std::min(bytes.size(), kErrPart - err_head_.size());
    err_head_.append(bytes, 0, head);
    err_tail_.append(bytes, head);
    if (err_tail_.size() > 2 * kErrPart) err_tail_.erase(0, err_tail_.size() - kErrPart);
  };
  callbacks.on_end = [this](Result<ExecExit> exit) { end(std::move(exit)); };
  session_ = api.exec(std::move(request), std::move(callbacks));
  feed_.attach(*session_);
  progress();
  if (wishes_.input) feed_.stream(std::move(wishes_.input));
}

void ExecStep::wait_for_ever() {
  wishes_.idle = Millis(0);
  idle_.reset();
}

void ExecStep::progress() {
  if (wishes_.idle == Millis(0) || ended_) return;
  idle_ = after_(wishes_.idle, [this] {
    end(fail(ErrorKind::Timeout, "no progress for " + std::to_string(wishes_.idle.count() / 1000) +
                                     " s, the connection was cut"));
  });
}

void ExecStep::end(Result<ExecExit> exit) {
  if (std::exchange(ended_, true)) return;
  idle_.reset();
  feed_.stop();
  if (err_tail_.size() > kErrPart) err_tail_.erase(0, err_tail_.size() - kErrPart);
  later_ = after_(Millis(0), [this, report = ExecReport{std::move(exit), err_head_ + err_tail_}]() mutable {
    const auto done = std::move(done_);
    done(std::move(report));
  });
}

}  // namespace live_update
