#include "watcher/publisher.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/api/codec.h"
#include "test/fakes/fake_api_server.h"
#include "test/sim/world/sim_loop.h"
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
  sim::SimLoop loop{1};
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
       .on_left_out =
           [this](const std::vector<LeftOut>& left_out) {
             for (const LeftOut& it : left_out)
               log.push_back("without " + it.change.path + ": " + it.why +
                             (it.alone  ? ""
                              : it.soon ? ", for the moment"
                                        : ", with others"));
           },
       .on_given_up =
           [this](const std::vector<ChangeSetSpec>&, const Error& error, bool torn) {
             log.push_back("given up: " + error.message + (torn ? ", torn" : ""));
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

TEST_CASE("a right that is missing is waited for, said once, and costs two requests each time") {
  Given g;
  g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Forbidden, "may not create changesets"}, 4);
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log == std::vector<std::string>{"blocked may not create changesets", "unblocked", "stored 42-42"});
  CHECK(g.api.count(Method::Post, "/changesets") == 5);
}

TEST_CASE("what others send says nothing about a right that is missing: it costs no further requests") {
  Given g;
  g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Forbidden, "may not create changesets"}, 2);
  g.publisher.post(parts(1));
  const Handle others = g.loop.every(Millis(1), [&] { g.publisher.retry_now(); });
  const auto begin = g.loop.now();
  g.run();
  CHECK(g.loop.now() - begin >= Millis(200));
}

TEST_CASE("each outage is said, and its end: once for each reason") {
  Given g;
  for (int outage = 0; outage < 2; ++outage) {
    g.log.clear();
    g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Unavailable, "no connection"}, 2);
    g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Forbidden, "may not create changesets"}, 2);
    g.api.fail_next(Method::Post, "/changesets", {ErrorKind::Invalid, "no such field"}, 2);
    g.publisher.post(parts(1));
    g.run();
    CHECK(g.log.size() == 5);
    CHECK(g.log[0] == "blocked no connection");
    CHECK(g.log[1] == "blocked may not create changesets");
    CHECK(g.log[2] == "blocked no such field");
    CHECK(g.log[3] == "unblocked");
  }
}

namespace {

bool is_dry_run(const Request& request) {
  return !request.query.empty() && request.query.back().first == "dryRun";
}

// The API server does not take ChangeSets with such a change.
void refuse(Given& g, std::function<bool(const Change&)> bad, ErrorKind kind = ErrorKind::Invalid) {
  g.api.interceptor = [=](const Request& request) -> std::optional<Error> {
    if (request.method != Method::Post) return {};
    const auto json = parse_json(request.body);
    const auto change_set = decode_change_set(*json);
    REQUIRE(change_set);
    for (const Change& it : change_set->spec.changes)
      if (bad(it)) return Error{kind, "no " + it.path};
    return {};
  };
}

std::function<bool(const Change&)> named(std::set<std::string> names) {
  return [=](const Change& it) { return names.contains(it.path); };
}

ChangeSetSpec holding(int count) {
  ChangeSetSpec spec{.live_update = "web", .session = "7f3a"};
  for (int i = 1; i <= count; ++i)
    spec.changes.push_back({.path = "f" + std::to_string(i), .op = Op::Delete});
  return spec;
}

}  // namespace

TEST_CASE(
    "what the API server refuses is left out, and all else goes, together, without a hole in the sequence") {
  for (const ErrorKind kind : {ErrorKind::Invalid, ErrorKind::Forbidden, ErrorKind::Internal}) {
    Given g;
    refuse(g, named({"f7", "f42"}), kind);
    g.publisher.post({holding(60)});
    g.run();
    CHECK(g.log == std::vector<std::string>{"without f7: no f7", "without f42: no f42", "stored 42-42"});
    CHECK(g.at_server(42).spec.changes.size() == 58);
    CHECK(g.api.count(Method::Post, "/changesets") < 30);
  }
}

TEST_CASE("of several parts one is mended in its place") {
  Given g;
  refuse(g, named({"f2"}));
  g.publisher.post(parts(9));
  g.run();
  CHECK(g.log == std::vector<std::string>{"without f2: no f2", "stored 42-50"});
  CHECK(g.at_server(43).spec.changes.empty());
  CHECK(g.at_server(50).spec.changes.size() == 1);
}

TEST_CASE("nothing is left: the sequence is used by what comes next") {
  Given g;
  refuse(g, named({"f1"}));
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log == std::vector<std::string>{"without f1: no f1", "given up: no f1"});
  g.publisher.post(parts(1, "g"));
  g.run();
  CHECK(g.log.back() == "stored 42-42");
}

TEST_CASE("7.6 of a Snapshot it is unknown") {
  Given g;
  refuse(g, named({"f2"}));
  auto snapshot = parts(3);
  for (ChangeSetSpec& part : snapshot) part.type = ChangeSetType::Snapshot;
  g.publisher.post(snapshot);
  g.run();
  CHECK(g.log.back() == "stored 42-44");
  REQUIRE(g.at_server(43).spec.unknown.size() == 1);
  CHECK(g.at_server(43).spec.unknown[0].path == "f2");
  CHECK_FALSE(g.at_server(43).spec.unknown[0].below);
}

TEST_CASE("of a file in pieces all are left out, or if that is too late, the batch is given up") {
  auto pieces = parts(6);
  for (std::size_t i = 0; i < 6; ++i)
    pieces[i].changes.edit()[0] = {
        .path = "large", .type = FileType::File, .size = 600, .digest = "1", .offset = i * 100};
  {
    Given g;
    refuse(g, named({"large"}));
    auto all = pieces;
    all[5].changes.push_back({.path = "f", .op = Op::Delete});
    g.publisher.post(all);
    g.run();
    CHECK(g.log.back() == "stored 42-47");
    CHECK(g.at_server(42).spec.changes.empty());
    CHECK(g.at_server(47).spec.changes.size() == 1);
  }
  Given g;
  refuse(g, [](const Change& it) { return it.offset == 500; });
  g.publisher.post(pieces);
  g.run();
  CHECK(g.log == std::vector<std::string>{"without large: no large", "given up: no large, torn"});
  CHECK(g.publisher.idle());
}

