#include "watcher/publisher.h"

#include <doctest/doctest.h>

#include "core/api/codec.h"
#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"
#include "watcher/packer.h"

using namespace live_update;

namespace {

const std::string kPath = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets";

ObjectMeta owner() { return {.ns = "shop", .name = "web", .uid = "u-1"}; }

std::vector<ChangeSetSpec> parts(int count, const std::string& path = "f") {
  std::vector<ChangeSetSpec> all;
  for (int i = 1; i <= count; ++i) {
    ChangeSetSpec spec{.live_update = "web", .session = "7f3a", .part = i, .parts = count};
    spec.changes.push_back({.path = path + std::to_string(i), .op = Op::Delete});
    all.push_back(spec);
  }
  return all;
}

struct Given {
  UvLoop loop;
  FakeApiServer api{loop};
  std::vector<std::string> log;
  bool ended = false;
  Publisher publisher{
      loop,
      api,
      owner(),
      42,
      {.on_done =
           [this](const std::vector<ChangeSetSpec>& stored) {
             log.push_back("stored " + std::to_string(stored.front().sequence) + "-" +
                           std::to_string(stored.back().sequence));
             end();
           },
       .on_refused =
           [this](const std::vector<ChangeSetSpec>&, const Error& error) {
             log.push_back("refused " + error.message);
             end();
           },
       .on_blocked = [this](const Error& error) { log.push_back("blocked " + error.message); },
       .on_unblocked = [this] { log.push_back("unblocked"); }}};

  void end() { ended = true, loop.stop(); }
  void run() {
    ended = false;
    const Handle deadline = loop.after(Millis(10'000), [this] { loop.stop(); });
    loop.run();
    REQUIRE(ended);
  }
  ChangeSet at_server(int sequence) {
    auto json = parse_json(api.text(kPath + "/" + change_set_name("web", "7f3a", sequence)));
    REQUIRE(json);
    auto change_set = decode_change_set(*json);
    REQUIRE(change_set);
    return *change_set;
  }
};

}  // namespace

TEST_CASE("a batch becomes a ChangeSet that its LiveUpdate owns") {
  Given g;
  g.publisher.post(parts(1));
  CHECK_FALSE(g.publisher.idle());
  g.run();
  CHECK(g.log == std::vector<std::string>{"stored 42-42"});
  CHECK(g.publisher.idle());
  const ChangeSet stored = g.at_server(42);
  REQUIRE(stored.meta.owners.size() == 1);
  CHECK(stored.meta.owners[0].uid == "u-1");
  CHECK(stored.meta.owners[0].kind == "LiveUpdate");
  CHECK(stored.spec.changes.at(0).path == "f1");
}

TEST_CASE("parts have consecutive sequences, and the next batch goes on from them") {
  Given g;
  g.publisher.post(parts(9));
  g.run();
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log == std::vector<std::string>{"stored 42-50", "stored 51-51"});
  CHECK(g.at_server(50).spec.part == 9);
  g.publisher.saw_sequence(60);
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log.back() == "stored 61-61");
}

TEST_CASE("7.3 a lost answer: posted again, already there with equal content, is success") {
  Given g;
  ChangeSet same;
  same.meta.name = change_set_name("web", "7f3a", 42);
  same.spec = parts(1)[0];
  same.spec.sequence = 42;
  g.api.objects.set(kPath + "/" + same.meta.name, encode_change_set(same));
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log == std::vector<std::string>{"stored 42-42"});
  CHECK(g.publisher.next_sequence() == 43);
}

TEST_CASE("7.3 already there with other content: the next sequence is taken") {
  Given g;
  ChangeSet other;
  other.meta.name = change_set_name("web", "7f3a", 42);
  other.spec = parts(1, "other")[0];
  other.spec.sequence = 42;
  g.api.objects.set(kPath + "/" + other.meta.name, encode_change_set(other));
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log == std::vector<std::string>{"stored 43-43"});
}

TEST_CASE("the API server is away: said once, tried again until it is back, posted once") {
  Given g;
  g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Unavailable, "no connection"}, 2);
  g.publisher.post(parts(2));
  g.run();
  CHECK(g.log == std::vector<std::string>{"blocked no connection", "unblocked", "stored 42-43"});
}

TEST_CASE("a right that is missing is waited for, an invalid ChangeSet is not") {
  Given g;
  g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Forbidden, "may not create changesets"});
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log == std::vector<std::string>{"blocked may not create changesets", "unblocked", "stored 42-42"});
  g.log.clear();
  g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Invalid, "path is too long"});
  g.publisher.post(parts(3));
  g.run();
  CHECK(g.log == std::vector<std::string>{"refused path is too long"});
  CHECK(g.publisher.idle());
}

TEST_CASE("each outage is said, and its end: also after a batch that was refused, and once for each reason") {
  Given g;
  for (int outage = 0; outage < 2; ++outage) {
    g.log.clear();
    g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Unavailable, "no connection"}, 2);
    g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Forbidden, "may not create changesets"});
    g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Invalid, "path is too long"});
    g.publisher.post(parts(1));
    g.run();
    CHECK(g.log == std::vector<std::string>{"blocked no connection", "blocked may not create changesets",
                                            "unblocked", "refused path is too long"});
  }
}
