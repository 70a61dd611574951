// Which pods may be deleted for one LiveUpdate, and when: a bound and a back-off that hold whatever asks for
// it (rule 4.8). Pure.
//
// For one save each pod that there is may go once. Where the pods that take their place are to go as well,
// something is wrong that deleting does not cure: that has a pause, which doubles, and an end, until the next
// save. Saves in a row have a limit of their own. A pod is its uid: a deletion is asked for once, and again,
// after a pause, if it was refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "core/reconcile/rate_limit.h"

namespace live_update {

class PodDeletions {
 public:
  using Instant = RateLimit::Instant;
  using Millis = RateLimit::Millis;
  static constexpr int kRounds = 4;  // for one save: so often may the place of a pod be emptied
  static constexpr Millis kFirstPause{10'000}, kLongestPause{300'000};
  static constexpr Millis kFirstRetry{1'000};  // after a refusal; doubles up to kLongestPause
  static constexpr int kSavesAtOnce = 5;
  static constexpr Millis kSavePeriod{10'000};

  struct Verdict {
    enum Kind {
      Delete,  // now
      Asked,   // that was asked for already
      Wait,    // ask again at `when`
      Never    // not before the next save
    } kind = Delete;
    Instant when{};
    std::string why;       // of Wait and Never, for people: "4 pods were deleted for sequence 7 already"
    bool refused = false;  // it waits because the API server said no
  };
  // For the save of this sequence.
  Verdict verdict(const std::string& uid, std::int64_t sequence, Instant now) const;

  // The deletion of a pod is being asked for; `pods` is how many pods there are.
  void asked(const std::string& uid, std::int64_t sequence, std::size_t pods, Instant now);
  // It was refused; `why` is the API server's word.
  void refused(const std::string& uid, const std::string& why, Instant now);
  // Forgets all pods but these.
  void keep(const std::set<std::string>& uids);

 private:
  struct Pod {
    int refusals = 0;
    std::string why;
    Instant not_before{};  // after a refusal
    bool under_way = true;
  };
  Millis pause() const;

  std::map<std::string, Pod> pods_;  // by uid
  std::int64_t sequence_ = 0;        // of the save that pods were deleted for last
  std::size_t left_ = 0;             // pods that may go in this round
  int round_ = 0, deleted_ = 0;      // for that save
  Instant round_began_{};
  RateLimit saves_{kSavesAtOnce, kSavePeriod};
};

}  // namespace live_update
