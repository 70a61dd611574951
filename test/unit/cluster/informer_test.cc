#include "core/cluster/informer.h"

#include <doctest/doctest.h>

#include "core/api/codec.h"

using namespace live_update;
using namespace std::chrono_literals;

namespace {

const Informer::Instant kStart{};

std::string object(const std::string& name, int version) {
  return R"({"kind":"Pod","metadata":{"name":")" + name + R"(","resourceVersion":")" +
         std::to_string(version) + "\"}}";
}
std::string event(const std::string& type, const std::string& name, int version) {
  return R"({"type":")" + type + R"(","object":)" + object(name, version) + "}";
}
std::string page(const std::string& items, int version, const std::string& more = "") {
  return R"({"apiVersion":"v1","kind":"PodList","metadata":{"resourceVersion":")" + std::to_string(version) +
         R"(","continue":")" + more + R"("},"items":[)" + items + "]}";
}

// What a step came to, as one line: "begins +a -b ends; watch 7; problem: ..."
struct Driver {
  Informer informer;
  Informer::Instant now = kStart;
  double jitter = 0.5;

  std::string operator()(Informer::Input input) {
    const Informer::Step step = informer.step(std::move(input), now, jitter);
    std::string out;
    for (const auto& event : step.events) out += std::visit(*this, event) + " ";
    if (step.command) out += "; " + std::visit(*this, *step.command);
    if (step.problem) out += "; problem: " + step.problem->message;
    return out;
  }
  std::string operator()(const Informer::ListBegins&) const { return "begins"; }
  std::string operator()(const Informer::Applied& it) const { return "+" + decode_meta(*it.object).name; }
  std::string operator()(const Informer::Removed& it) const { return "-" + decode_meta(*it.object).name; }
  std::string operator()(const Informer::ListEnds&) const { return "ends"; }
  std::string operator()(const Informer::List& it) const {
    return "list " + (it.continue_token.empty() ? "" : it.continue_token + " ") + std::to_string(it.limit);
  }
  std::string operator()(const Informer::Watch& it) const { return "watch " + it.resource_version; }
  std::string operator()(const Informer::Wait& it) const {
    return "wait " +
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(it.until - now).count());
  }

  // A watch that has everything up to version 10.
  void watching() {
    (*this)(Informer::Begin{});
    CHECK((*this)(Informer::Page{page(object("a", 3), 10)}) == "begins +a ends ; watch 10");
  }
};

}  // namespace

TEST_CASE("informer: list in pages, then watch, then events") {
  Driver run;
  CHECK(run(Informer::Begin{}) == "; list 500");
  CHECK(run(Informer::Page{page(object("a", 3) + "," + object("b", 4), 10, "more")}) ==
        "begins +a +b ; list more 500");
  CHECK_FALSE(run.informer.synced());
  CHECK(run(Informer::Page{page(object("c", 5), 10)}) == "+c ends ; watch 10");
  CHECK(run.informer.synced());
  CHECK(run(Informer::Line{event("ADDED", "d", 11)}) == "+d ");
  CHECK(run(Informer::Line{event("MODIFIED", "d", 12)}) == "+d ");
  CHECK(run(Informer::Line{event("DELETED", "a", 13)}) == "-a ");
  CHECK(run(Informer::Line{event("BOOKMARK", "", 20)}) == "");
  CHECK(run(Informer::Line{event("FUTURE", "x", 21)}) == "");
}

TEST_CASE("informer: large objects come in small pages, small ones in large pages") {
  Driver run{.informer = Informer(8)};
  CHECK(run(Informer::Begin{}) == "; list 8");
  CHECK(run(Informer::Page{page(object("a", 3), 10, "more")}) == "begins +a ; list more 16");
  const std::string large =
      R"({"metadata":{"name":"b"},"data":")" + std::string(Informer::kLargePage, 'x') + R"("})";
  CHECK(run(Informer::Page{page(large, 10, "more")}) == "+b ; list more 8");
  CHECK(run(Informer::Page{page(large, 10, "more")}) == "+b ; list more 4");
  CHECK(run(Informer::Page{page("", 10)}) == "ends ; watch 10");
}

TEST_CASE("informer: an empty list is a list") {
  Driver run;
  run(Informer::Begin{});
  CHECK(run(Informer::Page{page("", 10)}) == "begins ends ; watch 10");
  Driver other;
  other(Informer::Begin{});
  CHECK(other(Informer::Page{R"({"metadata":{"resourceVersion":"1"},"items":null})"}) ==
        "begins ends ; watch 1");
}

TEST_CASE("informer: items of a list get the kind that only the list has") {
  Informer informer;
  (void)informer.step(Informer::Begin{}, kStart, 0);
  const auto step = informer.step(
      Informer::Page{
          R"({"apiVersion":"apps/v1","kind":"DeploymentList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}},7]})"},
      kStart, 0);
  const auto workload = decode_workload(*std::get<Informer::Applied>(step.events.at(1)).object);
  REQUIRE(workload);
  CHECK(workload->api_version == "apps/v1");
  CHECK(workload->kind == "Deployment");
}

