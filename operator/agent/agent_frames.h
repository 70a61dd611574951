// A delivery as frames for the agent, made piece by piece as they can be sent: contents are never copied as a
// whole. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/desired/delivery.h"
#include "core/wire/agent_protocol.h"
#include "operator/agent/agent_comparison.h"

namespace live_update {

// A batch from its Begin to its Commit, as request `request`. `comparison`, null: everything is sent, and held.
// What differs and is not held is left out, and wanted. `extra`: deletes that only this container needs. All
// that is referred to outlives it. `writer` numbers the frames: what is made has to be sent before anything
// else that is made.
inline constexpr std::size_t kAgentPiece = 64 * 1024;
class AgentFrames {
 public:
  AgentFrames(const AgentBatch& batch, const AgentComparison* comparison,
              const std::vector<RemoteDelete>& extra, std::uint32_t request, agent::Gate gate,
              agent::FrameWriter& writer);

  // The next frames, about kAgentPiece, and what is behind them.
  struct Made {
    enum Then {
      More,
      Unknown,  // until the comparison says what is due of the next entry
      End,
    };
    std::string frames;
    Then then = More;
  };
  // Error Invalid: a digest that is none.
  Result<Made> next();
  bool ended() const { return ended_; }
  const std::vector<WantedContent>& wanted() const { return wanted_; }
  // The agent has refused the batch: of the rest only the Commit is sent, for which the agent waits.
  void cut_short();

 private:
  void add(const agent::Request& request) { writer_.append(out_, request); }
  std::uint16_t root(const std::string& path) const;
  bool next_is_known() const;
  Result<> entry();
  void remove(const RemoteDelete& it);
  Result<> write(const DeliveryWrite& it, bool touch);
  Result<> file(const DeliveryWrite& it, const std::string& path, bool touch);
  void content();

  const AgentBatch& batch_;
  const AgentComparison* comparison_;
  const std::vector<RemoteDelete>& extra_;
  const agent::Begin begin_;
  agent::FrameWriter& writer_;
  std::string out_;
  std::vector<WantedContent> wanted_;
  std::size_t entry_ = 0, extra_sent_ = 0;
  const DeliveryWrite* content_ = nullptr;  // whose bytes are being sent
  std::size_t piece_ = 0, at_ = 0;
  bool begun_ = false, ended_ = false;
};

// All paths of a batch that count and can be listed, for the agent's file of them.
class ChangedFrames {
 public:
  ChangedFrames(const Delivery& delivery, EntryCounts counts, agent::FrameWriter& writer)
      : delivery_(delivery), counts_(std::move(counts)), writer_(writer) {}
  // The next frame of them, if there is one left.
  std::optional<std::string> next();

 private:
  const Delivery& delivery_;
  const EntryCounts counts_;
  agent::FrameWriter& writer_;
  std::size_t entry_ = 0;
};

// A run step as a request (rule 4.6), which is told of these paths.
agent::Run agent_run(std::int64_t sequence, const ChangedPaths& changed, const DeliveryRun& run,
                     std::uint32_t request, agent::Gate gate);

// A restart step as a request; error Invalid: there is no such signal.
Result<agent::Restart> agent_restart(const Restart& restart, std::uint32_t request, agent::Gate gate);

}  // namespace live_update
