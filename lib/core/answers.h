// What the containers say to one batch, for its ChangeSet's status. Pure; used by reconcile_status.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/reconcile.h"

namespace live_update {

struct Answers {
  std::int64_t have = 0;      // containers that confirmed its files, whatever their runs did
  bool more_to_come = false;  // soon: a delivery is under way, or is tried again after a lost connection
  bool failed = false;        // a container refused it, or a run failed there (rules 4.7, 4.9)
  bool refused = false;       // not only runs failed
  // Of the container that failed first, so that it stays the same when others follow; but a refusal goes
  // before a failed run.
  std::string failure;
  std::optional<Instant> since;  // when the first of them failed
};

// `containers` are all of them, as they are described now; `newest` is the history's newest sequence.
Answers answers_to(const Batch& batch, const std::vector<ContainerStatus>& containers, const Lanes& lanes,
                   std::int64_t newest);

// "pod web-1, container app: <message>"; a message that names the pod itself stays as it is.
std::string with_place(const ContainerStatus& container, const std::string& message);

}  // namespace live_update
