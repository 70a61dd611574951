// What one ChangeSet may cost the operator's memory that all share: the largest that is legal, and those that
// are not.
#include <doctest/doctest.h>

#include "core/api/codec.h"
#include "core/desired/kept.h"
#include "test/fakes/heap.h"
#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

// As it comes from the API server: 4,096 entries, paths of 330 bytes, 1.4 MB.
std::string largest(const std::string& last_path) {
  JsonWriter packed;
  std::vector<int> numbers(4096);
  for (int i = 0; i < 4096; ++i) numbers[static_cast<std::size_t>(i)] = i;
  packed.object([&] {
    packed.list("changes", numbers, [&](int i) {
      const std::string path = "src/" + std::to_string(i) + "/" + std::string(160, 'a') + "/";
      packed.object([&] {
        packed.field("path", i == 4095 ? last_path : path + std::string(330 - path.size(), 'b'));
        packed.field("op", "Delete");
      });
    });
  });
  JsonWriter json;
  json.object([&] {
    json.object("metadata", [&] {
      json.field("name", "web-7f3a-000001");
      json.field("namespace", "shop");
      json.field("uid", "u");
    });
    json.object("spec", [&] {
      json.field("liveUpdate", "web");
      json.field("session", "7f3a");
      json.field("sequence", 1);
      json.field("packed", packed.take());
    });
  });
  return json.take();
}

std::shared_ptr<const ChangeSet> read(const std::string& text) {
  return std::make_shared<const ChangeSet>(kept(decode_flawed_change_set(*parse_json(text))));
}

}  // namespace

TEST_CASE("the largest ChangeSet there can be: its paths are held few times, by whoever needs them") {
  if (!can_measure_heap()) return;
  World world;
  world.pod("a", "1");
  world.pod("b", "2");
  const std::string text = largest("src/last");
  const std::int64_t before = heap_in_use();
  world.post(read(text));
  REQUIRE(world.change_sets.front()->spec.changes.size() == 4096);
  CHECK(heap_in_use() - before < 2'500'000);
  {
    const Decision decision = world.look();
    REQUIRE(decision.deliveries.size() == 2);
    CHECK(decision.deliveries.front().delivery->deletes.size() == 4096);
  }
  CHECK(heap_in_use() - before < 9'000'000);
}

TEST_CASE("a later status of a ChangeSet holds no second copy of what it changes") {
  const auto first = read(largest("src/last"));
  ChangeSet second = *first;
  second.status.phase = "Applied";
  CHECK(second.spec.changes.share() == first->spec.changes.share());
  History history;
  history.update({first}, 0);
  CHECK(history.batches().front().spec.changes.share() == first->spec.changes.share());
}

TEST_CASE("of a ChangeSet that is refused only its place and the flaw are held") {
  if (!can_measure_heap()) return;
  for (const std::string& flawed :
       {largest("../a"), std::string(R"({"spec":{"sequence":1,"packed":"[[[["}})")}) {
    read(flawed);  // what the allocator keeps for the next time counts as in use
    const std::int64_t before = heap_in_use();
    const auto it = read(flawed);
    CHECK_FALSE(it->flaw.empty());
    CHECK(heap_in_use() - before < 10'000);
  }
}
