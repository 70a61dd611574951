// A container's folders looked through by its agent, for `deletes: Mirror` (rule 4.5): questions to the agent, and its
// answers judged a piece at a time, so that no turn of the loop takes long. On the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/desired/mirror_sweep.h"
#include "core/wire/agent_protocol.h"
#include "run/loop.h"

namespace live_update {

class AgentSweep {
 public:
  // `worked` comes on a later turn, when it has gone on by itself: ask again whether it is curious or complete.
  AgentSweep(std::shared_ptr<const Mirror> mirror, After after, std::function<void()> worked);

  // Whether there is another question that may be asked now; and that question, as request `request`.
  bool curious();
  agent::List ask(std::uint32_t request);

  void hear(const agent::Listing& answer);
  // There will be no answer, or no more of it.
  void give_up(std::uint32_t request);

  bool complete() const { return sweep_.complete() && !next_; }
  MirrorFindings findings() const { return sweep_.findings(); }

 private:
  void take(const agent::ListEntry& entry, const std::vector<std::size_t>& folders);
  void end(std::uint32_t request);
  void work();
  void go_on();

  MirrorSweep sweep_;
  const After after_;
  const std::function<void()> worked_;
  std::map<std::uint32_t, std::vector<std::size_t>> open_;  // the folders' numbers, by request
  std::optional<MirrorSweep::Question> next_;
  Handle later_;
};

}  // namespace live_update
