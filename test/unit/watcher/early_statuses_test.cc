#include "watcher/early_statuses.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

ChangeSet told(const std::string& session, std::int64_t sequence, const std::string& phase = "Applied") {
  ChangeSet it;
  it.spec.session = session;
  it.spec.sequence = sequence;
  it.status.phase = phase;
  return it;
}

}  // namespace

TEST_CASE("7.3 whatever others send, and by whatever name, our own status is kept until the answer comes") {
  EarlyStatuses early("aaa");
  early.keep(told("aaa", 7, "Refused"));
  for (std::int64_t i = 1; i < 5000; ++i) {
    early.keep(told("zzz", i));
    early.keep(told("aa", i));
  }
  CHECK(early.size() == 1);
  REQUIRE(early.take(7));
  CHECK_FALSE(early.take(7));
}

TEST_CASE("what is known to be stored is not early, and the bound drops the oldest") {
  EarlyStatuses early("aaa");
  early.keep(told("aaa", 4));
  early.known(5);
  early.keep(told("aaa", 5));
  early.keep(told("aaa", 6, ""));
  CHECK(early.size() == 0);
  for (std::int64_t i = 0; i < 1000; ++i) early.keep(told("aaa", 9999 - i));
  CHECK(early.size() == EarlyStatuses::kMost);
  CHECK_FALSE(early.take(9000));
  CHECK(early.take(9999)->phase == "Applied");
}

TEST_CASE("7.3 where the sequences begin anew, what comes early is kept as ever") {
  EarlyStatuses early("aaa");
  early.known(40'000);
  early.start_over(4);
  early.keep(told("aaa", 3));
  early.keep(told("aaa", 4));
  CHECK(early.size() == 1);
  CHECK(early.take(4));
}

// Names come again then. What is heard of the older ones is no word on those that are under way.
TEST_CASE("7.3 where the sequences begin anew, those from before are told by their UID") {
  EarlyStatuses early("aaa");
  ChangeSet older = told("aaa", 5, "Refused");
  older.meta.uid = "older";
  early.keep(older);
  early.known(5);
  early.start_over(4);
  early.keep(older);
  CHECK(early.is_older(older));
  CHECK_FALSE(early.take(5));
  early.removed(older);
  CHECK_FALSE(early.take_removed(5));
  ChangeSet newer = told("aaa", 5, "");
  newer.meta.uid = "newer";
  early.keep(newer);
  early.removed(newer);
  CHECK(early.take_removed(5));
}
