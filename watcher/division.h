// Division: which entries of a list somebody will not take, found by trying parts of it.
//
// First none of them is tried: what is refused then is refused whatever the entries, and nothing can be found.
// Then all, and what is refused is halved until single entries are known. Bounded: after kMostTries the rest
// stays undecided. Pure; who tries is the caller.
//
//   Division division(list.size());
//   while (const auto range = division.next()) try_it(*range) ? division.accepted() : division.refused(why);
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace live_update {

class Division {
 public:
  static constexpr int kMostTries = 64;

  struct Range {
    std::size_t begin = 0, end = 0;
    bool operator==(const Range&) const = default;
  };
  struct Refused {
    std::size_t index = 0;
    Error error;
    bool operator==(const Refused&) const = default;
  };

  explicit Division(std::size_t size) : waiting_{{0, size}} {}

  // What to try next, without the others; nothing: it is over.
  std::optional<Range> next() const;
  void accepted();
  void refused(const Error& error);

  // It is known whether even nothing is refused.
  bool probed() const { return probed_ || hopeless_; }
  // Even nothing was refused.
  bool hopeless() const { return hopeless_; }
  const std::vector<Refused>& refused() const { return refused_; }
  // What was refused together, and not divided any more.
  const std::vector<Range>& undecided() const { return undecided_; }

 private:
  bool probed_ = false, hopeless_ = false;
  int tries_ = 0;
  std::vector<Range> waiting_;  // the next one last
  std::vector<Refused> refused_;
  std::vector<Range> undecided_;
};

}  // namespace live_update
