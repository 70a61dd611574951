#include "operator/held_rules.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

LiveUpdate numbered(int number, std::int64_t generation = 1) {
  LiveUpdate it;
  it.meta.uid = "u" + std::to_string(number);
  it.meta.generation = generation;
  it.spec.source.context = {"."};
  it.spec.source.ignore = {"*" + std::to_string(number)};
  return it;
}

constexpr int kMost = static_cast<int>(HeldRules::kMost);

// Whether what was looked up of `path` by these rules is the same as before: then they were held.
bool held(HeldRules& rules, const LiveUpdate& it, const PathRules::Said* said) {
  return &rules.of(it).of("path") == said;
}

}  // namespace

TEST_CASE("those that were asked for last are held") {
  HeldRules rules;
  const auto first = numbered(0), second = numbered(1);
  CHECK(rules.of(first).ignored("a0"));
  CHECK_FALSE(rules.of(second).ignored("a0"));
  const auto* said = &rules.of(first).of("path");
  for (int i = 2; i < kMost; ++i) rules.of(numbered(i));
  CHECK(held(rules, first, said));
  rules.of(numbered(kMost));
  CHECK(rules.size() == HeldRules::kMost);
  CHECK(held(rules, first, said));
  CHECK(rules.of(second).ignored("a1"));
  rules.drop("u0");
  CHECK(rules.size() == HeldRules::kMost - 1);
}

TEST_CASE("another generation has other rules") {
  HeldRules rules;
  rules.of(numbered(0));
  LiveUpdate changed = numbered(0, 2);
  changed.spec.source.ignore = {"b"};
  CHECK(rules.of(changed).ignored("b"));
  CHECK_FALSE(rules.of(changed).ignored("a0"));
  CHECK(rules.size() == 1);
}

TEST_CASE("what goes on keeps what was looked up, however many come between") {
  HeldRules rules;
  const auto first = numbered(0);
  const auto* said = &rules.of(first).of("path");
  rules.goes_on("u0");
  for (int i = 1; i < 3 * kMost; ++i) rules.of(numbered(i));
  CHECK(held(rules, first, said));
  rules.rests("u0", true);
  for (int i = 1; i < 3 * kMost; ++i) rules.of(numbered(i));
  CHECK(rules.size() == HeldRules::kMost);
}

TEST_CASE("where too many go on, others still have their turn, and no more are held") {
  HeldRules rules;
  for (int i = 0; i < 3 * kMost; ++i) {
    rules.of(numbered(i));
    rules.goes_on("u" + std::to_string(i));
    CHECK(rules.size() <= HeldRules::kMost);
  }
  const auto* said = &rules.of(numbered(0)).of("path");
  CHECK(rules.of(numbered(500)).ignored("a500"));
  CHECK(held(rules, numbered(0), said));
}
