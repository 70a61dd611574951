#include "operator/write_queue.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "test/fakes/fake_api_server.h"
#include "test/fakes/turns.h"

using namespace live_update;

namespace {

struct Given {
  Given() { api.objects.set(kPath, R"({"apiVersion":"v1","kind":"ConfigMap","data":{"v":"0"}})"); }
  void put(const std::string& value, Millis delay = Millis(0)) {
    writes.put(
        "key",
        {Method::Patch, kPath, {}, "application/merge-patch+json", R"({"data":{"v":")" + value + "\"}}"},
        delay);
  }
  std::string written() const {
    std::string text;
    for (const auto& it : api.seen)
      if (it.method == Method::Patch) text += it.body.substr(14, it.body.size() - 17) + ' ';
    return text;
  }

  static constexpr const char* kPath = "/api/v1/namespaces/shop/configmaps/c";
  Loop loop;
  FakeApiServer api{loop};
  int errors = 0;
  WriteQueue writes{loop, api, [this](const std::string&, const Error&) { ++errors; }};
};

}  // namespace

TEST_CASE("of several states of one object only the newest is written") {
  Given g;
  g.put("1"), g.put("2"), g.put("3");
  turn(g.loop);
  CHECK(g.written() == "3 ");
  CHECK(g.writes.idle());
}

TEST_CASE("a state that is urgent does not wait for the time of the one before") {
  Given g;
  g.put("1", Millis(60'000));
  CHECK(g.writes.waiting("key"));
  g.put("2");
  turn(g.loop);
  CHECK(g.written() == "2 ");
  CHECK_FALSE(g.writes.waiting("key"));
}

TEST_CASE("a state that may wait takes the place of an urgent one, and its time") {
  Given g;
  g.put("1");
  g.put("2", Millis(60'000));
  turn(g.loop);
  CHECK(g.written() == "2 ");
}

TEST_CASE("what comes while a write is under way keeps its own delay") {
  Given g;
  g.api.latency = Millis(20);
  g.put("1");
  turn(g.loop);
  g.put("2", Millis(100));
  turn_for(g.loop, Millis(40));
  CHECK(g.written() == "1 ");
  turn_for(g.loop, Millis(100));
  CHECK(g.written() == "1 2 ");
}

TEST_CASE("a write that fails is tried again with the newest state, and not before its time") {
  Given g;
  g.api.fail_next(Method::Patch, "/configmaps/", {ErrorKind::Unavailable, "away"});
  g.put("1");
  turn(g.loop);
  CHECK(g.errors == 1);
  g.put("2");
  turn(g.loop);
  CHECK(g.written() == "1 ");
  turn_for(g.loop, Millis(300));
  CHECK(g.written() == "1 2 ");
}

TEST_CASE("few writes are under way at once; deletes do not hold up others") {
  Given g;
  g.api.latency = Millis(30);
  const auto put = [&](Method method, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string path = std::string(Given::kPath) + std::to_string(i);
      const std::string body = method == Method::Patch ? "{}" : "";
      g.writes.put((method == Method::Patch ? "write" : "delete") + path, {method, path, {}, "", body});
    }
  };
  const auto seen = [&](Method method) {
    return static_cast<std::size_t>(
        std::ranges::count_if(g.api.seen, [&](const auto& it) { return it.method == method; }));
  };
  put(Method::Delete, 3 * WriteQueue::kMostDeletes);
  put(Method::Patch, 3 * WriteQueue::kMostWrites);
  turn(g.loop);
  CHECK(seen(Method::Delete) == WriteQueue::kMostDeletes);
  CHECK(seen(Method::Patch) == WriteQueue::kMostWrites);
  for (int i = 0; i < 100 && !g.writes.idle(); ++i) turn_for(g.loop, Millis(10));
  CHECK(seen(Method::Delete) == 3 * WriteQueue::kMostDeletes);
  CHECK(seen(Method::Patch) == 3 * WriteQueue::kMostWrites);
  CHECK(g.writes.idle());
}

TEST_CASE("what is replaced while it waits for its turn is sent once, the newest") {
  Given g;
  g.api.latency = Millis(30);
  for (std::size_t i = 0; i < WriteQueue::kMostWrites; ++i)
    g.writes.put("other" + std::to_string(i),
                 {Method::Patch, Given::kPath, {}, "", R"({"data":{"v":"other"}})"});
  turn(g.loop);
  g.put("1");
  turn(g.loop);
  g.put("2");
  for (int i = 0; i < 100 && !g.writes.idle(); ++i) turn_for(g.loop, Millis(10));
  CHECK(g.written().ends_with("other 2 "));
}
