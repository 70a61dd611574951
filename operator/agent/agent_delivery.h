// One delivery over one session with an agent: runs before, the batch, compared with what is there while it
// is being sent, runs after, restart (rule 4.1), and what became of it. Where runs or the restart depend on what
// differs (rule 3.7), all is compared first. What is not held is always compared: the container may have it.
//
// Whatever needs no answer in between goes out in one write. On the loop; it calls nobody but the session and
// `on_output`, so whoever hears the answers asks for the outcome after each.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "operator/agent/agent_comparison.h"
#include "operator/agent/agent_frames.h"
#include "operator/agent/agent_session.h"
#include "operator/agent/agent_sweep.h"
#include "operator/exec/output_tail.h"
#include "operator/exec/transport.h"

namespace live_update {

class AgentDelivery {
 public:
  using OnOutput = ContainerTransport::OnOutput;

  // The wall clock, as of now within a turn, too.
  using Clock = std::function<Time()>;

  // For work that goes on by itself, with no answer: `moved` comes on a later turn, and may destroy it.
  struct Turns {
    After after;
    std::function<void()> moved;
  };

  // `session` is ready and outlives it.
  AgentDelivery(AgentSession& session, const ContainerRef& to, std::shared_ptr<const AgentBatch> batch,
                Clock clock, Turns turns, OnOutput on_output);

  void start();
  void hear(const agent::Answer& answer);
  // The session is over: what that means for this delivery.
  DeliveryOutcome lost(const AgentEnd& end) const;
  // Once nothing is left to wait for.
  const std::optional<DeliveryOutcome>& outcome() const { return outcome_; }
  // How long it may stay silent: something is wrong if neither bytes nor answers move for so long.
  Millis patience() const;

 private:
  enum class Phase { Looking, Before, Main };
  struct Batch {};
  struct Question {};
  struct RunPending {
    const DeliveryRun* run;
    OutputTail tail;
    std::uint32_t unpaid = 0;  // output since the last Credit
  };
  struct RestartPending {
    const Restart* restart;
    int step;
  };
  using Pending = std::variant<Batch, Question, RunPending, RestartPending>;

  void look();
  void looked_if_complete();
  void looked();
  void sweep();
  void swept();
  void went_on();
  bool is_due(const DueIf& due, int step) const;
  std::vector<int> due_steps() const;
  EntryCounts counts() const;
  const ChangedPaths& changed() const { return changed_ ? *changed_ : batch_->changed; }
  void before();
  void main();
  void ask();
  void send_on();
  Result<Chunk> piece();
  void list_changed(const std::vector<const DeliveryRun*>& runs);
  std::vector<const DeliveryRun*> due_of(const std::vector<DeliveryRun>& runs) const;
  agent::Gate gate(bool keep_going = false);
  void forget_list(std::string& frames);
  void advance();
  void advance_if_done();
  std::uint32_t expect(Pending pending);
  void add_runs(std::string& frames, const std::vector<const DeliveryRun*>& runs);
  void add_tail(std::string& frames);
  std::string about(const std::string& what) const;
  NotDelivered problem(const agent::Failed& failed) const;
  NotDelivered how_lost(const AgentEnd& end) const;
  void compared(const agent::Answer& answer, std::uint32_t request);
  void refused(const agent::Failed& it);
  // Of the file at this path in the container.
  void disbelieve(const std::string& path);
  void failed(const agent::Failed& it);
  void warned(const agent::Warning& it);
  void printed(const agent::RunOutput& it);
  void ended(const agent::RunExit& it);
  void skipped(const agent::Skipped& it);

  AgentSession& session_;
  const ContainerRef to_;
  const std::shared_ptr<const AgentBatch> batch_;
  const Clock clock_;
  const Turns turns_;
  const OnOutput on_output_;
  Phase phase_ = Phase::Before;
  bool fresh_ = true;                         // no request that may fail has gone out
  std::optional<std::vector<bool>> differs_;  // after a look: by number of the entry
  std::optional<ChangedPaths> changed_;       // these, where not all count
  std::map<std::uint32_t, Pending> pending_;  // by request
  std::optional<AgentComparison> comparison_;
  std::optional<AgentSweep> sweep_;
  std::vector<RemoteDelete> extra_;    // that it found
  std::optional<AgentFrames> frames_;  // of the batch
  std::optional<ChangedFrames> list_;  // of its paths, where the runs' variable is too small for them
  bool streaming_ = false;             // the session will ask for a piece of these
  Delivered delivered_;
  std::optional<NotDelivered> problem_;
  std::optional<DeliveryOutcome> outcome_;
};

}  // namespace live_update
