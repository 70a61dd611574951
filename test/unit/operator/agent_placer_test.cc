// Ephemeral containers: what is asked of the API server, and what is read from a pod.
#include "operator/agent/agent_placer.h"

#include <doctest/doctest.h>
#include <rapidjson/pointer.h>

#include "core/api/codec.h"
#include "run/content.h"
#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"
#include "test/fakes/turns.h"

using namespace live_update;

namespace {

const std::string kPath = "/api/v1/namespaces/shop/pods/web-1";
const ContainerRef kWeb{"shop", "web-1", "web", "containerd://c1"};

AgentPrograms one_program() {
  auto bytes = std::make_shared<std::string>("program");
  return {{"amd64", {"amd64", bytes, *agent::digest_from(sha256(*bytes))}}};
}

const std::string kFile = "/tmp/" + one_program().begin()->second.file_name();

std::string pod_with(const std::string& container_fields = "", const std::string& pod_fields = "",
                     const std::string& status_fields = "") {
  return R"({"metadata":{"uid":"u1"},"spec":{"containers":[{"name":"web","image":"web:1")" +
         container_fields + "}]" + pod_fields +
         R"(},"status":{"containerStatuses":[{"name":"web","containerID":"containerd://c1",
            "state":{"running":{}})" +
         status_fields + "}]}}";
}

rapidjson::Document added(const std::string& pod, int number = 1) {
  const Request request =
      add_ephemeral(*parse_json(pod), kWeb, one_program(), {"localhost/operator:1", ""}, {"/tmp"}, number);
  CHECK(request.path == kPath + "/ephemeralcontainers");
  CHECK(request.content_type == "application/strategic-merge-patch+json");
  return std::move(*parse_json(request.body));
}

std::string at(const rapidjson::Value& json, const std::string& field) {
  const auto* value = rapidjson::Pointer(("/spec/ephemeralContainers/0/" + field).c_str()).Get(json);
  if (!value) return "nothing";
  return value->IsString() ? value->GetString() : to_text(*value);
}

class World {
 public:
  explicit World(const std::string& pod = pod_with(), const std::string& image = "localhost/operator:1")
      : placer(api, [this](Millis delay, Callback work) { return loop.after(delay / 100, std::move(work)); },
               programs,
               {.image = {image, "IfNotPresent"}, .patience = Millis(20'000), .stuck = Millis(5'000)}) {
    api.objects.set(kPath, pod);
    api.interceptor = [this](const Request& request) -> std::optional<Error> {
      if (request.method == Method::Get && on_look) on_look();
      return {};
    };
  }
  int adds() const { return api.count(Method::Patch, "/ephemeralcontainers"); }
  std::string name() const { return at(*parse_json(api.text(kPath)), "name"); }
  // What the kubelet says of the newest one.
  void state(const std::string& text) {
    api.objects.merge_patch(
        *parse_resource_path(kPath + "/status"),
        R"({"status":{"ephemeralContainerStatuses":[{"name":")" + name() + R"(","state":{)" + text + "}}]}}");
  }
  void ends(const std::string& message, int code = 0) {
    state(R"("terminated":{"exitCode":)" + std::to_string(code) + R"(,"reason":"Error","message":")" +
          message + R"("})");
  }
  std::string place(const std::string& missing = "") {
    std::string told = "nothing yet";
    const Handle job = placer.place({kWeb, {"/tmp"}, missing}, [&](Result<AgentPlacer::Placed> placed) {
      if (!placed) told = "error: " + placed.error().message;
      if (placed) told = placed->file.empty() ? "tried " + placed->tried.back() : placed->file;
      loop.stop();
    });
    const Handle limit = loop.after(Millis(5'000), [&] { loop.stop(); });
    loop.run();
    return told;
  }

  UvLoop loop;
  FakeApiServer api{loop};
  AgentPrograms programs = one_program();
  AgentPlacer placer;
  std::function<void()> on_look;  // before each GET of the pod
};

}  // namespace

TEST_CASE("an ephemeral container is added once, and its file is found again") {
  World world;
  world.on_look = [&] {
    if (world.adds() == 1)
      world.ends(R"(live-update: tried /run: is not there\nlive-update: start )" + kFile);
  };
  CHECK(world.place() == kFile);
  CHECK(world.place() == kFile);
  CHECK(world.adds() == 1);
}

TEST_CASE("what it waits for is waited for; what the kubelet cannot do it may do a little later") {
  World world;
  int looks = 0;
  world.on_look = [&] {
    if (world.adds() == 0) return;
    if (++looks < 3) world.state(R"("waiting":{"reason":"ContainerCreating"})");
    if (looks == 3) world.state(R"("waiting":{"reason":"ErrImagePull","message":"pull QPS exceeded"})");
    if (looks == 4) world.ends("live-update: start " + kFile);
  };
  CHECK(world.place() == kFile);
  world.on_look = nullptr;
  world.state(R"("waiting":{"reason":"ImagePullBackOff","message":"no such image"})");
  CHECK(world.place() == "tried ephemeral container: ImagePullBackOff: no such image");
  world.state(R"("running":{})");
  CHECK(world.place() == "tried ephemeral container: has not ended for 21 s");
  CHECK(world.adds() == 1);
}

