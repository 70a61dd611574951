// More containers than a status has room for (semantics.md 4.9, 7.5).
#include <doctest/doctest.h>

#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

constexpr std::size_t kMany = 250;

World many() {
  World world;
  world.lu.spec.steps.push_back(Restart{RestartProcess{}, {}});
  for (std::size_t i = 0; i < kMany; ++i) world.pod("p" + std::to_string(i), "c" + std::to_string(i));
  world.post(delta(1).saved("src/a"));
  world.settle_all();
  return world;
}

}  // namespace

TEST_CASE("4.9 an operator that takes over sends nothing again, however many containers there are") {
  World world = many();
  CHECK(world.lu.status.containers.size() == 100);
  REQUIRE(world.lu.status.others.size() == 1);
  CHECK(world.lu.status.others[0].ids.size() == kMany - 100);
  world.restart_operator();
  world.later_pod("new", "c-new");
  CHECK(world.settle_all() == "c-new@1: +/app/a build restart; ");
  CHECK(world.lu.status.synced == "251/251");
  CHECK(world.settle_all() == "");
}

TEST_CASE("4.9 those that were in the middle of something get what they lack, and no more") {
  World world = many();
  world.post(delta(2).saved("src/b"));
  for (int looks = 0; looks < 3; ++looks) world.look();
  for (std::size_t i = 0; i < kMany; i += 2) world.outcome("c" + std::to_string(i));
  world.outcome("c1", Delivered{{RunFailure{2, 1, false, "no"}}, {3}});
  world.look();
  CHECK(world.lu.status.others.size() >= 2);
  world.restart_operator();
  std::size_t sent = 0;
  for (int looks = 0; looks < 2; ++looks) {
    const Decision decision = world.look();
    for (const DeliverTo& it : decision.deliveries) {
      ++sent;
      REQUIRE(it.delivery->writes.size() == 1);
      CHECK(it.delivery->writes[0].to == "/app/b");
    }
  }
  CHECK(sent == kMany / 2 - 1);
}

TEST_CASE(
    "5.2 one look begins no more deliveries than a turn has time for; the others follow in the next ones") {
  World world = many();
  world.post(delta(2).saved("src/b"));
  const std::size_t most = Limits().deliveries;
  std::size_t sent = 0;
  for (int looks = 0; looks < 3; ++looks) {
    const Decision decision = world.look();
    CHECK(decision.deliveries.size() == std::min(most, kMany - sent));
    sent += decision.deliveries.size();
    CHECK(decision.look_again.has_value() == (sent < kMany));
  }
  CHECK(sent == kMany);
  CHECK(world.look().deliveries.empty());
}
