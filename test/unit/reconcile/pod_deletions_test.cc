// Pods that are deleted for one LiveUpdate: bounded, with a back-off (rule 4.8).
#include "core/reconcile/pod_deletions.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

using Verdict = PodDeletions::Verdict;
constexpr std::chrono::seconds kSecond{1};

struct Given {
  bool remove(const std::string& uid, std::int64_t sequence, std::size_t pods = 1) {
    if (deletions.verdict(uid, sequence, now).kind != Verdict::Delete) return false;
    deletions.asked(uid, sequence, pods, now);
    return true;
  }
  PodDeletions deletions;
  PodDeletions::Instant now{};
};

}  // namespace

TEST_CASE("for one save each pod goes once, and is asked for once") {
  Given g;
  for (const char* uid : {"a", "b", "c"}) CHECK(g.remove(uid, 1, 3));
  CHECK(g.deletions.verdict("a", 1, g.now).kind == Verdict::Asked);
  CHECK(g.deletions.verdict("d", 1, g.now).kind == Verdict::Wait);
}

TEST_CASE("those that took their place wait, twice as long each time, and in the end for the next save") {
  Given g;
  CHECK(g.remove("a", 1));
  for (int round = 1; round < PodDeletions::kRounds; ++round) {
    const std::string uid = "a" + std::to_string(round);
    const Verdict verdict = g.deletions.verdict(uid, 1, g.now);
    REQUIRE(verdict.kind == Verdict::Wait);
    CHECK(verdict.when - g.now == PodDeletions::kFirstPause * (1 << (round - 1)));
    g.now = verdict.when - kSecond;
    CHECK_FALSE(g.remove(uid, 1));
    g.now += kSecond;
    CHECK(g.remove(uid, 1));
  }
  g.now += 24 * 3600 * kSecond;
  CHECK(g.deletions.verdict("z", 1, g.now).kind == Verdict::Never);
  CHECK(g.deletions.verdict("z", 1, g.now).why == "4 pods were deleted for sequence 1 already");
  CHECK(g.remove("z", 2));
}

TEST_CASE("saves in a row have a limit, too") {
  Given g;
  std::int64_t sequence = 0;
  while (g.remove("pod-" + std::to_string(sequence), sequence + 1)) ++sequence;
  CHECK(sequence == PodDeletions::kSavesAtOnce);
  const Verdict verdict = g.deletions.verdict("next", sequence + 1, g.now);
  CHECK(verdict.kind == Verdict::Wait);
  CHECK(verdict.when - g.now == PodDeletions::kSavePeriod);
}

TEST_CASE("a refused deletion is asked for again, after a pause that grows, and costs nothing") {
  Given g;
  CHECK(g.remove("a", 1));
  auto pause = PodDeletions::kFirstRetry;
  for (int i = 0; i < 12; ++i) {
    g.deletions.refused("a", "forbidden", g.now);
    const Verdict verdict = g.deletions.verdict("a", 1, g.now);
    CHECK(verdict.kind == Verdict::Wait);
    CHECK(verdict.refused);
    CHECK(verdict.why == "forbidden");
    CHECK(verdict.when - g.now == pause);
    pause = std::min(PodDeletions::kLongestPause, 2 * pause);
    g.now = verdict.when;
    CHECK(g.remove("a", 1));
  }
}

TEST_CASE("pods that are gone are forgotten, what was deleted is not") {
  Given g;
  CHECK(g.remove("a", 1));
  g.deletions.keep({"b"});
  CHECK(g.deletions.verdict("a", 1, g.now).kind == Verdict::Wait);
}
