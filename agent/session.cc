#include "agent/session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "agent/files/own_program.h"
#include "agent/system/process.h"
#include "agent/version.h"

namespace live_update::agent {
namespace {

constexpr std::size_t kOutputFull = 256 << 10;  // above this, runs and Have wait
constexpr std::size_t kOutputStuck = 1 << 20;   // above this, so does the operator
constexpr std::size_t kHaveSlice = 64 << 10;    // bytes read for Have before the loop looks around
constexpr std::size_t kListSlice = 256;         // names looked at for List, likewise
constexpr std::size_t kMaxHaves = 64;           // and as many Lists
constexpr std::int64_t kLastWordsMs = 2'000;

// Pipes and sockets only: a terminal or file would keep the flag for others who have it open.
void make_nonblocking(int fd) {
  struct stat there;
  if (fstat(fd, &there) == 0 && (S_ISFIFO(there.st_mode) || S_ISSOCK(there.st_mode)))
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

}  // namespace

int Session::run() {
  make_nonblocking(in_);
  make_nonblocking(out_);
  signal(SIGPIPE, SIG_IGN);
  if (!take_fence()) return exit_code_;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t mine;
  sigemptyset(&mine);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&mine, number);
  sigprocmask(SIG_BLOCK, &mine, nullptr);
  signals_ = Fd(signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK));
  say_hello();
  while (!ended_) turn();
  batch_.reset();
  // Who has gone does not listen; who is told of a mistake should hear it; who has been replaced must not be
  // waited for.
  if (exit_code_ == kExitTakenOver) flush();
  if (exit_code_ == kExitNonsense || exit_code_ == kExitNoVersion) flush_rest();
  return exit_code_;
}

bool Session::take_fence() {
  switch (fence_.take(in_)) {
    case Fence::Taken::Ours:
    case Fence::Taken::Without:
      guardian_.hold(fence_.runs());
      return true;
    case Fence::Taken::Needless:
      give_way();
      break;
    case Fence::Taken::Stuck:
      exit_code_ = kExitTakenOver;
      answer(Failed{0, Code::TakenOver, 0, "", fence_.trouble(), "restart the container if it stays so"});
      break;
  }
  flush();
  return false;
}

// At once, whatever is under way: what comes from now on is not read any more.
void Session::give_way() {
  ended_ = true;
  exit_code_ = kExitTakenOver;
  answer(Failed{0, Code::TakenOver, 0, "", "another session has taken over the container",
                "see whether a second operator is at work"});
}

void Session::say_hello() {
  Hello hello{.features = kFeatureChanged | kFeatureRecord | kFeatureList,
              .program = kProgram,
              .uid = geteuid(),
              .gid = getegid(),
              .pid = static_cast<std::uint32_t>(getpid()),
              .digest = own_digest()};
  if (utsname machine; uname(&machine) == 0) hello.machine = machine.machine;
  answer(hello);
  if (!fence_.trouble().empty()) answer(Warning{0, "", fence_.trouble()});
}

void Session::turn() {
  flush();
  const auto before = now_ms();
  const bool room = output_.size() < kOutputFull;
  std::vector<pollfd> polls{{signals_.get(), POLLIN, 0}};
  polls.push_back({output_.size() < kOutputStuck ? in_ : -1, POLLIN, 0});
  polls.push_back({output_.empty() ? -1 : out_, POLLOUT, 0});
  polls.push_back({fence_.callers(), POLLIN, 0});
  if (run_ && room) run_->add_polls(polls);
  if (restart_) restart_->add_polls(polls);
  auto due = INT64_MAX;
  if (run_) due = std::min(due, run_->due());
  if (restart_) due = std::min(due, restart_->due());
  if (!(haves_.empty() && lists_.empty()) && room) due = before;
  const int wait =
      due == INT64_MAX ? -1 : static_cast<int>(std::clamp<std::int64_t>(due - before, 0, INT_MAX));
  if (poll(polls.data(), polls.size(), wait) < 0 && errno != EINTR)
    return protocol_error("poll: " + errno_text(errno));

  if (polls[3].revents && fence_.asked()) return give_way();
  if (polls[0].revents) take_signals();
  if (polls[1].revents) read_input();
  const auto now = now_ms();
  if (run_) tend_run(now);
  if (restart_) tend_restart(now);
  take_held();
  tend_jobs(haves_, kHaveSlice);
  tend_jobs(lists_, kListSlice);
}

