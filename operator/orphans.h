// ChangeSets of no LiveUpdate, or left from an older one of the name: nobody applies them, and what somebody
// posts by mistake or from malice must not stay. Deleted half a minute after they were seen, and only after a
// fresh look at the LiveUpdate: a cache may be late (rule 7.5).
//
// Loop thread only. One LiveUpdate is asked for at a time, however many there are.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/api/object_key.h"
#include "kube/api_server.h"
#include "operator/cache.h"
#include "operator/write_queue.h"
#include "run/loop.h"

namespace live_update {

class Orphans {
 public:
  // `time`: from when they were seen first.
  Orphans(Loop& loop, ApiServer& api, const Cache& cache, WriteQueue& writes, Millis time);

  // There are some that name this LiveUpdate.
  void seen(const ObjectKey& live_update, const std::vector<Shared<ChangeSet>>& orphans);

 private:
  struct Group {
    std::set<std::string> uids;
    Instant due;
  };
  void arm();
  void look();
  void looked(ObjectKey key, Result<Response> result);
  void remove(const ObjectKey& key, const std::optional<ObjectMeta>& live_update);

  Loop& loop_;
  ApiServer& api_;
  const Cache& cache_;
  WriteQueue& writes_;
  const Millis time_;
  std::map<ObjectKey, Group> groups_;  // by the LiveUpdate that they name
  std::set<std::string> deleting_;     // uids
  Handle timer_, request_;
};

}  // namespace live_update
