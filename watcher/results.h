// Results: what became of the batches we posted, as lines for people.
//
// Fed with every ChangeSet status that arrives; says each batch's end once, and before that what its runs
// print, and what it waits for if that takes longer than a second. A failure is said again only if it is
// another one. Times count from the save to the arrival of the status, both on our clock; but how long the
// operator has not answered counts from when it was stored. Pure: time is an argument.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "watcher/early_statuses.h"

namespace live_update {

class Results {
 public:
  // `timings`: each line says how long the stages of the way took.
  explicit Results(std::string session, bool timings = false)
      : timings_(timings), early_(std::move(session)) {}

  using Instant = std::chrono::steady_clock::time_point;
  struct Line {
    bool problem = false;
    std::string text;
    bool operator==(const Line&) const = default;
  };
  static constexpr std::chrono::seconds kPatience{1};          // before "waiting" is said
  static constexpr std::chrono::seconds kOperatorPatience{5};  // before a silent operator is
  static constexpr std::chrono::seconds kPause{10};            // between two lines about waiting

  // `parts` are stored `now`; `what` describes them; `saved` is when the first of the files was saved. The
  // status can have come before the answer to the post: then it is told now.
  std::vector<Line> posted(const std::vector<ChangeSetSpec>& parts, std::string what, Instant saved,
                           Instant now);

  // A ChangeSet as it is now; others' are ignored.
  std::vector<Line> status(const ChangeSet& change_set, Instant now);

  // It was deleted: nobody needs it any more.
  void removed(const std::string& change_set);

  // The sequences begin anew with this one.
  void start_over(std::int64_t next) { early_.start_over(next); }

  // What is to be said because time has passed; call it at `due`.
  std::vector<Line> tick(Instant now);
  std::optional<Instant> due() const;

  // Batches whose end is not known yet.
  std::size_t open() const { return batches_.size(); }
  // How the newest batch that ended did: true if it was applied or needed nothing. Nothing: none ended.
  std::optional<bool> last_ok() const { return last_ok_; }

 private:
  struct Batch {
    std::string what;
    Instant saved, stored;
    Instant due;          // to say what it waits for
    bool failed = false;  // said already; the next attempt may succeed
    ChangeSetStatus status;
    std::string said;
    std::optional<std::string> failure;   // that was said last: once, however many containers join in
    std::map<int, std::int64_t> printed;  // lines of each run's output, by step
  };
  using Map = std::map<std::string, Batch>;  // by the name of the last part

  static void say_output(Batch& batch, std::vector<Line>& lines);
  std::vector<Line> told(Map::iterator batch, const ChangeSetStatus& status, Instant now);
  std::vector<Line> tell(Map::iterator batch, Instant now);
  std::vector<Line> end(Map::iterator batch, bool problem, std::string text);
  std::vector<Line> say(Batch& batch, bool problem, std::string text);
  Map::const_iterator oldest() const;

  const bool timings_;
  Map batches_;
  EarlyStatuses early_;
  Instant quiet_until_{};
  std::optional<bool> last_ok_;
};

}  // namespace live_update
