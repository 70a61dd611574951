// Several LiveUpdates on one container, one that is made again, and what is not in the cache for a moment.
#include <doctest/doctest.h>

#include "core/desired/mirror.h"
#include "core/rules/rules_mark.h"
#include "test/unit/operator/controller_world.h"

using namespace live_update;

namespace {

// Says who expects deliveries, and where they went.
struct Recording : ContainerTransport {
  explicit Recording(Loop& loop) : loop(loop) {}
  void expect(const ContainerRef& to, const Expectation& it) override {
    users[to.container_id].insert(it.who);
  }
  void forget(const std::string& container_id, const std::string& who) override {
    users[container_id].erase(who);
  }
  Handle deliver(const ContainerRef&, std::shared_ptr<const Delivery> delivery,
                 std::move_only_function<void(DeliveryOutcome)> done, OnOutput) override {
    for (const DeliveryWrite& it : delivery->writes) written.insert(it.to);
    for (const std::string& it : delivery->notes) notes.insert(it);
    if (delivery->mirror) mirrored = delivery->mirror->folders.front().path;
    return loop.after(Millis(1), [done = std::make_shared<decltype(done)>(std::move(done))] {
      (*done)(Delivered{.transport = "Agent"});
    });
  }
  Loop& loop;
  std::map<std::string, std::set<std::string>> users;  // by container ID
  std::set<std::string> written, notes;
  std::string mirrored;
};

struct Neighbours : Cluster {
  void live_update(const std::string& name, const std::string& from, const std::string& to) {
    api.objects.set(
        path_of(name),
        R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"generation":)" +
            std::to_string(++generation) + R"(},"spec":{
      "target":{"workload":{"kind":"Deployment","name":"web"}},"steps":[{"sync":{"from":")" +
            from + R"(","to":")" + to + R"("}}]}})");
  }
  static std::string path_of(const std::string& name) {
    return "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/" + name;
  }
  bool until_seen(const std::string& name) {
    return until([&] {
      const auto it = *decode_live_update(*parse_json(api.text(path_of(name))));
      return it.status.observed_generation == it.meta.generation;
    });
  }
  std::string uid_of(const std::string& name) {
    return decode_live_update(*parse_json(api.text(path_of(name))))->meta.uid;
  }
  void post_link(std::int64_t sequence, const std::string& path) {
    ChangeSet it;
    it.meta = {"shop", change_set_name("web", "7f3a", sequence)};
    it.spec = {"web", "7f3a", "ada", sequence};
    Change change{path};
    change.type = FileType::Symlink;
    change.target = "elsewhere";
    it.spec.changes.push_back(change);
    api.objects.set("/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/" + it.meta.name,
                    encode_change_set(it));
  }
  bool refuses_link(std::int64_t sequence) {
    return until([&] {
      const auto status = change_set_status(sequence);
      return status && status->phase == "Applied" &&
             status->message.starts_with(
                 "not all of it is sent: spec.steps[0].sync.to sends the symlink src/lib to /app/lib: a sync "
                 "leads to that place, or through it");
    });
  }
  int generation = 0;
  Recording transport{loop};
  Controller::Options options{.instance = "test", .retry = Millis(20)};
};

}  // namespace

TEST_CASE("a LiveUpdate that is made again before anybody looks: nothing is expected for the old one") {
  Neighbours web;
  web.pod("a", "1");
  Operator op(web.loop, web.api, web.options, &web.transport);
  auto& users = web.transport.users["containerd://1"];
  REQUIRE(web.until([&] { return users == std::set{web.uid_of("web")}; }));
  REQUIRE(web.api.objects.remove(*parse_resource_path(Cluster::kLiveUpdate)));
  web.live_update("web", "src", "/srv");
  CHECK(web.until([&] { return users.contains(web.uid_of("web")); }));
  CHECK(users == std::set{web.uid_of("web")});
}

TEST_CASE("4.3 where another LiveUpdate of the container leads is known in the first look after a start") {
  Neighbours web;
  web.live_update("zoo", "lib", "/app/lib");  // looked at after `web`
  web.pod("a", "1");
  web.post(1, "src/x.py", "hello");
  web.post_link(2, "src/lib");
  Operator op(web.loop, web.api, web.options, &web.transport);
  CHECK(web.refuses_link(2));
  CHECK(web.transport.written == std::set<std::string>{"/app/x.py"});
}

