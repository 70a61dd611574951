// What the rules of one spec say of a path by itself: whether it is ignored, and what matches it.
//
// Comparing a path with all patterns is what a plan spends its time on, and whoever writes the paths decides
// how much. So it is looked up once for each path, and whoever must not stand still for long prepares paths
// first, piece by piece, within a budget. Work is counted in units that depend on the paths and patterns
// alone, not on a clock. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/api/kinds.h"
#include "core/rules/ignore_rules.h"
#include "core/rules/pattern.h"

namespace live_update {

class HostTree;

// About a nanosecond or two for each unit.
struct WorkBudget {
  std::uint64_t left = static_cast<std::uint64_t>(-1);
  // False: there is nothing left, do it another time. The last one may take more than there is.
  bool take(std::uint64_t cost) {
    if (left == 0) return false;
    left -= cost < left ? cost : left;
    return true;
  }
};

class PathRules {
 public:
  // The spec may go; the rules are shared, because what is said points into them.
  PathRules(const LiveUpdateSpec& spec, std::shared_ptr<const IgnoreRules> ignore);

  struct Said {
    IgnoreRules::Verdict ignored;
    bool inside = false;                // in the context
    const std::string* stop = nullptr;  // the fallBackOn entry that matches, with its field
    bool always = false;                // a trigger of a run with `when: Always` matches
    std::vector<int> triggered;         // steps of which a trigger matches
  };
  // Remembered until `forget`.
  const Said& of(const std::string& path);
  // The same of a path that is asked for once.
  bool ignored(const std::string& path);
  // Looks up all that a plan of these changes may ask for. False: the budget was not enough; what was done is
  // remembered.
  bool prepare(const SharedList<Change>& changes, const HostTree& host, WorkBudget& budget);
  void forget();

 private:
  // The entries of one fallBackOn or of one list of triggers, each with its field.
  struct List {
    int step = 0;
    bool always = false;
    std::vector<PathPattern> patterns;
    std::vector<std::string> by;
  };
  void add(std::vector<List>& lists, const std::vector<std::string>& texts, int step, std::string_view field);
  enum class Owner { Us, Others };
  const Said& note(const std::string& path, Owner owner);
  bool prepare(const std::string& path, WorkBudget& budget);
  Said look_up(const std::string& path);

  std::shared_ptr<const IgnoreRules> ignore_;
  IgnoreRules::Cursor cursor_;
  std::vector<std::string> context_;
  std::vector<List> stops_, triggers_;
  std::uint64_t cost_ = 1;  // of one character
  std::unordered_map<std::string_view, Said> said_;
  // Where these paths are: they are long, and mostly others have them already.
  std::deque<std::string> own_;
  std::vector<std::shared_ptr<const std::vector<Change>>> of_others_;
};

}  // namespace live_update