TEST_CASE("one that failed says why, and the next time another one is added, but not for ever") {
  World world;
  const auto each_ends = [&](const std::string& message, int code) {
    world.on_look = [&world, message, code, known = world.adds()] {
      if (world.adds() > known) world.ends(message, code);
    };
    return world.place();
  };
  CHECK(each_ends(R"(live-update: tried /tmp: is not there\nlive-update: none)", 1) ==
        "tried ephemeral container: /tmp: is not there");
  CHECK(each_ends("exec format error", 255).ends_with("-2: Error, exit code 255: exec format error"));
  CHECK(each_ends("live-update: start /tmp/.live-update-agent-0123456789abcdef", 0)
            .ends_with(
                "its image has the agent of another operator (/tmp/.live-update-agent-0123456789abcdef)"));
  CHECK(each_ends(R"(live-update: start /\u001b[2J)" + kFile, 0).starts_with("tried "));
  CHECK(each_ends("", 137).ends_with("-5: Error, exit code 137"));
  CHECK(each_ends("live-update: start " + kFile, 0).starts_with("tried "));
  CHECK(world.adds() == 5);
}

TEST_CASE("a file that cannot be executed is put there again, but not for ever") {
  World world;
  for (int number = 1; number <= 5; ++number) {
    world.on_look = [&world, number] {
      if (world.adds() == number) world.ends("live-update: start " + kFile);
    };
    CHECK(world.place(kFile) == kFile);
  }
  world.on_look = nullptr;
  CHECK(world.place(kFile) == "tried ephemeral container: what 5 of them have put there, " + kFile +
                                  ", could not be executed later; restart the container");
  CHECK(world.adds() == 5);
}

TEST_CASE("what lies on a volume of the pod serves the next life of the container, too") {
  World world(pod_with("", R"(,"ephemeralContainers":[
      {"name":"live-update-1111111111-1","targetContainerName":"web"},
      {"name":"live-update-2222222222-1","targetContainerName":"other"}])"));
  ContainerRef web = kWeb;
  web.empty_dirs = {"/data"};
  const auto look = [&](const std::string& directory, const std::string& missing) {
    const std::string file = directory + kFile.substr(4);
    auto pod = *parse_json(world.api.text(kPath));
    rapidjson::Pointer("/status/ephemeralContainerStatuses/0/name").Set(pod, "live-update-1111111111-1");
    rapidjson::Pointer("/status/ephemeralContainerStatuses/0/state/terminated/message")
        .Set(pod, ("live-update: start " + file).c_str());
    const auto found = look_for_ephemeral(pod, web, world.programs, missing);
    CHECK(found.in_pod == 2);
    return found.state == EphemeralLook::Placed ? found.file : "none";
  };
  CHECK(look("/data", "") == "/data" + kFile.substr(4));
  CHECK(look("/data", "/data" + kFile.substr(4)) == "none");
  CHECK(look("/tmp", "") == "none");
  web.shared = {"/data"};  // another container may have exchanged it
  CHECK(look("/data", "") == "none");
  web.container = "third";
  CHECK(look_for_ephemeral(*parse_json(world.api.text(kPath)), web, world.programs, "").state ==
        EphemeralLook::Gone);
}

