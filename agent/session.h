// `live-update-agent serve`: one session on two descriptors, from Hello until its input ends.
//
// One loop around poll(), no threads. Requests are carried out in order; while a run or restart goes on, what
// comes behind it is held (bounded by kMaxAhead), but for Credit, Have and List. Whatever cannot be
// understood ends the session: the staged batch is dropped, nothing of it has been visible. So does another
// session in the same container (agent/fence.h).
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>

#include "agent/fence.h"
#include "agent/files/batch.h"
#include "agent/files/changed_file.h"
#include "agent/files/have_job.h"
#include "agent/files/list_job.h"
#include "agent/files/record.h"
#include "agent/run/restarter.h"
#include "agent/run/runner.h"

namespace live_update::agent {

class Session {
 public:
  Session(int in, int out) : in_(in), out_(out), reader_(0) {}
  // Exit code: 0 the input ended or a signal asked for it, else one of kExitNonsense and so on.
  int run();

 private:
  struct Held {
    std::uint8_t type;
    bool last;
    std::string payload;
  };

  bool take_fence();
  void say_hello();
  void turn();
  void give_way();
  void read_input();
  void take_frames();
  void take(const Frame& frame);
  void take_held();
  void hear_hello(const Hello& hello);
  bool perform_now(const Request& request);
  void perform(const Request& request);

  void act(const Begin& begin);
  void act(const Commit& commit);
  void act(const Run& run);
  void act(const Restart& restart);
  void act(const Changed& part) { changed_.take(part); }
  void act(const Subject& subject);
  bool is_outdated(const Begin& begin);
  template <typename Entry>
  void stage(const Entry& entry);
  Run with_list(Run run);

  bool busy() const { return run_ || restart_; }
  bool passes(const Gate& gate, std::uint32_t request);
  void mark(const Gate& gate) { failed_ = failed_ || !gate.keep_going; }
  void fail_batch(const Failure& failure);
  void confirm();
  void protocol_error(const std::string& reason, Code code = Code::Protocol);

  void tend_run(std::int64_t now);
  void tend_restart(std::int64_t now);
  template <typename Job, typename Asked>
  void start_job(std::deque<Job>& jobs, const Asked& asked, const char* name);
  template <typename Job>
  void tend_jobs(std::deque<Job>& jobs, std::size_t slice);
  void take_signals();
  void answer(const Answer& answer) { writer_.append(output_, answer); }
  void flush();
  void flush_rest();

  Fence fence_;  // first, so that it is given back last
  int in_, out_;
  FrameReader reader_;
  FrameWriter writer_;
  std::string output_;
  bool greeted_ = false, ended_ = false;
  int exit_code_ = 0;

  Inflater inflater_;
  std::optional<Batch> batch_;
  std::optional<std::int64_t> skipping_;  // the batch whose frames are passed over up to its Commit
  std::int64_t batch_began_us_ = 0;
  bool failed_ = false;  // the mark of Gate
  std::set<std::string> cleaned_;
  ChangedFile changed_;
  Record record_;

  Guardian guardian_;
  std::optional<Runner> run_;
  std::optional<Restarter> restart_;
  std::deque<Held> held_;
  std::size_t held_bytes_ = 0;
  std::deque<HaveJob> haves_;
  std::deque<ListJob> lists_;
  Fd signals_;
};

}  // namespace live_update::agent
