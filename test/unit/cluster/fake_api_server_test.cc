// The fake does what the real one does, as far as tests rely on it.
#include "test/fakes/fake_api_server.h"

#include <doctest/doctest.h>

#include "core/api/codec.h"
#include "run/uv_loop.h"
#include "test/fakes/turns.h"

using namespace live_update;

namespace {

const std::string kUpdates = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates";

struct Fixture {
  UvLoop loop;
  FakeApiServer api{loop};

  Result<Response> ask(Request request) {
    Result<Response> out = fail(ErrorKind::Timeout, "no answer");
    const Handle under_way = api.request(std::move(request), [&](Result<Response> result) {
      out = std::move(result);
      loop.stop();
    });
    const Handle end = loop.after(Millis(2000), [&] { loop.stop(); });
    loop.run();
    return out;
  }
  ObjectMeta meta(const Result<Response>& response) {
    REQUIRE(response);
    return decode_meta(*parse_json(response->body));
  }
  Request apply(const std::string& path, const std::string& rest, const std::string& manager = "op") {
    return {.method = Method::Patch,
            .path = path,
            .query = {{"fieldManager", manager}},
            .content_type = "application/apply-patch+yaml",
            .body = R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate",)" + rest + "}"};
  }
  void turn() { live_update::turn(loop); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "fake: create, and the errors of create") {
  const Request create{.method = Method::Post,
                       .path = kUpdates,
                       .body = R"({"metadata":{"name":"web"},"spec":{"a":1},"status":{"x":1}})"};
  const ObjectMeta made = meta(ask(create));
  CHECK(made.ns == "shop");
  CHECK(made.generation == 1);
  CHECK_FALSE(made.uid.empty());
  CHECK(made.created);
  CHECK_FALSE(api.text(kUpdates + "/web").contains("status"));
  const auto again = ask(create);
  REQUIRE_FALSE(again);
  CHECK(again.error() == Error{ErrorKind::AlreadyExists, "liveupdates \"web\" already exists"});
  CHECK(ask({.path = kUpdates + "/api"}).error() ==
        Error{ErrorKind::NotFound, "liveupdates \"api\" not found"});
}

TEST_CASE_FIXTURE(Fixture, "fake: the status is a world of its own; a spec's change is a generation") {
  meta(ask(
      {.method = Method::Post, .path = kUpdates, .body = R"({"metadata":{"name":"web"},"spec":{"a":1}})"}));
  const auto before = api.objects.version();
  CHECK(meta(ask(apply(kUpdates + "/web/status",
                       R"("metadata":{"name":"web"},"spec":{"a":9},"status":{"x":1,"y":{"z":2}})")))
            .generation == 1);
  CHECK(api.text(kUpdates + "/web").contains(R"("status":{"x":1,"y":{"z":2}})"));
  CHECK(api.text(kUpdates + "/web").contains(R"("spec":{"a":1})"));
  CHECK(api.objects.version() == before + 1);
  SUBCASE("an equal apply is no change") {
    (void)ask(apply(kUpdates + "/web/status", R"("metadata":{"name":"web"},"status":{"x":1,"y":{"z":2}})"));
    CHECK(api.objects.version() == before + 1);
  }
  SUBCASE("what is left out of an apply is removed, if the manager owned it") {
    (void)ask(
        apply(kUpdates + "/web/status", R"("metadata":{"name":"web"},"status":{"other":1})", "someone"));
    (void)ask(apply(kUpdates + "/web/status", R"("metadata":{"name":"web"},"status":{"y":{}})"));
    const auto status = parse_json(api.text(kUpdates + "/web"));
    CHECK((*status)["status"] == *parse_json(R"({"y":{},"other":1})"));
  }
  SUBCASE("apply of the spec") {
    CHECK(meta(ask(apply(kUpdates + "/web", R"("metadata":{"name":"web"},"spec":{"a":2})"))).generation == 2);
    CHECK(api.text(kUpdates + "/web").contains(R"("x":1)"));
  }
}

TEST_CASE_FIXTURE(Fixture, "fake: apply creates, but not through a subresource") {
  CHECK(meta(ask(apply(kUpdates + "/web", R"("metadata":{"name":"web"},"spec":{})"))).name == "web");
  CHECK(ask(apply(kUpdates + "/api/status", R"("metadata":{"name":"api"},"status":{})")).error().kind ==
        ErrorKind::NotFound);
  CHECK(ask(apply(kUpdates + "/web", R"("metadata":{"name":"web"})", "")).error().kind == ErrorKind::Invalid);
}

TEST_CASE_FIXTURE(Fixture, "fake: merge patch, JSON patch and replace, with conflicts") {
  api.objects.set(kUpdates + "/web", R"({"metadata":{"annotations":{"a":"1"}},"spec":{"list":[1,2]}})");
  const Request patch{.method = Method::Patch,
                      .path = kUpdates + "/web",
                      .content_type = "application/merge-patch+json",
                      .body = R"({"metadata":{"annotations":{"a":null,"b":"2"}},"spec":{"list":[3]}})"};
  meta(ask(patch));
  CHECK(api.text(kUpdates + "/web").contains(R"("annotations":{"b":"2"})"));
  CHECK(api.text(kUpdates + "/web").contains(R"("list":[3])"));

  Request stale = patch;
  stale.body = R"({"metadata":{"resourceVersion":"1"},"spec":{}})";
  CHECK(ask(stale).error().kind == ErrorKind::Conflict);
  stale.method = Method::Put;
  CHECK(ask(stale).error().kind == ErrorKind::Conflict);
  Request tested{
      .method = Method::Patch,
      .path = kUpdates + "/web",
      .content_type = "application/json-patch+json",
      .body =
          R"([{"op":"test","path":"/spec/list/0","value":3},{"op":"replace","path":"/spec/list/0","value":4}])"};
  meta(ask(tested));
  CHECK(ask(tested).error().kind == ErrorKind::Invalid);
  CHECK(api.text(kUpdates + "/web").contains(R"("list":[4])"));
}

TEST_CASE_FIXTURE(Fixture, "fake: delete, finalizers and preconditions") {
  api.objects.set(kUpdates + "/web", R"({"metadata":{"finalizers":["x"]}})");
  const std::string uid = decode_meta(**api.objects.get(*parse_resource_path(kUpdates + "/web"))).uid;
  Request remove{
      .method = Method::Delete, .path = kUpdates + "/web", .body = R"({"preconditions":{"uid":"other"}})"};
  CHECK(ask(remove).error().kind == ErrorKind::Conflict);
  remove.body = R"({"preconditions":{"uid":")" + uid + "\"}}";
  CHECK(meta(ask(remove)).deleted);
  CHECK_FALSE(api.text(kUpdates + "/web").empty());
  meta(ask({.method = Method::Patch,
            .path = kUpdates + "/web",
            .content_type = "application/merge-patch+json",
            .body = R"({"metadata":{"finalizers":[]}})"}));
  CHECK(api.text(kUpdates + "/web").empty());
}

TEST_CASE_FIXTURE(Fixture, "fake: lists with selectors, watches that follow a selection") {
  const std::string pods = "/api/v1/namespaces/shop/pods";
  auto with_app = [](const std::string& app) {
    return R"({"kind":"Pod","metadata":{"labels":{"app":")" + app + "\"}}}";
  };
  api.objects.set(pods + "/a", with_app("web"));
  api.objects.set(pods + "/b", with_app("db"));
  auto names = [&](const std::string& labels) {
    const auto list = ask({.path = pods, .query = {{"labelSelector", labels}}});
    REQUIRE(list);
    return (list->body.contains("\"a\"") ? std::string("a") : "") + (list->body.contains("\"b\"") ? "b" : "");
  };
  CHECK(names("app=web") == "a");
  CHECK(names("app!=web") == "b");
  CHECK(names("app in (web, db)") == "ab");
  CHECK(names("app notin (web)") == "b");
  CHECK(names("!app") == "");
  CHECK(names("app,app=db") == "b");
  CHECK(ask({.path = pods, .query = {{"fieldSelector", "metadata.name=b"}}})->body.contains("PodList"));

