// List and watch of one kind of object, as a state machine (client-go's reflector, kube-rs' watcher). Pure:
// no I/O, no clock.
//
// The shell (kube/reflector.h) carries out the command that each step returns and reports what came of it as
// the next input.
//
//   Idle --Begin--> Listing --last page--> Watching --cut, or the server's time is over--.
//                      ^                      ^  |                                       |
//                      |                      '--|--- Idle, from the last version <------'
//                      '-- 410 Gone: too old ----'    everything is listed again
//
// Guarantees: events between ListBegins and ListEnds describe a complete list, so a store can swap it in as
// one; after that each Applied and Removed is newer than what was before. Nothing is lost by a cut stream, a
// lost bookmark or an expired version.
#pragma once

#include <rapidjson/document.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/result.h"

namespace live_update {

class Informer {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using Millis = std::chrono::milliseconds;
  using Object = std::shared_ptr<const rapidjson::Value>;  // one whole object, apiVersion and kind included

  // What the shell reports.
  struct Begin {};  // at the start, and when the time of a Wait has come
  struct Page {
    std::string body;  // the answer to a List
  };
  struct ListFailed {
    Error error;
  };
  struct Line {
    std::string text;  // of the watch
  };
  struct WatchEnded {
    Result<> how;
  };
  using Input = std::variant<Begin, Page, ListFailed, Line, WatchEnded>;

  // What happened to the objects.
  struct ListBegins {};
  struct Applied {  // added, changed, or part of a list
    Object object;
  };
  struct Removed {
    Object object;  // its last state
  };
  struct ListEnds {};
  using Event = std::variant<ListBegins, Applied, Removed, ListEnds>;

  // What the shell is to do next; whatever was under way before is to be dropped.
  struct List {
    std::string continue_token;  // of the page before; empty: the first page
    int limit = 0;               // objects per page; 0: all at once
  };
  struct Watch {
    std::string resource_version;
    int timeout_seconds = 0;  // the server ends the watch then
  };
  struct Wait {
    Instant until;  // then: Begin
  };
  using Command = std::variant<List, Watch, Wait>;

  struct Step {
    std::vector<Event> events;
    std::optional<Command> command;  // nothing: go on with what is under way
    std::optional<Error> problem;    // for the log: why it waits or lists again
  };

  // `jitter` in [0, 1): spreads the retries of many informers; the shell draws it, tests choose it.
  Step step(Input input, Instant now, double jitter);

  // The first list has come in whole.
  bool synced() const { return synced_; }

  static constexpr int kPageSize = 500;
  // A page that is larger makes the next one smaller, and the reverse: large objects do not come by the
  // hundred.
  static constexpr std::size_t kLargePage = 4 << 20;

  // `first_page`: how many objects are asked for first.
  explicit Informer(int first_page = kPageSize) : first_page_(first_page), limit_(first_page) {}
  static constexpr Millis kFirstDelay{200}, kMaxDelay{30'000};
  // A watch that lived that long was fine: its end is no failure.
  static constexpr Millis kHealthyWatch{1'000};

 private:
  // Nothing is under way. `resource_version` empty: the next Begin lists; else it watches on from there.
  struct Idle {
    std::string resource_version;
  };
  // Pages are coming in; the events of those that came are out already.
  struct Listing {
    bool begun = false;  // the first page is there
    int limit = kPageSize;
    std::string continue_token;
  };
  // Everything up to `resource_version` was reported.
  struct Watching {
    std::string resource_version;
    Instant since;
  };
  using State = std::variant<Idle, Listing, Watching>;

  Step begin(Instant now, double jitter);
  Step page(Listing listing, std::string body, Instant now, double jitter);
  Step list_failed(const Listing& listing, Error error, Instant now, double jitter);
  Step line(Watching& watching, std::string text, Instant now, double jitter);
  Step error_event(const Watching& watching, const rapidjson::Value& object, Instant now, double jitter);
  Step watch_ended(const Watching& watching, Result<> how, Instant now, double jitter);
  Step watch_from(std::string resource_version, Instant now, double jitter);
  Step list_again(Error why, const Watching& watching, Instant now, double jitter);
  Step wait(std::string resource_version, Error why, Instant now, double jitter);
  Millis next_delay(double jitter);

  static int next_limit(int limit, std::size_t bytes);

  State state_ = Idle{};
  bool synced_ = false;
  int failures_ = 0;  // in a row, for the backoff
  int first_page_;
  int limit_;  // of the next list
};

}  // namespace live_update