TEST_CASE("a pod that has many of them gets no more") {
  std::string all;
  for (int i = 0; i < 25; ++i)
    all += (i ? "," : "") + std::string(R"({"name":"live-update-000000000)") + std::to_string(i) + R"(-1"})";
  World world(pod_with("", ",\"ephemeralContainers\":[" + all + "]"));
  CHECK(world.place().starts_with("tried ephemeral container: the pod has 25 of them already"));
  CHECK(world.adds() == 0);
}

TEST_CASE("16 are added at a time, four of a namespace; who is called back makes room") {
  World world;
  world.api.set_away(true);
  std::vector<Handle> jobs;
  int done = 0;
  const auto place = [&](const std::string& ns, int number) {
    jobs.push_back(world.placer.place({{ns, "web-" + std::to_string(number), "web", "c"}, {"/tmp"}},
                                      [&](const auto&) { ++done; }));
  };
  for (int i = 0; i < 20; ++i) place("shop", i);
  CHECK(world.api.count(Method::Get, "/pods/") == 4);
  for (int i = 0; i < 20; ++i) place("team-" + std::to_string(i), i);
  CHECK(world.api.count(Method::Get, "/pods/") == 16);
  jobs.erase(jobs.begin());
  CHECK(world.api.count(Method::Get, "/pods/") == 17);
  jobs.clear();
  turn(world.loop);
  CHECK(done == 0);
}

TEST_CASE("where an ephemeral container was late, there is less patience for the next look") {
  World world;
  const auto tell = [&](bool again) {
    std::string told;
    const Handle job = world.placer.place({.to = kWeb, .directories = {"/tmp"}, .again = again},
                                          [&](Result<AgentPlacer::Placed> placed) {
                                            told = placed->tried.back() + (placed->late ? ", late" : "");
                                            world.loop.stop();
                                          });
    const Handle limit = world.loop.after(Millis(5'000), [&] { world.loop.stop(); });
    world.loop.run();
    return told;
  };
  CHECK(tell(false) == "ephemeral container: has not ended for 21 s, late");
  CHECK(tell(true) == "ephemeral container: has not ended for 12 s, late");
}

TEST_CASE("who may not, or is refused, says so; no answer is for later") {
  World without(pod_with(), "");
  CHECK(without.place().contains("ephemeralContainers.enabled"));
  CHECK(without.api.seen.empty());
  for (const ErrorKind kind : {ErrorKind::Forbidden, ErrorKind::Invalid, ErrorKind::TooLarge}) {
    World refused;
    refused.api.fail_next(Method::Patch, "/ephemeralcontainers", {kind, "violates PodSecurity"});
    CHECK(refused.place() == "tried ephemeral container: violates PodSecurity");
  }
  for (const ErrorKind kind : {ErrorKind::Unavailable, ErrorKind::Conflict, ErrorKind::TooManyRequests}) {
    World later;
    later.api.fail_next(Method::Patch, "/ephemeralcontainers", {kind, "not now"});
    CHECK(later.place() == "error: not now");
    later.api.fail_next(Method::Get, "/pods/web-1", {kind, "not now"});
    CHECK(later.place() == "error: not now");
  }
}

TEST_CASE("a container that has gone meanwhile, or its pod, is not one that refuses") {
  const std::string other =
      R"({"status":{"containerStatuses":[{"name":"web","containerID":"containerd://c2"}]}})";
  World before;
  before.api.objects.merge_patch(*parse_resource_path(kPath + "/status"), other);
  CHECK(before.place() == "error: the container is not running");
  CHECK(before.adds() == 0);
  World after;
  after.on_look = [&] {
    if (after.adds() > 0) after.api.objects.merge_patch(*parse_resource_path(kPath + "/status"), other);
  };
  CHECK(after.place() == "error: the container is not running");
  World replaced;
  replaced.api.fail_next(Method::Patch, "/ephemeralcontainers", {ErrorKind::Invalid, "field is immutable"});
  replaced.on_look = [&] {
    if (replaced.adds() > 0) replaced.api.objects.merge_patch(*parse_resource_path(kPath + "/status"), other);
  };
  CHECK(replaced.place() == "error: the container is not running");
}

TEST_CASE("it has the security context of the container and nothing more") {
  const auto one =
      added(pod_with(R"(,"securityContext":{"capabilities":{"drop":["ALL"]},"runAsUser":7})"), 3);
  CHECK(at(one, "name").ends_with("-3"));
  CHECK(at(one, "targetContainerName") == "web");
  CHECK(at(one, "image") == "localhost/operator:1");
  CHECK(at(one, "imagePullPolicy") == "nothing");
  CHECK(at(one, "securityContext") == R"({"capabilities":{"drop":["ALL"]},"runAsUser":7})");
  CHECK(at(one, "command") ==
        R"(["/agents/live-update-agent","place","--report","/dev/termination-log","--user","7","/tmp"])");
  CHECK(std::string(rapidjson::Pointer("/metadata/uid").Get(one)->GetString()) == "u1");
}

TEST_CASE("the user: of the container, of the pod, of its status, else root to become it, else our own") {
  const auto context = [](const std::string& pod) { return at(added(pod), "securityContext"); };
  CHECK(context(pod_with()) == R"({"runAsUser":0})");
  CHECK(context(pod_with("", R"(,"securityContext":{"runAsUser":8})")) == R"({"runAsUser":8})");
  CHECK(context(pod_with(R"(,"securityContext":{"runAsUser":7})", R"(,"securityContext":{"runAsUser":8})")) ==
        R"({"runAsUser":7})");
  CHECK(context(pod_with("", "", R"(,"user":{"linux":{"uid":9,"gid":9}})")) ==
        R"({"runAsUser":9,"runAsGroup":9})");
  CHECK(context(pod_with("", R"(,"securityContext":{"runAsNonRoot":true})")) == "{}");
  CHECK(context(pod_with(R"(,"securityContext":{"runAsNonRoot":false})",
                         R"(,"securityContext":{"runAsNonRoot":true})")) ==
        R"({"runAsNonRoot":false,"runAsUser":0})");
}

TEST_CASE("with a shared process namespace it is told which container is meant") {
  for (const char* field : {"shareProcessNamespace", "hostPID"})
    CHECK(at(added(pod_with("", ",\"" + std::string(field) + "\":true")), "command")
              .contains(R"("--container","c1","/tmp")"));
}
