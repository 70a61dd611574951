// Publisher: posts the parts of a batch as ChangeSets, in order and exactly once in effect (rule 7.3).
//
// One batch at a time; a few of its parts are under way at once. A name is fixed by session and sequence, so
// posting again after a lost answer is harmless: "already exists" with equal content is success. With other
// content, the batch takes new sequences. What can be cured by waiting (no connection, overload, an expired
// token, a missing right) is tried again for ever, with a pause that grows to 5 s; `on_blocked` says so once
// for each kind of error, `on_unblocked` when it goes on. What cannot (the API server finds the ChangeSet invalid) ends the batch.
// Lives on the loop's thread; callbacks run there, `on_done` and `on_refused` may call `post`.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "core/api/kinds.h"
#include "kube/api_server.h"

namespace live_update {

class Publisher {
 public:
  struct Callbacks {
    // All parts are stored; they have their final sequences.
    std::function<void(const std::vector<ChangeSetSpec>&)> on_done;
    std::function<void(const std::vector<ChangeSetSpec>&, const Error&)> on_refused;
    std::function<void(const Error&)> on_blocked;
    std::function<void()> on_unblocked;
  };

  // `owner` is the LiveUpdate (namespace, name, uid): garbage collection removes the ChangeSets with it.
  // `next` is the first sequence to use.
  Publisher(Loop& loop, ApiServer& api, ObjectMeta owner, std::int64_t next, Callbacks callbacks);

  bool idle() const { return parts_.empty(); }
  // Only when idle. Numbers the parts, and notes in each when it was sent for the first time.
  void post(std::vector<ChangeSetSpec> parts);

  // Somebody used this sequence: ours begin after it.
  void saw_sequence(std::int64_t sequence) { next_ = std::max(next_, sequence + 1); }
  std::int64_t next_sequence() const { return next_; }
  // The API server is reachable again: try at once, not after the pause.
  void retry_now();

 private:
  enum class State { Waiting, UnderWay, Stored };
  struct Part {
    State state = State::Waiting;
    Handle request;
  };

  void begin();
  void fill_window();
  void send(std::size_t index);
  void answered(std::size_t index, Result<Response> answer);
  void compare(std::size_t index);
  void compared(std::size_t index, Result<Response> answer);
  void unblock();
  void stored(std::size_t index);
  void failed(std::size_t index, const Error& error);
  std::string collection() const;
  std::string body(const ChangeSetSpec& spec) const;

  Loop& loop_;
  ApiServer& api_;
  const ObjectMeta owner_;
  const Callbacks callbacks_;
  std::int64_t next_ = 1;
  std::vector<ChangeSetSpec> parts_;
  std::vector<Part> states_;
  std::set<ErrorKind> blocked_;  // by what, since the last success
  Millis pause_{0};
  Handle retry_;
};

}  // namespace live_update
