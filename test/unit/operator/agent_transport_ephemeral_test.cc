// Transport Agent where there is no shell: the placer and the sessions together.
#include <rapidjson/pointer.h>

#include "core/api/codec.h"
#include "test/unit/operator/agent_transport_world.h"

using namespace live_update;

namespace {

const std::string kPod = "/api/v1/namespaces/shop/pods/web-1";

// A container without a shell, in which each ephemeral container puts the agent at once.
class NoShell : public TransportWorld {
 public:
  explicit NoShell(Transport how = Transport::Agent) : how_(how) {
    api.objects.set(kPod, R"({"metadata":{"uid":"u"},"spec":{"containers":[{"name":"web"}]},"status":{
        "containerStatuses":[{"name":"web","containerID":"containerd://1","state":{"running":{}}}]}})");
    api.interceptor = [this](const Request& request) -> std::optional<Error> {
      if (request.method == Method::Get && places) end_newest();
      return {};
    };
  }
  std::string file() const { return "/tmp/" + programs.begin()->second.file_name(); }
  int added() const { return api.count(Method::Patch, "/ephemeralcontainers"); }
  const std::vector<std::string>& command() const { return execs.back().request().command; }
  void save() {
    Delivery delivery = one_file();
    delivery.transport = how_;
    deliver(std::move(delivery));
  }
  void missing() {
    execs.back().cut(
        {ErrorKind::Invalid, "the program cannot be started in the container: no such file or directory"});
    for (int i = 0; i < 8; ++i) turn();
  }
  void wait_for_exec(std::size_t number) {
    const Handle limit = loop.after(Millis(5'000), [&] { loop.stop(); });
    const Handle look = loop.every(Millis(5), [&] {
      if (execs.size() >= number) loop.stop();
    });
    loop.run();
    REQUIRE(execs.size() == number);
  }
  bool places = true;

 private:
  void end_newest() {
    const auto pod = parse_json(api.text(kPod));
    const auto* name = rapidjson::Pointer("/spec/ephemeralContainers/0/name").Get(*pod);
    if (!name) return;
    api.objects.merge_patch(*parse_resource_path(kPod + "/status"),
                            R"({"status":{"ephemeralContainerStatuses":[{"name":")" +
                                std::string(name->GetString()) +
                                R"(","state":{"terminated":{"exitCode":0,"message":"live-update: start )" +
                                file() + R"("}}}]}})");
  }
  Transport how_;
};

}  // namespace

TEST_CASE("without sh an ephemeral container puts the agent there, and it is executed directly") {
  NoShell world;
  world.save();
  CHECK(world.command()[0] == "sh");
  world.missing();
  world.wait_for_exec(2);
  CHECK(world.command() == std::vector<std::string>{world.file(), "serve"});
  world.greets();
  world.says(agent::Confirmed{1, 1});
  REQUIRE(world.told() == "delivered");
  CHECK(std::get<Delivered>(*world.outcome).transport == "Ephemeral");
  // The next session needs neither sh nor the API server.
  world.transport.forget("containerd://none", "lu");
  world.execs.back().cut({ErrorKind::Unavailable, "connection reset"});
  world.turn();
  world.save();
  CHECK(world.command() == std::vector<std::string>{world.file(), "serve"});
  CHECK(world.added() == 1);
}

TEST_CASE("transport Ephemeral does not look for a shell; a file that has gone is put there again") {
  NoShell world(Transport::Ephemeral);
  world.save();
  world.wait_for_exec(1);
  CHECK(world.command()[0] == world.file());
  world.missing();
  world.wait_for_exec(2);
  CHECK(world.added() == 2);
  CHECK(world.told() == "nothing yet");
}

TEST_CASE("an ephemeral container puts nothing where another container of the pod can write") {
  NoShell world(Transport::Ephemeral);
  world.places = false;
  ContainerRef web = TransportWorld::container(1);
  web.empty_dirs = {"/tmp", "/own"};
  web.shared = {"/tmp"};
  Delivery delivery = one_file();
  delivery.transport = Transport::Ephemeral;
  const Handle job = world.transport.deliver(web, std::make_shared<Delivery>(delivery), [](auto) {}, nullptr);
  for (int i = 0; i < 8; ++i) world.turn();
  REQUIRE(world.added() == 1);
  const std::string pod = world.api.text(kPod);
  CHECK(pod.contains(R"("/own")"));
  CHECK_FALSE(pod.contains(R"("/tmp")"));
}

TEST_CASE("where nothing works every way that was tried is named, and it is tried again some time later") {
  NoShell world;
  world.api.fail_next(Method::Patch, "/ephemeralcontainers", {ErrorKind::Forbidden, "violates PodSecurity"});
  world.save();
  world.missing();
  REQUIRE(world.told() == "AgentUnavailable");
  const std::string message = std::get<NotDelivered>(*world.outcome).message;
  CHECK(message.contains("sh: the image has none, ephemeral container: violates PodSecurity"));
  const std::size_t execs = world.execs.size();
  world.save();
  world.turn();
  CHECK(world.told() == "AgentUnavailable");
  CHECK(world.execs.size() == execs);
}

TEST_CASE("an API server that does not answer for a moment makes nothing impossible") {
  NoShell world;
  world.api.fail_next(Method::Get, "/pods/web-1", {ErrorKind::Unavailable, "etcd is away"});
  world.save();
  world.missing();
  REQUIRE(world.told() == "Unreachable");
  CHECK(std::get<NotDelivered>(*world.outcome).curable);
  world.save();
  world.missing();
  world.wait_for_exec(3);
  CHECK(world.command()[0] == world.file());
}

TEST_CASE("a delivery that is called back while the agent is being placed leaves nothing behind") {
  NoShell world(Transport::Ephemeral);
  world.places = false;
  world.transport.expect(TransportWorld::container(1), {"lu", {}, Transport::Ephemeral});
  world.save();
  world.transport.forget(TransportWorld::container(1).container_id, "lu");
  world.job.reset();
  world.places = true;
  const Handle limit = world.loop.after(Millis(1'000), [&] { world.loop.stop(); });
  world.loop.run();
  CHECK(world.execs.empty());
}

TEST_CASE("two LiveUpdates that wish it differently at the same time both get what is possible") {
  NoShell world;
  world.api.fail_next(Method::Patch, "/ephemeralcontainers", {ErrorKind::Forbidden, "no"});
  world.save();
  world.missing();
  REQUIRE(world.told() == "AgentUnavailable");
  std::optional<DeliveryOutcome> first, second;
  Delivery one = one_file(), two = one_file();
  one.transport = Transport::Agent;
  two.transport = Transport::Ephemeral;
  const Handle a = world.transport.deliver(
      TransportWorld::container(1), std::make_shared<Delivery>(one), [&](auto it) { first = std::move(it); },
      nullptr);
  const Handle b = world.transport.deliver(
      TransportWorld::container(1), std::make_shared<Delivery>(two), [&](auto it) { second = std::move(it); },
      nullptr);
  world.wait_for_exec(2);
  CHECK(world.command()[0] == world.file());
  world.greets();
  world.says(agent::Confirmed{1, 1});
  world.says(agent::Confirmed{2, 1});
  REQUIRE(first);
  REQUIRE(second);
  CHECK(std::holds_alternative<Delivered>(*first));
  CHECK(std::holds_alternative<Delivered>(*second));
}
