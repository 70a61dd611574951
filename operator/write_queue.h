// Writes to the API server off the hot path: for each object only the newest state is sent, one request at a
// time (coalesced).
//
// Loop thread only. A write that fails in a way that can be cured is tried again with the newest state;
// others are logged and given up.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "kube/api_server.h"
#include "run/loop.h"

namespace live_update {

class WriteQueue {
 public:
  // `on_error` hears of each failure: the request's path and the error.
  WriteQueue(Loop& loop, ApiServer& api, std::function<void(const std::string&, const Error&)> on_error);

  // Sends `request` after `delay`, unless a newer one for the same `key` takes its place before that: that
  // one is sent at the earlier of the two times.
  void put(const std::string& key, Request request, Millis delay = Millis(0));
  // A request for `key` waits to be sent.
  bool waiting(const std::string& key) const;
  // Nothing is waiting or under way.
  bool idle() const { return entries_.empty(); }

 private:
  struct Entry {
    std::optional<Request> next;
    Instant due{};  // of `next`
    Handle timer, in_flight;
    int attempts = 0;
  };
  void arm(const std::string& key, Entry& entry);
  void send(std::string key);
  void answered(std::string key, Request sent, Result<Response> result);

  Loop& loop_;
  ApiServer& api_;
  std::function<void(const std::string&, const Error&)> on_error_;
  std::map<std::string, Entry> entries_;
};

}  // namespace live_update
