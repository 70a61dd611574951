#include "watcher/division.h"

#include <doctest/doctest.h>

#include <set>

using namespace live_update;

namespace {

// What comes of a list of which some are refused; how many tries it took.
struct Tried {
  Division division;
  int tries = 0;

  Tried(std::size_t size, const std::set<std::size_t>& bad, bool even_nothing = false) : division(size) {
    while (const auto range = division.next()) {
      ++tries;
      const auto first = bad.lower_bound(range->begin);
      if (even_nothing || (first != bad.end() && *first < range->end))
        division.refused({ErrorKind::Invalid, std::to_string(range->begin)});
      else
        division.accepted();
    }
  }
  std::set<std::size_t> found() const {
    std::set<std::size_t> all;
    for (const auto& it : division.refused()) all.insert(it.index);
    return all;
  }
};

}  // namespace

TEST_CASE("what is refused is found by halving, with the words of its own refusal") {
  const Tried one(1000, {712});
  CHECK(one.found() == std::set<std::size_t>{712});
  CHECK(one.division.refused()[0].error.message == "712");
  CHECK(one.division.undecided().empty());
  CHECK(one.tries <= 22);
  CHECK(Tried(1000, {0, 1, 999}).found() == std::set<std::size_t>{0, 1, 999});
  CHECK(Tried(1, {0}).found() == std::set<std::size_t>{0});
}

TEST_CASE("refused whatever it holds: one try, and nobody is to blame") {
  const Tried all(1000, {}, true);
  CHECK(all.tries == 1);
  CHECK(all.division.hopeless());
  CHECK(all.found().empty());
}

TEST_CASE("accepted this time: nothing is left out") {
  const Tried none(10, {});
  CHECK(none.tries == 2);
  CHECK_FALSE(none.division.hopeless());
  CHECK(none.found().empty());
  CHECK(Tried(0, {}).found().empty());
}

TEST_CASE("many that are refused: the tries are bounded, and the rest stays undecided") {
  std::set<std::size_t> bad;
  for (std::size_t i = 0; i < 1000; ++i) bad.insert(i);
  const Tried all(1000, bad);
  CHECK(all.tries == Division::kMostTries + 1);
  std::size_t undecided = 0;
  for (const auto& range : all.division.undecided()) undecided += range.end - range.begin;
  CHECK(undecided + all.found().size() == 1000);
  CHECK(all.found().size() > 20);
}
