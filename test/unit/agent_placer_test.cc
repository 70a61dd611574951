// Ephemeral containers: what is asked of the API server, and what is read from a pod.
#include "operator/agent_placer.h"

#include <doctest/doctest.h>
#include <rapidjson/pointer.h>

#include "core/api_json.h"
#include "run/content.h"
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
               programs, {.image = {image, "IfNotPresent"}, .patience = Millis(20'000)}) {
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
    const Handle job = placer.place(kWeb, {"/tmp"}, missing, [&](Result<AgentPlacer::Placed> placed) {
      if (!placed) told = "error: " + placed.error().message;
      if (placed) told = placed->file.empty() ? "tried " + placed->tried.back() : placed->file;
      loop.stop();
    });
    const Handle limit = loop.after(Millis(5'000), [&] { loop.stop(); });
    loop.run();
    return told;
  }

  Loop loop;
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

TEST_CASE("what it waits for is waited for, and said where that does not come by itself") {
  World world;
  int looks = 0;
  world.on_look = [&] {
    if (world.adds() == 0) return;
    if (++looks < 3) world.state(R"("waiting":{"reason":"ContainerCreating"})");
    if (looks == 3) world.state(R"("waiting":{"reason":"ImagePullBackOff","message":"no such image"})");
  };
  const std::string told = world.place();
  CHECK(told == "tried ephemeral container " + world.name() + ": ImagePullBackOff: no such image");
  CHECK(looks == 3);
  world.state(R"("running":{})");
  world.on_look = nullptr;
  CHECK(world.place() == "tried ephemeral container: has not ended for 21 s");
  CHECK(world.adds() == 1);
}

TEST_CASE("it found no place, or it has another agent: what it said is passed on") {
  World world;
  world.on_look = [&] {
    if (world.adds() == 1) world.ends(R"(live-update: tried /tmp: is not there\nlive-update: none)", 1);
  };
  CHECK(world.place() == "tried ephemeral container: /tmp: is not there");
  world.on_look = nullptr;
  world.ends("exec format error", 255);
  CHECK(world.place() ==
        "tried ephemeral container " + world.name() + ": Error, exit code 255: exec format error");
  world.ends("live-update: start /tmp/.live-update-agent-0123456789abcdef");
  CHECK(world.place().ends_with(
      "its image has the agent of another operator (/tmp/.live-update-agent-0123456789abcdef)"));
  CHECK(world.adds() == 1);
}

TEST_CASE("a file that is missing is put there again, but not for ever") {
  World world;
  world.on_look = [&] {
    if (world.adds() > 0) world.ends("live-update: start " + kFile);
  };
  CHECK(world.place() == kFile);
  for (int number = 2; number <= 5; ++number) {
    // Each time somebody has removed it, and the next one puts it there.
    world.on_look = [&] {
      if (world.adds() == number) world.ends("live-update: start " + kFile);
    };
    CHECK(world.place(kFile) == kFile);
  }
  CHECK(world.place(kFile) == "tried " + kFile + ": is removed again and again by somebody");
  CHECK(world.adds() == 5);
}

TEST_CASE("who may not, or is refused, says so; a container that is gone, or no answer, is for later") {
  World without(pod_with(), "");
  CHECK(without.place().contains("ephemeralContainers.enabled"));
  CHECK(without.api.seen.empty());
  World refused;
  refused.api.fail_next(Method::Patch, "/ephemeralcontainers",
                        {ErrorKind::Forbidden, "violates PodSecurity"});
  CHECK(refused.place() == "tried ephemeral container: violates PodSecurity");
  refused.api.fail_next(Method::Patch, "/ephemeralcontainers", {ErrorKind::Unavailable, "etcd is away"});
  CHECK(refused.place() == "error: etcd is away");
  World gone(pod_with("", "", R"(,"restartCount":1)"));
  gone.api.objects.merge_patch(
      *parse_resource_path(kPath + "/status"),
      R"({"status":{"containerStatuses":[{"name":"web","containerID":"containerd://c2"}]}})");
  CHECK(gone.place().starts_with("error: "));
  CHECK(gone.adds() == 0);
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
        R"(["/agents/live-update-agent","place","--report","/dev/termination-log","/tmp"])");
  CHECK(std::string(rapidjson::Pointer("/metadata/uid").Get(one)->GetString()) == "u1");
}

TEST_CASE("the user: of the container, of the pod, of its status, else root to become it, else our own") {
  const auto context = [](const std::string& pod) { return at(added(pod), "securityContext"); };
  CHECK(context(pod_with()) == R"({"runAsUser":0})");
  CHECK(context(pod_with("", R"(,"securityContext":{"runAsUser":8})")) == R"({"runAsUser":8})");
  CHECK(context(pod_with(R"(,"securityContext":{"runAsUser":7})", R"(,"securityContext":{"runAsUser":8})")) ==
        R"({"runAsUser":7})");
  CHECK(context(pod_with("", "", R"(,"user":{"linux":{"uid":9,"gid":9}})")) == R"({"runAsUser":9})");
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
