// One restart under way (rule 4.8). Passive, as Runner.
#pragma once

#include <poll.h>

#include <optional>
#include <variant>
#include <vector>

#include "agent/system/failure.h"
#include "agent/system/fd.h"

namespace live_update::agent {

class Restarter {
 public:
  // Signal is over at once; Process waits for the supervisor's word; Container for the end of everything.
  Restarter(const Restart& restart, std::int64_t now);

  const Gate& gate() const { return restart_.gate; }
  std::uint32_t request() const { return restart_.request; }
  void add_polls(std::vector<pollfd>& polls) const;
  // Looks for the supervisor's answer, and at the clock.
  void tick(std::int64_t now);
  // At once where it is over: it may have been when it began.
  std::int64_t due() const { return over_ ? 0 : deadline_; }
  // Restarted or Failed, once it is over.
  const std::optional<Answer>& over() const { return over_; }

 private:
  void send_signal();
  void end_container();
  void ask_supervisor();
  void fail(Failure failure) { over_ = failure.answer(restart_.request); }

  Restart restart_;
  std::int64_t deadline_;
  Fd supervisor_;
  std::optional<Answer> over_;
};

}  // namespace live_update::agent