void Session::read_input() {
  char block[64 << 10];
  const auto got = read(in_, block, sizeof block);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    ended_ = true;
    return;
  }
  reader_.feed({block, static_cast<std::size_t>(got)});
  take_frames();
}

void Session::take_frames() {
  while (!ended_) {
    const auto frame = reader_.next();
    if (!frame) return protocol_error(frame.error().message);
    if (!*frame) return;
    take(**frame);
  }
}

void Session::take(const Frame& frame) {
  const auto request = decode_request(frame);
  if (!request) return protocol_error(request.error().message);
  if (!greeted_ || std::holds_alternative<Hello>(*request)) {
    const auto* hello = greeted_ ? nullptr : std::get_if<Hello>(&*request);
    return hello ? hear_hello(*hello) : protocol_error("a session begins with one Hello");
  }
  if (perform_now(*request)) return;
  if (!busy() && held_.empty()) return perform(*request);
  held_bytes_ += frame.payload.size() + kHeaderSize;
  if (held_bytes_ > kMaxAhead)
    return protocol_error("more than " + std::to_string(kMaxAhead) +
                          " bytes came behind a run that is not over");
  held_.push_back({frame.type, frame.last, std::string(frame.payload)});
}

void Session::take_held() {
  while (!ended_ && !busy() && !held_.empty()) {
    const auto held = std::move(held_.front());
    held_.pop_front();
    held_bytes_ -= held.payload.size() + kHeaderSize;
    const auto request = decode_request({held.type, held.last, held.payload});
    perform(*request);
  }
}

void Session::hear_hello(const Hello& hello) {
  greeted_ = true;
  if (common_version(Hello{}, hello)) return;
  const auto range = [](const Hello& one) {
    return std::to_string(one.oldest) + " to " + std::to_string(one.newest);
  };
  protocol_error(
      "the operator speaks the versions " + range(hello) + " of the protocol, this agent " + range(Hello{}),
      Code::Version);
  exit_code_ = kExitNoVersion;
}

// What does not wait for its turn.
bool Session::perform_now(const Request& request) {
  if (const auto* credit = std::get_if<Credit>(&request)) {
    if (run_ && run_->request() == credit->request) run_->credit(credit->bytes);
  } else if (const auto* have = std::get_if<Have>(&request)) {
    start_job(haves_, *have, "Have");
  } else if (const auto* list = std::get_if<List>(&request)) {
    start_job(lists_, *list, "List");
  } else {
    return false;
  }
  return true;
}

template <typename Job, typename Asked>
void Session::start_job(std::deque<Job>& jobs, const Asked& asked, const char* name) {
  auto job = Job::start(asked);
  if (!job) return answer(job.error().answer(asked.request));
  if (jobs.size() == kMaxHaves)
    return protocol_error("more than " + std::to_string(kMaxHaves) + " " + name + " requests at a time");
  jobs.push_back(std::move(*job));
}

void Session::perform(const Request& request) {
  std::visit(
      [this](const auto& message) {
        if constexpr (requires(Batch& batch) { batch.add(message); }) {
          stage(message);
        } else if constexpr (requires { this->act(message); }) {
          act(message);
        }
      },
      request);
}

bool Session::passes(const Gate& gate, std::uint32_t request) {
  if (gate.fresh) failed_ = false;
  if (!gate.if_ok || !failed_) return true;
  answer(Skipped{request});
  return false;
}

void Session::act(const Begin& begin) {
  if (batch_ || skipping_) return protocol_error("a batch begins within another one");
  batch_began_us_ = now_us();
  if (!passes(begin.gate, begin.request) || is_outdated(begin)) {
    skipping_ = begin.sequence;
    return;
  }
  batch_.emplace(begin, inflater_);
  if (const auto opened = batch_->open(); !opened) fail_batch(opened.error());
}

// Two operators, of which one lags: what the other did is not undone.
bool Session::is_outdated(const Begin& begin) {
  if (begin.sequence >= record_.newest()) return false;
  mark(begin.gate);
  answer(Failed{begin.request, Code::Outdated, 0, "",
                "the container has sequence " + std::to_string(record_.newest()) +
                    " of this LiveUpdate, and this is " + std::to_string(begin.sequence),
                "see whether a second operator is at work"});
  return true;
}

template <typename Entry>
void Session::stage(const Entry& entry) {
  if (skipping_) return;
  if (!batch_) return protocol_error("a path came outside of a batch");
  if (const auto staged = batch_->add(entry); !staged) fail_batch(staged.error());
}

