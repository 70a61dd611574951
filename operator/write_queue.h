// Writes to the API server off the hot path: for each object only the newest state is sent, one request at a
// time (coalesced).
//
// Few are under way at once: each at a time is a TLS connection of its own, which costs both ends more than
// the write, and is kept for a while. Two kinds wait by themselves, so that nothing waits behind hundreds of
// them, no status and no pod that is to be replaced: deletes of ChangeSets, whose keys begin with kDelete, and
// what is said of ChangeSets that are refused, with kRefusal. Among those that wait for their turn namespaces
// take turns: nobody's thousands hold up another's one.
//
// Loop thread only. A write that fails in a way that can be cured is tried again with the newest state;
// others are logged and given up.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "kube/api_server.h"
#include "run/loop.h"

namespace live_update {

class WriteQueue {
 public:
  static constexpr std::size_t kMostWrites = 16, kMostDeletes = 4, kMostRefusals = 4;  // under way
  // Keys are <kind>/<namespace>/<anything>.
  static constexpr std::string_view kDelete = "delete/", kRefusal = "refusal/";
  using Done = std::function<void(const Result<>&)>;

  // `on_error` hears of each failure: the request's path and the error.
  WriteQueue(Loop& loop, ApiServer& api, std::function<void(const std::string&, const Error&)> on_error);

  // Sends `request` after `delay`, unless a newer one for the same `key` takes its place before that: that
  // one is sent at the earlier of the two times. `done` hears when it has succeeded or was given up, but not
  // when a newer one took its place. What is deleted is gone, whoever did it: that is success.
  void put(const std::string& key, Request request, Millis delay = Millis(0), Done done = {});
  // What waits for `key` is sent after `delay`, be that sooner or later than it was to be.
  void set_delay(const std::string& key, Millis delay);
  // A request for `key` waits to be sent.
  bool waiting(const std::string& key) const;
  // One waits, is under way, or is to be tried again.
  bool unfinished(const std::string& key) const { return entries_.contains(key); }
  // Nothing is waiting or under way.
  bool idle() const { return entries_.empty(); }

 private:
  struct Write {
    Request request;
    Done done;
  };
  struct Entry {
    std::optional<Write> next;
    Instant due{};  // of `next`
    Handle timer, in_flight;
    int attempts = 0;
    bool queued = false;  // its time has come, but too many are under way
  };
  // Of one kind: those under way, and whose turn is next.
  struct Lane {
    const std::size_t most;
    std::size_t under_way = 0;
    std::map<std::string, std::deque<std::string>> queued;  // keys by namespace
    std::deque<std::string> turns;                          // namespaces that have some
    void add(const std::string& key);
    std::string take();
  };
  Lane& lane_of(const std::string& key);
  void due(const std::string& key);
  void set_due(const std::string& key, Entry& entry, Instant due);
  void arm(const std::string& key, Entry& entry);
  void send(std::string key);
  void answered(std::string key, Write sent, Result<Response> result);
  void settle(const std::string& key, Write sent, const Result<Response>& result);
  void try_again(const std::string& key, Entry& entry, Write sent);

  Loop& loop_;
  ApiServer& api_;
  std::function<void(const std::string&, const Error&)> on_error_;
  Lane writes_{kMostWrites}, deletes_{kMostDeletes}, refusals_{kMostRefusals};
  std::map<std::string, Entry> entries_;
};

}  // namespace live_update
