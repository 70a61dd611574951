// What the operator writes down about one LiveUpdate: its status, those of its ChangeSets, Events; and which
// ChangeSets it deletes.
//
// Loop thread only. What it remembers (Records) can be lost: then a few things are written once more.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/object_key.h"
#include "core/reconcile/rate_limit.h"
#include "core/reconcile/reconcile.h"
#include "operator/write_queue.h"
#include "run/loop.h"
#include "run/metrics.h"

namespace live_update {

// Writes that the API server would not have: what it holds is something else.
struct RefusedWrites {
  bool status = false;
  std::set<std::string> change_sets;  // uids
};

// What was written last.
struct Records {
  LiveUpdateStatus status;
  LiveUpdateStatus sent;                               // the one before it that was sent
  Instant status_due{};                                // when `status` is to be sent, or was
  Instant sent_at{};                                   // and `sent`
  bool routine = false;                                // that it waits is of no matter to anybody
  std::map<std::string, ChangeSetStatus> change_sets;  // by uid
  std::set<std::string> deleting;                      // uids of ChangeSets whose deletion was asked for
  Instant status_credit{};       // what the status writes of the last second have used up
  std::set<std::string> events;  // those told of something that is told once
  std::shared_ptr<RefusedWrites> refused = std::make_shared<RefusedWrites>();
  RateLimit event_limit{25, Millis(10'000)};  // for one object, about as other controllers have it
};

class Recorder {
 public:
  struct Options {
    std::string instance;  // this pod's name, for Events
    Millis refused_time;   // so long a refused ChangeSet can be read before it is deleted
    // A write about this LiveUpdate was refused: it is to be recorded again after a while.
    std::function<void(const ObjectKey&)> on_refused;
  };
  Recorder(Loop& loop, WriteQueue& writes, Metrics& metrics, Options options)
      : loop_(loop), writes_(writes), metrics_(metrics), options_(std::move(options)) {}

  // Everything that `decision` tells, and its deletions. `on_applied` hears of a ChangeSet when it is told for
  // the first time that all containers have it. Returns when some deletion must be asked for again; nothing:
  // none.
  std::optional<Millis> record(const LiveUpdate& live_update, Records& records, Decision& decision,
                               const std::function<void(const ChangeSetNote&)>& on_applied);
  // Now and then: what was written to ChangeSets that are gone.
  static void forget_deleted(Records& records, const std::vector<std::shared_ptr<const ChangeSet>>& there);
  void tell(const LiveUpdate& live_update, Records& records, const EventNote& note);

 private:
  WriteQueue::Done when_refused(const LiveUpdate& live_update, const Records& records,
                                std::function<void(RefusedWrites&)> note);
  void write_status(const LiveUpdate& live_update, Records& records, LiveUpdateStatus status);
  void write_change_set(const LiveUpdate& live_update, Records& records, ChangeSetNote& note,
                        const std::function<void(const ChangeSetNote&)>& on_applied);
  bool remove(Records& records, const std::vector<ObjectMeta>& change_sets, Millis delay, std::size_t few);

  Loop& loop_;
  WriteQueue& writes_;
  Metrics& metrics_;
  const Options options_;
  std::uint64_t events_ = 0;  // told so far
};

}  // namespace live_update