TEST_CASE("4.3 a batch is judged again when another LiveUpdate comes to share the container") {
  Neighbours web;
  web.live_update("zoo", "lib", "/app/lib");
  Operator op(web.loop, web.api, web.options, &web.transport);
  web.post_link(1, "src/lib");
  REQUIRE(web.until([&] { return web.phase(1) == "Waiting"; }));
  web.pod("a", "1");
  CHECK(web.refuses_link(1));
  CHECK(web.transport.written.empty());
}

TEST_CASE("4.3 another LiveUpdate that leads elsewhere from now on is taken as it is now") {
  Neighbours web;
  web.live_update("zoo", "lib", "/srv");
  web.pod("a", "1");
  Operator op(web.loop, web.api, web.options, &web.transport);
  REQUIRE(web.until_synced("1/1", 0));
  web.live_update("zoo", "lib", "/app/lib");
  REQUIRE(web.until_seen("zoo"));
  web.post_link(1, "src/lib");
  CHECK(web.refuses_link(1));
  web.live_update("zoo", "lib", "/srv");
  REQUIRE(web.until_seen("zoo"));
  web.post_link(2, "src/lib");
  CHECK(web.until([&] { return web.phase(2) == "Applied"; }));
  CHECK(web.transport.written == std::set<std::string>{"/app/lib"});
}

TEST_CASE("6.2 a redeploy whose workload is not known for a moment is asked for again") {
  Neighbours web;
  web.api.objects.set(Cluster::kLiveUpdate,
                      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"selector":{"matchLabels":{"app":"web"}}},
      "steps":[{"fallBackOn":{"paths":["Dockerfile"]}},{"sync":{"from":"src","to":"/app"}}]}})");
  web.pod("a", "1");
  std::string pod = web.api.text("/api/v1/namespaces/shop/pods/a");
  pod.replace(pod.find(R"("metadata":{)"), 12, R"("metadata":{"labels":{"app":"web"},)");
  web.api.objects.set("/api/v1/namespaces/shop/pods/a", pod);
  web.api.objects.remove(*parse_resource_path("/apis/apps/v1/namespaces/shop/replicasets/web-1"));
  Operator op(web.loop, web.api, web.options, &web.transport);
  web.post(1, "Dockerfile", "FROM");
  REQUIRE(web.until([&] {
    const auto& fall_back = web.status().fall_back;
    return fall_back && fall_back->message.starts_with("ReplicaSet/web-1 cannot be restarted");
  }));
  CHECK(web.api.count(Method::Patch, "/deployments/web") == 0);
  web.replica_set("web-1", 1);
  CHECK(web.until([&] { return web.api.count(Method::Patch, "/deployments/web") == 1; }));
}

TEST_CASE(
    "4.5 Mirror deletes nothing where another LiveUpdate leads, even if that one's spec is wrong at "
    "present") {
  struct Other {
    const char *from, *to;
    bool beside;
  };
  for (const Other other :
       {Other{"lib", "/elsewhere", true}, Other{"lib", "/app", false}, Other{"../lib", "/app", false}}) {
    CAPTURE(other.from);
    Neighbours world;
    world.live_update("other", other.from, other.to);
    world.api.objects.set(
        Neighbours::path_of("web"),
        R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"generation":9},"spec":{
      "target":{"workload":{"kind":"Deployment","name":"web"}},"source":{"deletes":"Mirror"},
      "steps":[{"sync":{"from":"src","to":"/app"}}]}})");
    ChangeSet all;
    all.meta = {"shop", change_set_name("web", "7f3a", 1)};
    all.spec = {"web", "7f3a", "ada", 1, ChangeSetType::Snapshot};
    all.spec.changes.push_back({.path = "src/a", .digest = sha256("")});
    all.spec.ignores = HostIgnores{};
    all.spec.reach =
        reach_mark(decode_live_update(*parse_json(world.api.text(Neighbours::path_of("web"))))->spec);
    world.api.objects.set("/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/" + all.meta.name,
                          encode_change_set(all));
    world.pod("a", "1");
    const Operator program(world.loop, world.api, world.options, &world.transport);
    REQUIRE(world.until([&] { return world.transport.written.contains("/app/a"); }));
    CHECK(world.transport.mirrored == (other.beside ? "/app" : ""));
    CHECK(world.transport.notes.size() == (other.beside ? 0 : 1));
  }
}