  std::string events;
  Result<> end;
  const Handle watch = api.watch(
      {.path = pods, .query = {{"labelSelector", "app=web"}}},
      [&](std::string line) {
        const auto json = parse_json(line);
        REQUIRE(json);
        events += std::string((*json)["type"].GetString()) + " " + decode_meta((*json)["object"]).name + "; ";
      },
      [](Result<>) {});
  api.objects.set(pods + "/b", with_app("web"));
  api.objects.set(pods + "/b", with_app("web"));
  api.objects.set(pods + "/a", with_app("db"));
  turn();
  CHECK(events == "ADDED b; MODIFIED b; DELETED a; ");
}

TEST_CASE_FIXTURE(Fixture, "fake: injected errors, what was asked, cancelled requests") {
  api.fail_next(Method::Get, "/liveupdates", {ErrorKind::Unavailable, "etcd is away"});
  CHECK(ask({.path = kUpdates}).error().message == "etcd is away");
  CHECK(ask({.path = kUpdates}));
  api.interceptor = [](const Request& request) {
    return request.method == Method::Get ? std::optional(Error{ErrorKind::Forbidden, "no"}) : std::nullopt;
  };
  CHECK(ask({.path = kUpdates}).error().kind == ErrorKind::Forbidden);
  CHECK(api.count(Method::Get, "liveupdates") == 3);
  bool called = false;
  {
    const Handle dropped = api.request({.path = kUpdates}, [&](Result<Response>) { called = true; });
  }
  turn();
  CHECK_FALSE(called);
}

TEST_CASE_FIXTURE(Fixture, "fake: an exec session scripted by the test") {
  api.on_exec = [](FakeExec& exec) {
    CHECK(exec.request().pod == "web-1");
    exec.on_input([exec]() mutable {
      if (!exec.input_closed()) return;
      exec.out("got " + exec.input());
      exec.err("warning");
      exec.exit(3);
    });
  };
  std::string log;
  auto session =
      api.exec({.ns = "shop", .pod = "web-1", .command = {"cat"}, .stdin_open = true},
               {.on_open = [&] { log += "open "; },
                .on_stdout = [&](std::string bytes) { log += "out(" + bytes + ") "; },
                .on_stderr = [&](std::string bytes) { log += "err(" + bytes + ") "; },
                .on_end = [&](Result<ExecExit> how) { log += "exit " + std::to_string(how->code); }});
  session->write("a", [&] { log += "written "; });
  session->write("b");
  session->close_stdin();
  turn();
  CHECK(log == "open written out(got ab) err(warning) exit 3");
}

TEST_CASE_FIXTURE(Fixture, "fake: a cut session, and one that the client drops") {
  std::vector<FakeExec> kept;
  api.on_exec = [&](FakeExec& exec) { kept.push_back(exec); };
  std::string log;
  auto session =
      api.exec({.pod = "a"}, {.on_end = [&](Result<ExecExit> how) { log += how.error().message; }});
  auto dropped = api.exec({.pod = "b"}, {.on_end = [&](Result<ExecExit>) { log += "never"; }});
  turn();
  REQUIRE(kept.size() == 2);
  dropped.reset();
  CHECK_FALSE(kept[1].alive());
  kept[1].exit(0);
  api.set_away(true);
  turn();
  CHECK(log == "the API server cannot be reached: connection refused");
}
