#include "watcher/give_way.h"

#include <doctest/doctest.h>

using namespace live_update;
using namespace std::chrono_literals;

namespace {

const GiveWay::Instant kNow{1h};

ChangeSet other(std::int64_t sequence, const std::string& phase = "", const std::string& message = "",
                int part = 1, int parts = 1, const std::string& session = "b") {
  ChangeSet it;
  it.spec.session = session;
  it.spec.sequence = sequence;
  it.spec.part = part;
  it.spec.parts = parts;
  it.status.phase = phase;
  it.status.message = message;
  return it;
}

ChangeSet used(std::int64_t sequence, const std::string& session = "b") {
  return other(sequence, "Refused", "sequence 5 is already used by another ChangeSet", 1, 1, session);
}

}  // namespace

TEST_CASE("7.3 another's batch that was displaced goes first, for a bounded time") {
  GiveWay way;
  CHECK_FALSE(way.until(kNow, false));
  way.saw(other(4), 5, kNow);
  CHECK_FALSE(way.until(kNow, false));
  way.saw(used(5), 5, kNow);
  CHECK(way.until(kNow, false) == kNow + GiveWay::kPatience);
  way.saw(used(5), 5, kNow + 900ms);  // is no news
  CHECK(way.until(kNow + 900ms, false) == kNow + GiveWay::kPatience);
  CHECK_FALSE(way.until(kNow + GiveWay::kPatience, false));
  way.saw(used(6), 6, kNow + 2s);
  CHECK(way.until(kNow + 2s, false));
  way.saw(other(7), 6, kNow + 2s);
  CHECK_FALSE(way.until(kNow + 2s, false));
  way.saw(used(6), 7, kNow + 2s);
  CHECK_FALSE(way.until(kNow + 2s, false));
}

TEST_CASE("7.3 of two that were displaced neither waits for the other") {
  GiveWay way;
  way.saw(used(5), 5, kNow);
  CHECK_FALSE(way.until(kNow, true));
  way.saw(used(5, "c"), 5, kNow);
  way.saw(other(6), 5, kNow);
  CHECK(way.until(kNow, false));  // for c
}

TEST_CASE("7.3 another's batch comes in parts: it is not torn, but waited for") {
  GiveWay way;
  way.saw(other(5, "", "", 1, 3), 5, kNow);  // an old one, of which something is left
  CHECK_FALSE(way.until(kNow, false));
  way.saw(other(6, "", "", 1, 3), 5, kNow);
  CHECK(way.until(kNow, true) == kNow + GiveWay::kPatience);
  way.saw(other(7, "", "", 2, 3), 5, kNow + 500ms);
  CHECK(way.until(kNow + 500ms, false) == kNow + 500ms + GiveWay::kPatience);
  way.saw(other(8, "", "", 3, 3), 5, kNow + 600ms);
  CHECK_FALSE(way.until(kNow + 600ms, false));
}

TEST_CASE("7.3 a batch that was torn comes again, and is waited for") {
  GiveWay way;
  way.saw(other(6, "", "", 1, 3), 5, kNow);
  way.saw(other(6, "Superseded", "only a part of its batch was posted", 1, 3), 7, kNow + 2s);
  CHECK(way.until(kNow + 2s, false));
  way.saw(other(9, "Superseded", "a newer Snapshot replaces it", 1, 1, "c"), 7, kNow + 4s);
  CHECK_FALSE(way.until(kNow + 4s, false));
}

TEST_CASE("7.3 parts without end hold nobody up for ever") {
  GiveWay way;
  auto now = kNow;
  for (int part = 1; part < 1000; ++part, now += 500ms) {
    if (part > 1 && !way.until(now, false)) break;
    way.saw(other(5 + part, "", "", part, 100'000), 5, now);
  }
  CHECK(now - kNow <= GiveWay::kLongest);
}
