// A delivery as frames for the agent, made piece by piece as they can be sent: contents are never copied as a
// whole. Pure.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/agent_protocol.h"
#include "core/delivery.h"
#include "operator/exec_step.h"

namespace live_update {

// What all containers that get the same delivery share.
struct AgentBatch {
  explicit AgentBatch(std::shared_ptr<const Delivery> it);
  std::shared_ptr<const Delivery> delivery;
  std::vector<std::string> roots;            // each sync root once
  std::vector<const DeliveryWrite*> writes;  // directories first, a parent before its children
  std::string changed;                       // LIVE_UPDATE_CHANGED (rule 4.6), for all runs together 512 KiB
  bool empty() const { return writes.empty() && delivery->deletes.empty(); }
};

// What an agent has already of a batch: nothing of these is sent.
struct AgentHas {
  std::set<const DeliveryWrite*> same;     // as a whole
  std::set<const DeliveryWrite*> content;  // the bytes, but not mode or time
  std::set<std::string> missing;           // absolute paths that need no delete
};

// Begin, entries with their content, Commit, as request `request`, in pieces of kAgentPiece or more; only the
// last one is smaller, and may be empty. `writer` numbers the frames: nothing else may use it while a piece
// is being made.
inline constexpr std::size_t kAgentPiece = 64 * 1024;
ByteSource agent_frames(std::shared_ptr<const AgentBatch> batch, std::shared_ptr<const AgentHas> has,
                        std::uint32_t request, agent::Gate gate, agent::FrameWriter& writer);

// A run step as a request (rule 4.6).
agent::Run agent_run(const AgentBatch& batch, const DeliveryRun& run, std::uint32_t request,
                     agent::Gate gate);

// A restart step as a request; error Invalid: there is no such signal.
Result<agent::Restart> agent_restart(const Restart& restart, std::uint32_t request, agent::Gate gate);

}  // namespace live_update