TEST_CASE("informer: an ended watch goes on from the newest version it saw") {
  Driver run;
  run.watching();
  run(Informer::Line{event("ADDED", "d", 11)});
  run(Informer::Line{event("BOOKMARK", "", 20)});
  run.now += 5s;
  CHECK(run(Informer::WatchEnded{}) == "; watch 20");
  CHECK(run(Informer::Line{event("ADDED", "e", 21)}) == "+e ");
  run.now += 100ms;
  CHECK(run(Informer::WatchEnded{fail(ErrorKind::Unavailable, "cut")}) == "; wait 200; problem: cut");
  run.now += 200ms;
  CHECK(run(Informer::Begin{}) == "; watch 21");
}

TEST_CASE("informer: a watch that ends as soon as it begins is tried again more and more slowly") {
  Driver run;
  run.watching();
  for (const char* wait : {"200", "400", "800", "1600", "3200", "6400", "12800", "25600", "30000", "30000"}) {
    CHECK(run(Informer::WatchEnded{}) ==
          std::string("; wait ") + wait + "; problem: the watch was ended as soon as it began");
    CHECK(run(Informer::Begin{}) == "; watch 10");
  }
  run.now += 2s;
  CHECK(run(Informer::WatchEnded{}) == "; watch 10");
  CHECK(run(Informer::WatchEnded{fail(ErrorKind::Unavailable, "cut")}) == "; wait 200; problem: cut");
}

TEST_CASE("informer: retries are spread by the jitter") {
  for (const auto& [jitter, wait] :
       std::vector<std::pair<double, std::string>>{{0.0, "100"}, {0.999, "299"}, {7, "300"}}) {
    Driver run;
    run.jitter = jitter;
    run(Informer::Begin{});
    CHECK(run(Informer::ListFailed{{ErrorKind::Unavailable, "refused"}}) ==
          "; wait " + wait + "; problem: refused");
  }
}

TEST_CASE("informer: 410 lists again, at once after a good watch, with backoff after another") {
  const std::string expired =
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}})";
  Driver run;
  run.watching();
  run.now += 60s;
  CHECK(run(Informer::Line{expired}) == "; list 500; problem: the watch was ended: too old resource version");
  CHECK(run(Informer::Line{event("ADDED", "late", 9)}) == "");
  CHECK(run(Informer::WatchEnded{}) == "");
  CHECK(run(Informer::Page{page(object("b", 70), 80)}) == "begins +b ends ; watch 80");
  CHECK(run(Informer::WatchEnded{fail(ErrorKind::Gone, "gone")}) == "; wait 400; problem: gone");
  CHECK(run(Informer::Begin{}) == "; list 500");
}

TEST_CASE("informer: another error event resumes the watch") {
  Driver run;
  run.watching();
  CHECK(run(Informer::Line{R"({"type":"ERROR","object":{"code":500,"message":"etcd"}})"}) ==
        "; wait 200; problem: the watch was ended: etcd");
  CHECK(run(Informer::Begin{}) == "; watch 10");
}

TEST_CASE("informer: a list whose token expired begins anew, without pages") {
  Driver run;
  run(Informer::Begin{});
  run(Informer::Page{page(object("a", 3), 10, "more")});
  CHECK(run(Informer::ListFailed{{ErrorKind::Gone, "expired"}}) == "; wait 200; problem: expired");
  CHECK(run(Informer::Begin{}) == "; list 0");
  CHECK(run(Informer::Page{page(object("a", 3), 20)}) == "begins +a ends ; watch 20");
}

TEST_CASE("informer: answers that are no answer") {
  Driver run;
  run(Informer::Begin{});
  CHECK(run(Informer::Page{"<html>"}) ==
        "; wait 200; problem: the API server's list: is not JSON: Invalid value. at byte 0");
  run(Informer::Begin{});
  CHECK(run(Informer::Page{"[]"}) ==
        "; wait 400; problem: the API server's answer is no list: it has no items or no resourceVersion");
  run(Informer::Begin{});
  run(Informer::Page{page("", 10)});
  CHECK(run(Informer::Line{"{"}).starts_with("; wait 800; problem: an event of the watch: is not JSON"));
  run(Informer::Begin{});
  CHECK(run(Informer::Line{R"({"type":"ADDED"})"}) ==
        "; wait 1600; problem: an event of the watch has no resourceVersion");
  CHECK(run(Informer::Begin{}) == "; watch 10");
  for (const char* text :
       {"null", "[]", "7", R"({"type":5,"object":[]})", R"({"type":"ERROR","object":7})"}) {
    run(Informer::Line{text});
    CHECK(run(Informer::Begin{}) == "; watch 10");
  }
}
