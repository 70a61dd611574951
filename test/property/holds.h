// A property: `holds(5'000, [](const Edits& first, const Luck& luck) { ... RC_ASSERT(...); })` in a TEST_CASE.
//
// It is tried with that many cases of the 100,000 that all of them have together (--cases), from one seed (--seed). A
// failure is made smaller, and says what it was and how to see it again.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "test/property/draw.h"

namespace live_update::property {

struct Options {
  std::uint64_t seed = 0;
  std::int64_t cases = 100'000;  // of all properties together
  bool distribution = false;     // print what the cases were like
  std::int64_t done = 0;         // cases so far
};
Options& options();

namespace detail {
void check(const rc::detail::Property& property, int share);
}  // namespace detail

template <typename Testable>
void holds(int share, Testable&& testable) {
  detail::check(rc::detail::toProperty(std::forward<Testable>(testable)), share);
}

}  // namespace live_update::property
