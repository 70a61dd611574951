// Publisher: posts the parts of a batch as ChangeSets, in order and exactly once in effect (rule 7.3).
//
// One batch at a time; a few of its parts are under way at once. A name is fixed by session and sequence, so
// posting again after a lost answer is harmless: "already exists" with equal content is success. With other
// content, the batch takes new sequences. What can be cured by waiting (no connection, overload, an expired
// token, a missing right) is tried again for ever, with a pause that grows to 5 s; `on_blocked` says so once
// for each kind of error, `on_unblocked` when it goes on.
//
// A ChangeSet that the API server refuses (its schema, admission) is mended in its place, so that the rest of
// the batch goes, together, and its sequence has no hole: dry runs with halves of it find the changes that are
// refused (watcher/division.h), and it is posted without them. Refused whatever it holds, it waits as for a
// missing right. Where dry runs are not possible (webhooks may refuse them), it is posted itself with one half of
// its changes, and the other half is left out for a moment. Lives on the loop's thread; callbacks run
// there, `on_done` and `on_given_up` may call `post`.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/api/kinds.h"
#include "kube/api_server.h"
#include "watcher/division.h"
#include "watcher/refusals.h"

namespace live_update {

class Publisher {
 public:
  struct Callbacks {
    // All parts are stored; they have their final sequences.
    std::function<void(const std::vector<ChangeSetSpec>&)> on_done;
    // These are not part of the batch any more; it goes on without them.
    std::function<void(const std::vector<LeftOut>&)> on_left_out;
    // Nothing of the batch is of effect; what is not left out must be posted anew. TooLarge: in smaller parts.
    // `torn`: some parts are stored, so that there is a hole behind them, which only a Snapshot closes.
    std::function<void(const std::vector<ChangeSetSpec>&, const Error&, bool torn)> on_given_up;
    std::function<void(const Error&)> on_blocked;
    std::function<void()> on_unblocked;
  };

  // `owner` is the LiveUpdate (namespace, name, uid): garbage collection removes the ChangeSets with it.
  // `next` is the first sequence to use.
  Publisher(Loop& loop, ApiServer& api, ObjectMeta owner, std::int64_t next, Callbacks callbacks);

  bool idle() const { return parts_.empty(); }
  // Only when idle. Numbers the parts, and notes in each when it was sent for the first time. `smallest`: they
  // cannot be made smaller.
  void post(std::vector<ChangeSetSpec> parts, bool smallest = false);

  // Somebody used this sequence: ours begin after it.
  void saw_sequence(std::int64_t sequence) {
    seen_ = std::max(seen_, sequence);
    next_ = std::max(next_, sequence + 1);
  }
  std::int64_t next_sequence() const { return next_; }
  // The sequences begin anew: whatever was seen counts for nothing.
  void start_over(std::int64_t next) { next_ = next, seen_ = next - 1; }
  // The API server is reachable again: what waits for that is tried at once, not after the pause.
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
  void wait(const Error& error);
  // Of a part that was refused: what it is that is refused, and the batch without that.
  void divide();
  void tried(Result<Response> answer);
  void mend();
  void halve();
  bool leave_out(const std::vector<LeftOut>& left_out);
  void give_up(Error error);
  bool under_way() const;
  bool anything_stored() const;
  std::string collection() const;
  std::string body(const ChangeSetSpec& spec) const;
  Request request_for(const ChangeSetSpec& spec) const;

  Loop& loop_;
  ApiServer& api_;
  const ObjectMeta owner_;
  const Callbacks callbacks_;
  std::int64_t next_ = 1, seen_ = 0;
  bool smallest_ = false;
  std::vector<ChangeSetSpec> parts_;
  std::vector<Part> states_;
  std::set<ErrorKind> blocked_;  // by what, since the last success
  struct Refused {
    std::size_t index;
    Error error;
    Division division;
    Handle request;
  };
  std::optional<Refused> refused_;  // the part that is being divided
  int futile_ = 0;                  // times that this found nothing, since the last success
  std::int64_t stored_ = 0;         // parts, ever
  // Paths that were refused, perhaps together with others, where nothing can be tried; and what was stored by then.
  std::map<std::string, std::int64_t> suspects_;
  Millis pause_{0};
  bool reachable_ = false;  // it waits for something else
  Handle retry_;
};

}  // namespace live_update
