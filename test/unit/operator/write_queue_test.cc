#include "operator/write_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

#include "run/uv_loop.h"
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
  UvLoop loop;
  FakeApiServer api{loop};
  int errors = 0;
  WriteQueue writes{loop, api, [this](const std::string&, const Error&) { ++errors; }};
};

// An API server that answers when it is told to.
struct Held : ApiServer {
  [[nodiscard]] Handle request(Request request,
                               std::move_only_function<void(Result<Response>)> done) override {
    under_way.emplace_back(std::move(request), std::move(done));
    return {};
  }
  [[nodiscard]] Handle watch(Request, std::function<void(std::string)>,
                             std::move_only_function<void(Result<>)>) override {
    return {};
  }
  [[nodiscard]] std::unique_ptr<ExecSession> exec(ExecRequest, ExecCallbacks) override { return nullptr; }

  void put(Method method, const std::string& key, const std::string& body = "") {
    writes.put(key, {method, "/api/v1/configmaps/" + key, {}, "", body});
  }
  std::size_t count(Method method) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(under_way, [&](const auto& it) { return it.first.method == method; }));
  }
  // Answers the oldest of this method; its body. Nothing: there is none.
  std::optional<std::string> answer(Method method) {
    const auto found =
        std::ranges::find_if(under_way, [&](const auto& it) { return it.first.method == method; });
    if (found == under_way.end()) return std::nullopt;
    auto [request, done] = std::move(*found);
    under_way.erase(found);
    done(Response{});
    return request.body;
  }

  UvLoop loop;
  std::deque<std::pair<Request, std::move_only_function<void(Result<Response>)>>> under_way;
  WriteQueue writes{loop, *this, [](const std::string&, const Error&) {}};
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

TEST_CASE("what waits can be told another time, later or sooner") {
  Given g;
  g.put("1");
  g.writes.set_delay("key", Millis(60'000));
  turn(g.loop);
  CHECK(g.written().empty());
  g.put("2", Millis(60'000));
  g.writes.set_delay("key", Millis(0));
  turn(g.loop);
  CHECK(g.written() == "2 ");
  g.writes.set_delay("key", Millis(0));  // there is none
}

TEST_CASE("what comes while a write is under way keeps its own delay") {
  Given g;
  g.api.latency = Millis(20);
  g.put("1");
  turn(g.loop);
  g.put("2", Millis(500));  // far from what a busy machine takes for the first one
  turn_for(g.loop, Millis(40));
  CHECK(g.written() == "1 ");
  turn_for(g.loop, Millis(500));
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
  Held held;
  for (int i = 0; i < 50; ++i) held.put(Method::Delete, "delete/" + std::to_string(i));
  for (int i = 0; i < 50; ++i) held.put(Method::Patch, "write" + std::to_string(i));
  turn(held.loop);
  CHECK(held.count(Method::Delete) == WriteQueue::kMostDeletes);
  CHECK(held.count(Method::Patch) == WriteQueue::kMostWrites);
  held.answer(Method::Patch);
  CHECK(held.count(Method::Patch) == WriteQueue::kMostWrites);
  int answers = 1;
  while (held.answer(Method::Delete) || held.answer(Method::Patch)) ++answers;
  CHECK(answers == 100);
  CHECK(held.writes.idle());
}

TEST_CASE("what is replaced while it waits for its turn is sent once, the newest") {
  Held held;
  for (std::size_t i = 0; i < WriteQueue::kMostWrites; ++i)
    held.put(Method::Patch, "other" + std::to_string(i));
  held.put(Method::Patch, "key", "1");
  turn(held.loop);
  held.put(Method::Patch, "key", "2");
  turn(held.loop);
  std::string bodies;
  while (const auto body = held.answer(Method::Patch)) bodies += *body;
  CHECK(bodies == "2");
  CHECK(held.writes.idle());
}

TEST_CASE("the delete of a pod does not wait behind those of ChangeSets") {
  Held held;
  for (int i = 0; i < 50; ++i) held.put(Method::Delete, "delete/" + std::to_string(i));
  held.put(Method::Delete, "pod/shop/web-1");
  turn(held.loop);
  CHECK(held.count(Method::Delete) == WriteQueue::kMostDeletes + 1);
}

TEST_CASE("a key keeps its turn when another kind of request takes the place of the one that waits") {
  Held held;
  for (std::size_t i = 0; i < WriteQueue::kMostWrites; ++i)
    held.put(Method::Patch, "other" + std::to_string(i));
  for (Method method : {Method::Patch, Method::Delete}) {
    for (std::size_t i = 0; i < WriteQueue::kMostWrites; ++i) held.put(method, "pod/" + std::to_string(i));
    turn(held.loop);
  }
  held.put(Method::Patch, "last");
  turn(held.loop);
  while (held.answer(Method::Patch) || held.answer(Method::Delete)) {
  }
  CHECK(held.writes.idle());
}

TEST_CASE("a write is unfinished from when it is put until it has succeeded") {
  Given g;
  CHECK_FALSE(g.writes.unfinished("key"));
  g.api.fail_next(Method::Patch, "/configmaps/", {ErrorKind::Unavailable, "away"});
  g.put("1");
  CHECK(g.writes.unfinished("key"));
  turn(g.loop);
  CHECK(g.written() == "1 ");
  CHECK(g.writes.unfinished("key"));
  turn_for(g.loop, Millis(300));
  CHECK_FALSE(g.writes.unfinished("key"));
}

TEST_CASE("who deletes something that is gone, or was made anew, has what was wanted") {
  for (const ErrorKind kind : {ErrorKind::NotFound, ErrorKind::Conflict}) {
    Given g;
    g.api.fail_next(Method::Delete, "/configmaps/", {kind, "the UID in the precondition differs"});
    std::optional<bool> ok;
    g.writes.put("delete/shop/c", {Method::Delete, Given::kPath, {}, "", "{}"}, Millis(0),
                 [&](const Result<>& result) { ok = result.has_value(); });
    turn(g.loop);
    CHECK(ok == true);
    CHECK(g.errors == 0);
    CHECK(g.writes.idle());
    CHECK(g.api.count(Method::Delete, "/configmaps/") == 1);
  }
}

TEST_CASE("who asks hears that it was refused") {
  Given g;
  g.api.fail_next(Method::Delete, "/configmaps/", {ErrorKind::Forbidden, "no"});
  std::string why;
  g.writes.put("pod/shop/c", {Method::Delete, Given::kPath, {}, "", "{}"}, Millis(0),
               [&](const Result<>& result) { why = result ? "" : result.error().message; });
  turn(g.loop);
  CHECK(why == "no");
  CHECK(g.writes.idle());
}

TEST_CASE("namespaces take turns: thousands in one do not hold up another's one") {
  Held held;
  for (int i = 0; i < 500; ++i) held.put(Method::Patch, "changeset/evil/" + std::to_string(i), "evil");
  held.put(Method::Patch, "changeset/shop/1", "shop");
  turn(held.loop);
  int before = 0;
  while (held.answer(Method::Patch) != "shop") ++before;
  CHECK(before < 2 * static_cast<int>(WriteQueue::kMostWrites) + 2);
}

TEST_CASE("what is said of refused ChangeSets does not hold up what is said of others") {
  Held held;
  for (int i = 0; i < 500; ++i) held.put(Method::Patch, "refusal/shop/" + std::to_string(i), "refused");
  held.put(Method::Patch, "changeset/shop/1", "applied");
  turn(held.loop);
  CHECK(held.count(Method::Patch) == WriteQueue::kMostRefusals + 1);
}
