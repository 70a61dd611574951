// Refusals: what the API server would not take (rule 7.2: nothing is lost, and nothing is tried without end).
//
// A change that was refused is not sent again while the path is as it was then, until the rules change or the
// next start; what could not be tried alone is, after a pause. In a Snapshot such paths are unknown (rule 7.6):
// the containers have of them what they had before. Pure: time is an argument.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/desired/tree.h"
#include "core/desired/unknown.h"

namespace live_update {

// A change that was taken out of its batch.
struct LeftOut {
  Change change;  // without content
  std::string why;
  bool alone = true;  // it was refused itself; else together with others, and has to be tried again
  bool soon = false;  // as soon as anything is taken
};

class Refusals {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  // Before what was not refused alone is tried again: longer with each time that more of it is left.
  static constexpr std::chrono::seconds kPause{5}, kLongestPause{60};

  void add(const std::vector<LeftOut>& left_out, Instant now);
  // Takes out what is as it was when it was refused; what has changed since is forgotten here.
  void sift(std::vector<Change>& changes);
  // The same for a Snapshot of `tree`, which names it as unknown.
  void spare(std::vector<Change>& changes, Unknowns& unknown, const Tree& tree);

  // Deletes that are not sent.
  std::vector<Change> deletes() const;

  // When `take_due` has something.
  std::optional<Instant> due() const;
  // What is to be tried again.
  std::set<std::string> take_due(Instant now);
  // What may be tried again at once, because something was `taken`; or because one was found that is perhaps to
  // blame, so many times until something is taken.
  static constexpr int kHurries = 16;
  std::set<std::string> take_soon(bool taken);
  // Everything may be tried again.
  std::set<std::string> take_all();

 private:
  struct Refused {
    Change change;
    std::optional<Instant> again;
    bool soon = false;
  };
  std::map<std::string, Refused> refused_;
  std::chrono::seconds pause_{0};
  int hurries_ = kHurries;
};

// Lines for people: the paths, the words of the server, what to do.
std::vector<std::string> say_left_out(const std::vector<LeftOut>& left_out);

}  // namespace live_update
