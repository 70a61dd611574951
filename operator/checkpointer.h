// Posts Checkpoints (core/desired/checkpoint.h): one ChangeSet after the other, so that the last one makes it
// complete.
//
// Loop thread only. All of it can be lost: an operator that takes over deletes the parts that are there and makes
// another one.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "kube/api_server.h"
#include "run/loop.h"

namespace live_update {

// One Checkpoint on its way.
class Checkpointer {
 public:
  // `live_update` owns its ChangeSets. `done` hears once: that all of them are stored, or of the first that was not.
  // It may destroy this.
  Checkpointer(ApiServer& api, const ObjectMeta& live_update, std::vector<ChangeSetSpec> parts,
               std::function<void(const Result<>&)> done);
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

 private:
  void post_next();
  void answered(const Result<Response>& result);

  ApiServer& api_;
  const ObjectMeta live_update_;
  std::vector<ChangeSetSpec> parts_;
  std::function<void(const Result<>&)> done_;
  std::size_t next_ = 0;
  Handle request_;
};

}  // namespace live_update
