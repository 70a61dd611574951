#include "core/reconcile/save_times.h"

#include <doctest/doctest.h>

using namespace live_update;
using std::chrono::microseconds;

namespace {

Time at(int us) { return Time(std::chrono::hours(1)) + microseconds(us); }

ChangeSetSpec saved_at_0() {
  ChangeSetSpec spec;
  spec.observed_at = at(0);
  spec.posted_at = at(2600);
  return spec;
}

}  // namespace

TEST_CASE("each stage counts from the save, and the stages by themselves add up to the whole") {
  const SaveTimes times = save_times(
      saved_at_0(), {.received = at(5000), .planned = at(5200), .sent = at(6100), .confirmed = at(8900)});
  CHECK(say_stages(in_milliseconds(times)) == "posted 3, received 5, planned 5, sent 6, confirmed 9");
  microseconds sum{0};
  std::string names;
  for (const auto& [name, time] : parts_of(times)) sum += time, names += std::string(name) + ' ';
  CHECK(names == "posted received planned sent confirmed ");
  CHECK(sum == microseconds(8900));
}

TEST_CASE("a stage that is not known counts to the next; clocks that disagree make nothing negative") {
  ChangeSetSpec spec = saved_at_0();
  spec.posted_at.reset();
  const auto parts = parts_of(save_times(spec, {.received = at(-400), .confirmed = at(7000)}));
  REQUIRE(parts.size() == 2);
  CHECK(parts[0] == std::pair{std::string_view("received"), microseconds(0)});
  CHECK(parts[1] == std::pair{std::string_view("confirmed"), microseconds(7000)});
}

TEST_CASE("a ChangeSet that does not say when it was saved has no times") {
  CHECK(in_milliseconds(save_times({}, {.received = at(1), .applied = at(2)})) == SaveMilliseconds());
  CHECK(say_stages({}) == "");
}

TEST_CASE("a time of a save that cannot be leads to no times, and one of the post to none of that") {
  const auto times_of = [](std::chrono::hours observed, std::chrono::hours posted) {
    ChangeSetSpec spec;
    spec.observed_at = at(0) + std::chrono::hours(1000) + observed;
    spec.posted_at = at(0) + std::chrono::hours(1000) + posted;
    const Time now = at(0) + std::chrono::hours(1000);
    return in_milliseconds(save_times(spec, {.received = now, .applied = now + std::chrono::seconds(1)}));
  };
  using std::chrono::hours;
  CHECK(times_of(hours(-24), hours(-1)).applied == 86'401'000);
  CHECK(times_of(hours(-24), hours(-1)).posted == 82'800'000);
  CHECK(times_of(hours(-169), hours(0)) == SaveMilliseconds());
  CHECK(times_of(hours(1), hours(1)) == SaveMilliseconds());
  for (const hours posted : {hours(1), hours(-169)}) {
    CHECK_FALSE(times_of(hours(-1), posted).posted);
    CHECK(times_of(hours(-1), posted).applied == 3'601'000);
  }
  ChangeSetSpec spec;
  for (const char* time : {"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    spec.observed_at = *parse_time(time);
    CHECK(in_milliseconds(save_times(spec, {.received = at(0)})) == SaveMilliseconds());
  }
}

TEST_CASE("of several containers the last one counts, for each batch that it was sent") {
  BatchTimesMap batches;
  for (std::int64_t sequence : {1, 2, 3}) batches[sequence].received = at(0);
  reached(batches, 0, 2, &BatchTimes::confirmed, at(9));
  reached(batches, 1, 3, &BatchTimes::confirmed, at(7));
  CHECK(batches[1].confirmed == at(9));
  CHECK(batches[2].confirmed == at(9));
  CHECK(batches[3].confirmed == at(7));
}
