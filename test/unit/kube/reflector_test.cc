// The reflector over the fake API server on a real loop; it also tests the fake.
#include "kube/reflector.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"

using namespace live_update;

namespace {

const std::string kPods = "/api/v1/namespaces/shop/pods/";

std::string pod(const std::string& phase, const std::string& app = "web") {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"app":")" + app +
         R"("}},"spec":{},"status":{"phase":")" + phase + "\"}}";
}

struct Fixture {
  UvLoop loop;
  FakeApiServer api{loop};
  Store<Pod> pods;
  std::vector<std::string> log;
  Reflector<Pod> reflector{loop, api, {.path = "/api/v1/pods"}, pods, decode_pod, callbacks()};

  Reflector<Pod>::Callbacks callbacks() {
    return {
        .on_change =
            [this](const ObjectChange<Pod>& change) {
              const char* how = !change.before ? "+" : change.after ? "~" : "-";
              log.push_back(how + to_string(change.key) + (change.after ? " " + change.after->phase : ""));
            },
        .on_synced = [this] { log.push_back("synced"); },
        .on_problem = [this](const Error& error) { log.push_back(error.message); }};
  }
  // Runs the loop until `done`, at most five seconds.
  void until(std::function<bool()> done) {
    const Handle poll = loop.every(Millis(1), [&] {
      if (done()) loop.stop();
    });
    const Handle end = loop.after(Millis(5000), [&] { loop.stop(1); });
    CHECK(loop.run() == 0);
  }
  void until_logged(std::size_t lines) {
    until([&] { return log.size() >= lines; });
  }
};

using Log = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "reflector: a full list, then every change") {
  api.objects.set(kPods + "a", pod("Running"));
  api.objects.set(kPods + "b", pod("Pending"));
  reflector.start();
  CHECK(log.empty());
  CHECK_FALSE(reflector.synced());
  until_logged(3);
  CHECK(log == Log{"+shop/a Running", "+shop/b Pending", "synced"});
  CHECK(reflector.synced());
  until([&] { return api.watches() == 1; });

  api.objects.set(kPods + "b", pod("Running"));
  REQUIRE(api.objects.remove(*parse_resource_path(kPods + "a")));
  until_logged(5);
  CHECK(Log(log.begin() + 3, log.end()) == Log{"~shop/b Running", "-shop/a"});
  CHECK(pods.size() == 1);
  CHECK(pods.get({"shop", "b"})->phase == "Running");
  CHECK(pods.in_namespace("shop").size() == 1);
  CHECK(pods.in_namespace("sho").empty());
}

TEST_CASE_FIXTURE(Fixture, "reflector: many objects come in pages and appear at once") {
  for (int i = 0; i < 1203; ++i) api.objects.set(kPods + "p" + std::to_string(i), pod("Running"));
  reflector.start();
  until([&] { return reflector.synced(); });
  CHECK(pods.size() == 1203);
  const auto pages =
      std::ranges::count_if(api.seen, [](const auto& it) { return it.query.front().first == "limit"; });
  CHECK(pages == 3);
}

TEST_CASE_FIXTURE(Fixture, "reflector: what happens while the watch is cut is not lost") {
  reflector.start();
  until([&] { return api.watches() == 1; });
  api.end_watches(fail(ErrorKind::Unavailable, "cut"));
  api.objects.set(kPods + "a", pod("Running"));
  until_logged(3);
  CHECK(log == Log{"synced", "/api/v1/pods: cut", "+shop/a Running"});
  CHECK(api.count(Method::Get, "/api/v1/pods") == 3);  // no second list
}

TEST_CASE_FIXTURE(Fixture, "reflector: 410 lists again, and the store shows exactly the difference") {
  api.objects.set(kPods + "gone", pod("Running"));
  api.objects.set(kPods + "same", pod("Running"));
  api.objects.set(kPods + "other", pod("Pending"));
  reflector.start();
  until([&] { return api.watches() == 1; });
  log.clear();
  SUBCASE("as an event") {}
  SUBCASE("as the answer") { api.gone_as_event = false; }
  api.end_watches();
  REQUIRE(api.objects.remove(*parse_resource_path(kPods + "gone")));
  api.objects.set(kPods + "other", pod("Running"));
  api.objects.set(kPods + "new", pod("Running"));
  api.objects.compact();
  until([&] { return pods.get({"shop", "new"}) != nullptr; });
  CHECK(log.front() == "/api/v1/pods: the watch was ended as soon as it began");
  CHECK(log[1].ends_with("too old resource version: 103"));
  CHECK(Log(log.begin() + 2, log.end()) == Log{"-shop/gone", "+shop/new Running", "~shop/other Running"});
}

TEST_CASE_FIXTURE(Fixture, "reflector: waits for an API server that is away") {
  api.set_away(true);
  reflector.start();
  until_logged(1);
  CHECK(log == Log{"/api/v1/pods: the API server cannot be reached: connection refused"});
  api.set_away(false);
  api.objects.set(kPods + "a", pod("Running"));
  until([&] { return reflector.synced(); });
  CHECK(log.back() == "synced");
}

TEST_CASE_FIXTURE(Fixture, "reflector: an object that cannot be read keeps its last state") {
  api.objects.set(kPods + "a", pod("Running"));
  reflector.start();
  until([&] { return api.watches() == 1; });
  log.clear();
  api.objects.set(kPods + "a", R"({"status":{"phase":5}})");
  until_logged(1);
  CHECK(log ==
        Log{"Pod shop/a cannot be read: status.phase must be a string, is the number 5: put it in quotes"});
  CHECK(pods.get({"shop", "a"})->phase == "Running");
}

TEST_CASE("reflector: destroyed, it asks no more") {
  UvLoop loop;
  FakeApiServer api(loop);
  Store<Pod> pods;
  {
    Reflector<Pod> reflector(loop, api, {.path = "/api/v1/pods"}, pods, decode_pod, {});
    reflector.start();
    const Handle stop = loop.after(Millis(5), [&] { loop.stop(); });
    loop.run();
    CHECK(api.watches() == 1);
  }
  CHECK(api.watches() == 0);
}

TEST_CASE("reflector: the end of an outage is told, also when nothing has changed, and each next one") {
  UvLoop loop;
  FakeApiServer api{loop};
  Store<Pod> pods;
  std::vector<std::string> log;
  Reflector<Pod> reflector{loop,
                           api,
                           {.path = "/api/v1/pods"},
                           pods,
                           decode_pod,
                           {.on_problem = [&](const Error&) { log.push_back("problem"); },
                            .on_recovered = [&] { log.push_back("recovered"); }}};
  const auto until = [&](const std::function<bool()>& done) {
    const Handle poll = loop.every(Millis(1), [&] {
      if (done()) loop.stop();
    });
    const Handle end = loop.after(Millis(5000), [&] { loop.stop(1); });
    CHECK(loop.run() == 0);
  };
  reflector.start();
  until([&] { return api.watches() == 1; });
  for (int outage = 1; outage <= 2; ++outage) {
    log.clear();
    api.set_away(true);
    until([&] { return !log.empty(); });
    CHECK(reflector.troubled());
    api.set_away(false);
    until([&] { return log.back() == "recovered"; });
    CHECK_FALSE(reflector.troubled());
    CHECK(log.front() == "problem");
  }
}
