// What is read of pods and workloads.
#include <doctest/doctest.h>

#include "core/api/codec.h"
#include "core/base/json.h"
#include "core/base/time.h"

using namespace live_update;

TEST_CASE("a pod: spec and status joined by container name, sidecars known") {
  const auto pod = decode_pod(*parse_json(R"({"metadata":{"name":"p","namespace":"n"},
    "spec":{"nodeName":"node","initContainers":[{"name":"init","image":"i"},{"name":"side","image":"s","restartPolicy":"Always"}],
            "containers":[{"name":"web","image":"w:1"}]},
    "status":{"phase":"Running",
      "initContainerStatuses":[{"name":"init","state":{"terminated":{"exitCode":0,"reason":"Completed"}},
        "lastState":{"terminated":{"exitCode":3,"reason":"Error"}}}],
      "containerStatuses":[{"name":"web","containerID":"containerd://1","imageID":"w@sha256:1","restartCount":2,"state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}},
                            "lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}},
                           {"name":"stranger"}]}})"));
  REQUIRE(pod);
  CHECK(pod->phase == "Running");
  CHECK(pod->node == "node");
  REQUIRE(pod->containers.size() == 3);
  CHECK(pod->containers[0] ==
        PodContainer{.name = "init",
                     .image = "i",
                     .init = true,
                     .terminated = true,
                     .waiting_reason = "the container has ended (exit code 0, Completed)"});
  CHECK(pod->containers[1] ==
        PodContainer{.name = "side", .image = "s", .init = true, .restart_always = true});
  CHECK(pod->containers[2] == PodContainer{.name = "web",
                                           .image = "w:1",
                                           .container_id = "containerd://1",
                                           .image_id = "w@sha256:1",
                                           .running = true,
                                           .started = *parse_time("2026-01-01T00:00:00Z"),
                                           .restarts = 2});
}

TEST_CASE("a pod: why a container does not run, and how it ended") {
  const auto why = [](const std::string& status) {
    const auto pod =
        decode_pod(*parse_json(R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"web"}]},
      "status":{"phase":"Running","containerStatuses":[{"name":"web",)" +
                               status + "}]}}"));
    REQUIRE(pod);
    return pod->containers.at(0).waiting_reason;
  };
  const std::string last = R"("lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}})";
  CHECK(why(R"("state":{"waiting":{"reason":"CrashLoopBackOff"}},)" + last) ==
        "CrashLoopBackOff (exit code 137, OOMKilled)");
  CHECK(why(R"("state":{"waiting":{"reason":"CrashLoopBackOff"}})") == "CrashLoopBackOff");
  CHECK(why(R"("state":{"waiting":{"reason":"ContainerCreating"}},)" + last) == "ContainerCreating");
  CHECK(why(R"("state":{"terminated":{"exitCode":1}},)" + last) == "the container has ended (exit code 1)");
  CHECK(why(R"("state":{"running":{}},)" + last) == "");
}

TEST_CASE("a pod: where a volume is mounted that others than the container can write to") {
  const auto pod = decode_pod(*parse_json(R"({"metadata":{"name":"p"},"spec":{
    "volumes":[{"name":"own","emptyDir":{}},{"name":"both","emptyDir":{}},{"name":"read","emptyDir":{}},
               {"name":"scratch","ephemeral":{}},{"name":"claim","persistentVolumeClaim":{"claimName":"c"}},
               {"name":"host","hostPath":{"path":"/srv"}},{"name":"config","configMap":{"name":"m"}}],
    "initContainers":[{"name":"init","volumeMounts":[{"name":"both","mountPath":"/seed"}]}],
    "containers":[{"name":"web","volumeMounts":[
        {"name":"own","mountPath":"/own"},{"name":"own","mountPath":"/own2"},{"name":"both","mountPath":"/both","readOnly":true},
        {"name":"read","mountPath":"/read"},{"name":"scratch","mountPath":"/scratch"},{"name":"claim","mountPath":"/claim"},
        {"name":"host","mountPath":"/host","readOnly":true},{"name":"config","mountPath":"/config"}]},
      {"name":"side","volumeMounts":[{"name":"read","mountPath":"/in","readOnly":true},{"name":"config","mountPath":"/c"}]}]}})"));
  REQUIRE(pod);
  REQUIRE(pod->containers.size() == 3);
  using Paths = std::vector<std::string>;
  CHECK(pod->containers[0].shared.empty());  // web may only read it
  CHECK(pod->containers[1].shared == Paths{"/both", "/claim", "/host"});
  CHECK(pod->containers[1].empty_dirs == Paths{"/own", "/own2", "/read"});
  CHECK(pod->containers[2].shared == Paths{"/in"});
  CHECK(pod->containers[1].has_volumes);
  CHECK(!pod->containers[2].has_volumes);  // side may only read them
}

TEST_CASE("a workload: selector, template annotations and revision") {
  const auto workload = decode_workload(*parse_json(R"({"apiVersion":"apps/v1","kind":"Deployment",
    "metadata":{"name":"web","namespace":"n","annotations":{"deployment.kubernetes.io/revision":"4"}},
    "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"annotations":{"a":"b"}}}}})"));
  REQUIRE(workload);
  CHECK(workload->kind == "Deployment");
  CHECK(workload->replicas == 3);
  CHECK(workload->revision == "4");
  CHECK(workload->selector.match_labels.at("app") == "web");
  CHECK(workload->template_annotations.at("a") == "b");
}
