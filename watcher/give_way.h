// GiveWay: when another session's ChangeSets go first (rule 7.3).
//
// Two sessions may use one sequence, and the operator takes what it sees first. Of two that post at different
// paces the slower one would lose for ever. So whoever hears that another session's batch was displaced, or
// sees only a part of one, posts nothing until that has come. Bounded: the wait ends kPatience after the last
// sign of it, and kLongest after the first. Who waits loses nothing: what is saved goes in one batch, later.
// Pure: time is an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/api/kinds.h"

namespace live_update {

class GiveWay {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kPatience{1000};  // longer than who was displaced pauses
  static constexpr std::chrono::seconds kLongest{10};

  // A ChangeSet of another session as it is now. `newest` is what this one has posted last: parts at or below
  // are of batches that are over.
  void saw(const ChangeSet& other, std::int64_t newest, Instant now);

  // Nothing may be posted before; nothing: go on. `displaced`: so was the last batch of this session. Then it
  // waits for no other in the same case, as both would wait for each other.
  std::optional<Instant> until(Instant now, bool displaced) const;

 private:
  struct Awaited {
    std::int64_t displaced = 0;  // the newest sequence of its batches that were
    bool unfinished = false;     // a part has come, and is what is waited for
    Instant since{}, until{};    // over when `until` is
  };
  static void await(Awaited& awaited, bool unfinished, Instant now);

  std::map<std::string, Awaited> sessions_;
};

}  // namespace live_update