TEST_CASE("many that are refused: the tries are bounded, and what is left undecided is told") {
  Given g;
  refuse(g, [](const Change& it) { return it.path != "good"; });
  auto all = holding(1000);
  all.changes.push_back({.path = "good", .op = Op::Delete});
  g.publisher.post({all});
  g.run();
  CHECK(g.log.size() == 1002);
  CHECK(g.log.back() == "given up: no f1");
  CHECK(g.api.count(Method::Post, "/changesets") <= Division::kMostTries + 2);
}

TEST_CASE("too large as a whole: given up, to come in smaller parts; when they are the smallest, divided") {
  Given g;
  g.api.interceptor = [](const Request& request) -> std::optional<Error> {
    if (request.method != Method::Post || request.body.size() < 1000) return {};
    return Error{ErrorKind::TooLarge, "too large"};
  };
  auto spec = holding(2);
  spec.changes.edit()[1].path += std::string(1000, 'x');
  g.publisher.post({spec});
  g.run();
  CHECK(g.log == std::vector<std::string>{"given up: too large"});
  g.log.clear();
  g.publisher.post({spec}, true);
  g.run();
  CHECK(g.log.size() == 2);
  CHECK(g.log[1] == "stored 42-42");
}

TEST_CASE("an outage while it is divided is waited for") {
  Given g;
  refuse(g, named({"f3"}));
  const auto refuse_f3 = g.api.interceptor;
  int dry_runs = 0;
  g.api.interceptor = [&](const Request& request) -> std::optional<Error> {
    if (is_dry_run(request) && ++dry_runs == 3) return Error{ErrorKind::Unavailable, "away"};
    return refuse_f3(request);
  };
  g.publisher.post({holding(8)});
  g.run();
  CHECK(g.log == std::vector<std::string>{"blocked away", "without f3: no f3", "unblocked", "stored 42-42"});
}

TEST_CASE("refused time after time, but for nothing that can be found: it waits, and is said") {
  Given g;
  int left = 5;
  g.api.interceptor = [&](const Request& request) -> std::optional<Error> {
    if (is_dry_run(request)) return {};
    return left-- > 0 ? std::optional(Error{ErrorKind::Invalid, "whimsical"}) : std::nullopt;
  };
  g.publisher.post(parts(1));
  g.run();
  CHECK(g.log == std::vector<std::string>{"blocked whimsical", "unblocked", "stored 42-42"});
}

namespace {

// The same where a webhook stands in the way that takes no dry runs.
void refuse_without_dry_runs(Given& g, std::function<bool(const Change&)> bad) {
  refuse(g, std::move(bad));
  g.api.interceptor = [refuse = g.api.interceptor](const Request& request) -> std::optional<Error> {
    if (is_dry_run(request)) return Error{ErrorKind::Invalid, "admission webhook does not support dry run"};
    return refuse(request);
  };
}

}  // namespace

TEST_CASE(
    "7.2 where dry runs are refused, one half goes at once, writes first, and the other when that is taken") {
  Given g;
  refuse_without_dry_runs(g, named({"f5"}));
  ChangeSetSpec batch = holding(8);
  for (std::size_t i = 4; i < 8; ++i)
    batch.changes.edit()[i] = {.path = batch.changes[i].path, .type = FileType::Directory};
  g.publisher.post({batch});
  g.run();
  const std::string moment = ": no f5, for the moment";
  CHECK(g.log == std::vector<std::string>{"without f1" + moment, "without f2" + moment, "without f3" + moment,
                                          "without f4" + moment, "without f7" + moment, "without f8" + moment,
                                          "without f6" + moment, "without f5: no f5, with others",
                                          "given up: no f5"});
  CHECK(g.publisher.next_sequence() == 42);
  g.log.clear();
  g.publisher.post({holding(4)});
  g.run();
  g.publisher.post({batch});  // all the others are taken: f5 is to blame
  g.run();
  CHECK(g.log[0] == "stored 42-42");
  CHECK(std::ranges::count(g.log, "without f5: no f5") == 1);
}

TEST_CASE(
    "7.2 where dry runs are refused, and everything else too, nothing is blamed, and nothing asked twice") {
  Given g;
  refuse_without_dry_runs(g, [](const Change&) { return true; });
  g.publisher.post({holding(2)});
  g.run();
  g.publisher.post({holding(1)});
  g.run();
  CHECK(g.log == std::vector<std::string>{"without f2: no f1, for the moment",
                                          "without f1: no f1, with others", "given up: no f1",
                                          "without f1: no f1, with others", "given up: no f1"});
}

TEST_CASE("7.2 where dry runs are refused, a part with nothing in it waits") {
  Given g;
  int left = 2;
  g.api.interceptor = [&](const Request& request) -> std::optional<Error> {
    if (is_dry_run(request)) return Error{ErrorKind::Invalid, "no dry runs"};
    return left-- > 0 ? std::optional(Error{ErrorKind::Invalid, "whimsical"}) : std::nullopt;
  };
  ChangeSetSpec empty{.live_update = "web", .session = "7f3a", .type = ChangeSetType::Snapshot};
  g.publisher.post({empty});
  g.run();
  CHECK(g.log == std::vector<std::string>{"blocked whimsical", "unblocked", "stored 42-42"});
}
