// Forgetting: when it need not be remembered any more that a path is gone (rule 7.5). Pure.
//
// How it works. That a path is gone is remembered because something may still have it: an image, or a container. No image
// has what began with ChangeSets (History::beginning), unless it was made meanwhile. And of the containers those that are
// targets confirm the deletion before anything is merged (core/desired/checkpoint.h). What is left are those that are no
// targets any more: with a claim, or as another container of the same pod, one may come back with the files that it had.
// So whatever could bring a path back is noted as departed: it had confirmed one sequence and may have got all up to
// another one, and what began by the latter and was deleted after the former is remembered for good. That holds for a
// container that went; for an image that is seen for the first time, and for rules by which a deletion led nowhere, which
// have confirmed nothing; and for what an operator cannot know that takes over. A Checkpoint tells what is still new, so
// nobody has to know of the departed ones before it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/checkpoint.h"
#include "core/desired/history.h"
#include "core/desired/targets.h"
#include "core/reconcile/lane.h"

namespace live_update {

struct CheckedSpec;

class Forgetting {
 public:
  Forgetting() = default;
  // What another operator, or this one before it ended, has noted.
  explicit Forgetting(const LiveUpdateStatus& status) : taken_over_(status) {}

  // Once in each look, while `lanes` still has those of containers that are gone. In the status at the API server may be
  // what another operator has noted.
  void look(const LiveUpdate& live_update, const CheckedSpec& checked, const History& history,
            const TargetSearch& search, const Lanes& lanes);

  MayForget may_forget() const;
  ForgettingStatus status() const;

 private:
  void take_over(const LiveUpdateStatus& status);
  void take_told(const ForgettingStatus& told);
  void follow_images(const TargetSearch& search);
  void follow_targets(const TargetSearch& search, const Lanes& lanes, const std::string& rules);
  void depart(DepartedStatus departed);

  std::optional<LiveUpdateStatus> taken_over_;  // until the first look
  bool deletes_ = false;                        // containers are told of deletions
  std::int64_t newest_ = 0;                     // of the history
  std::int64_t first_ = 0;                      // what began before that, nobody asks about any more
  std::string rules_;
  std::set<std::string> images_;  // digests
  std::vector<DepartedStatus> departed_;
  struct Seen {
    std::string place;
    bool has_volumes = false;
    std::int64_t since =
        0;  // the newest sequence when it was seen first: of what was gone by then it got nothing
  };
  std::map<std::string, Seen> seen_;  // the targets of the last look, by container ID
};

}  // namespace live_update
