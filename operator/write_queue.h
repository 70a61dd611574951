// Writes to the API server off the hot path: for each object only the newest state is sent, one request at a
// time (coalesced).
//
// Few are under way at once: each at a time is a TLS connection of its own, which costs both ends more than
// the write, and is kept for a while. Deletes of ChangeSets, whose keys begin with kDelete, wait by
// themselves, so that nothing waits behind hundreds of them: no status, and no pod that is to be replaced.
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
  static constexpr std::size_t kMostWrites = 16, kMostDeletes = 4;  // under way
  static constexpr std::string_view kDelete = "delete/";

  // `on_error` hears of each failure: the request's path and the error.
  WriteQueue(Loop& loop, ApiServer& api, std::function<void(const std::string&, const Error&)> on_error);

  // Sends `request` after `delay`, unless a newer one for the same `key` takes its place before that: that
  // one is sent at the earlier of the two times.
  void put(const std::string& key, Request request, Millis delay = Millis(0));
  // A request for `key` waits to be sent.
  bool waiting(const std::string& key) const;
  // One waits, is under way, or is to be tried again.
  bool unfinished(const std::string& key) const { return entries_.contains(key); }
  // Nothing is waiting or under way.
  bool idle() const { return entries_.empty(); }

 private:
  struct Entry {
    std::optional<Request> next;
    Instant due{};  // of `next`
    Handle timer, in_flight;
    int attempts = 0;
    bool queued = false;  // its time has come, but too many are under way
  };
  // Of one kind: those under way, and whose turn is next.
  struct Lane {
    const std::size_t most;
    std::size_t under_way = 0;
    std::deque<std::string> queued;
  };
  Lane& lane_of(const std::string& key) { return key.starts_with(kDelete) ? deletes_ : writes_; }
  void due(const std::string& key);
  void arm(const std::string& key, Entry& entry);
  void send(std::string key);
  void answered(std::string key, Request sent, Result<Response> result);
  void settle(const std::string& key, Request sent, Result<Response> result);

  Loop& loop_;
  ApiServer& api_;
  std::function<void(const std::string&, const Error&)> on_error_;
  Lane writes_{kMostWrites}, deletes_{kMostDeletes};
  std::map<std::string, Entry> entries_;
};

}  // namespace live_update
