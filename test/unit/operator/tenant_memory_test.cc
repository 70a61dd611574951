// What one author's LiveUpdates may cost the operator's memory that all share.
#include <doctest/doctest.h>

#include "test/fakes/heap.h"
#include "test/unit/operator/controller_world.h"

using namespace live_update;

namespace {

// Eight patterns that have 8,192 characters together, the most there may be.
std::string patterns(int number) {
  std::string list;
  for (int i = 0; i < 8; ++i) {
    std::string pattern = "**/" + std::to_string(number) + "-" + std::to_string(i) + "*";
    pattern += std::string(1024 - pattern.size(), 'a');
    list += (i == 0 ? "\"" : ",\"") + pattern + "\"";
  }
  return "[" + list + "]";
}

std::string state_of(Cluster& cluster, const std::string& name) {
  const std::string path = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/" + name;
  return decode_live_update(*parse_json(cluster.api.text(path)))->status.state;
}

void add_live_updates(Cluster& cluster, int from, int to) {
  for (int i = from; i < to; ++i) {
    const std::string name = "l" + std::to_string(i);
    cluster.api.objects.set("/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/" + name,
                            R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"workload":{"kind":"Deployment","name":")" +
                                name + R"("}},"source":{"context":["."],"ignore":)" + patterns(i) +
                                R"(},"steps":[{"sync":{"from":"src","to":"/app"}}]}})");
  }
}

}  // namespace

TEST_CASE("a LiveUpdate with the longest patterns there may be costs about what it says") {
  if (!can_measure_heap()) return;
  constexpr int kMany = 150;
  Cluster cluster;
  auto op = std::make_unique<Operator>(cluster.loop, cluster.api);
  add_live_updates(cluster, 0, kMany);
  CHECK(cluster.until(
      [&] { return state_of(cluster, "l0") == "NoTarget" && state_of(cluster, "l149") == "NoTarget"; }));
  const std::int64_t before = heap_in_use();
  op.reset();
  const std::int64_t each = (before - heap_in_use()) / kMany;
  INFO(each);
  CHECK(each < 30'000);
}