void Session::act(const Commit& commit) {
  const auto open = batch_ ? std::optional(batch_->sequence()) : skipping_;
  if (open != commit.sequence)
    return protocol_error("the Commit of sequence " + std::to_string(commit.sequence) + " came, but " +
                          (open ? "that of " + std::to_string(*open) + " is due" : "no batch is open"));
  if (skipping_) return skipping_.reset();
  const auto done = batch_->commit();
  if (done) return confirm();
  fail_batch(done.error());
  skipping_.reset();
}

// What was staged goes first: the answer says that nothing is left.
void Session::fail_batch(const Failure& failure) {
  if (failure.code == Code::Protocol) return protocol_error(failure.reason);
  mark(batch_->gate());
  skipping_ = batch_->sequence();
  const auto request = batch_->request();
  batch_->clean(cleaned_);
  batch_.reset();
  answer(failure.answer(request));
}

// The operator knows first; then there is time to tidy up.
void Session::confirm() {
  for (auto& warning : batch_->warnings()) {
    warning.request = batch_->request();
    warning.path.resize(std::min(warning.path.size(), 2 * kMaxPath));
    answer(warning);
  }
  record_.confirm(batch_->sequence());
  const auto took = std::min<std::int64_t>(now_us() - batch_began_us_, UINT32_MAX);
  answer(
      Confirmed{batch_->request(), batch_->sequence(), batch_->changed(), static_cast<std::uint32_t>(took)});
  flush();
  batch_->clean(cleaned_);
  batch_.reset();
}

void Session::act(const Subject& subject) {
  if (batch_ || skipping_) return protocol_error("a subject came within a batch");
  record_.about(subject);
}

void Session::act(const Run& run) {
  if (batch_ || skipping_) return protocol_error("a run came within a batch");
  if (!passes(run.gate, run.request)) return;
  auto started = Runner::start(with_list(run), guardian_);
  if (started) {
    run_.emplace(std::move(*started));
  } else {
    mark(run.gate);
    answer(started.error().answer(run.request));
  }
}

Run Session::with_list(Run run) {
  const auto variable = changed_.variable();
  if (!variable)
    answer(Warning{run.request, "", variable.error().reason + "; " + variable.error().remedy});
  else if (!variable->empty())
    run.env.push_back(*variable);
  return run;
}

void Session::act(const Restart& restart) {
  if (batch_ || skipping_) return protocol_error("a restart came within a batch");
  if (!passes(restart.gate, restart.request)) return;
  flush();  // it may end all that runs here
  restart_.emplace(restart, now_ms());
}

void Session::tend_run(std::int64_t now) {
  run_->tick(now);
  while (output_.size() < kOutputFull) {
    const auto printed = run_->read();
    if (!printed) break;
    answer(*printed);
  }
  const auto exit = run_->over(now);
  if (!exit) return;
  answer(*exit);
  if (exit->how != RunHow::Exited || exit->code != 0) mark(run_->gate());
  run_.reset();
}

void Session::tend_restart(std::int64_t now) {
  restart_->tick(now);
  if (!restart_->over()) return;
  answer(*restart_->over());
  if (std::holds_alternative<Failed>(*restart_->over())) mark(restart_->gate());
  restart_.reset();
}

template <typename Job>
void Session::tend_jobs(std::deque<Job>& jobs, std::size_t slice) {
  if (jobs.empty() || output_.size() >= kOutputFull) return;
  auto& job = jobs.front();
  job.step(slice);
  if (const auto found = job.take()) answer(*found);
  if (job.done()) jobs.pop_front();
}

void Session::take_signals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGCHLD) ended_ = true;
  }
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (run_ && pid == run_->pid()) run_->ended(status, now_ms());
  }
}

void Session::protocol_error(const std::string& reason, Code code) {
  if (ended_) return;
  ended_ = true;
  exit_code_ = kExitNonsense;
  answer(Failed{0, code, 0, "", reason,
                "end this session and begin a new one; an agent of another version has to be replaced"});
}

void Session::flush() {
  while (!output_.empty()) {
    const auto wrote = write(out_, output_.data(), output_.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) return;
    if (wrote < 0) {
      ended_ = true;
      output_.clear();
      return;
    }
    output_.erase(0, static_cast<std::size_t>(wrote));
  }
}

void Session::flush_rest() {
  const auto until = now_ms() + kLastWordsMs;
  for (flush(); !output_.empty() && now_ms() < until; flush()) {
    pollfd out{out_, POLLOUT, 0};
    poll(&out, 1, static_cast<int>(until - now_ms()));
  }
}

}  // namespace live_update::agent
