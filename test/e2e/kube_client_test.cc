// lib/kube against a real API server: the cluster of $KUBECONFIG, in a namespace of its own. `kube_client_e2e
// [-s]`.
#include <unistd.h>

#include <algorithm>

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "core/api/codec.h"
#include "test/fakes/awaited_client.h"

namespace live_update {
namespace {

const std::string kNamespace = "kube-client-" + std::to_string(::getpid());
const std::string kCore = "/api/v1/namespaces/" + kNamespace;

ClientConfig config() {
  auto loaded = load_client_config({}, KubeEnvironment::of_process());
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
  return *loaded;
}

struct Cluster : AwaitedClient {
  explicit Cluster(ClientConfig with = config()) : AwaitedClient(std::move(with)) {}
};

// Runs `command` in the pod; `input` is its stdin.
Result<ExecExit> exec(Cluster& cluster, std::vector<std::string> command, const std::string& input,
                      std::string& out) {
  std::optional<Result<ExecExit>> end;
  ExecCallbacks callbacks;
  callbacks.on_stdout = [&](std::string bytes) { out += bytes; };
  callbacks.on_end = [&](Result<ExecExit> result) {
    end = std::move(result);
    cluster.loop.stop();
  };
  auto session = cluster.api->exec({.ns = kNamespace,
                                    .pod = "shell",
                                    .container = "shell",
                                    .command = std::move(command),
                                    .stdin_open = !input.empty()},
                                   std::move(callbacks));
  if (!input.empty()) {
    session->write(input);
    session->close_stdin();
  }
  cluster.run();
  return end.value_or(fail(ErrorKind::Internal, "no end"));
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void report(const std::string& what, std::vector<double> times) {
  std::ranges::sort(times);
  MESSAGE(what << ": p50 " << times[times.size() / 2] << " ms, max " << times.back() << " ms of "
               << times.size());
}

// The namespace and a pod that sleeps; gone with the last test.
struct Shell {
  Cluster cluster;
  Shell() {
    REQUIRE(cluster.post("/api/v1/namespaces", R"({"metadata":{"name":")" + kNamespace + "\"}}"));
    std::optional<Result<Response>> made;
    for (int i = 0; i < 50 && !(made && *made); ++i) {  // until the namespace has its service account
      made = cluster.post(
          kCore + "/pods",
          R"({"metadata":{"name":"shell","labels":{"app":"shell"}},"spec":{"terminationGracePeriodSeconds":0,)"
          R"("containers":[{"name":"shell","image":"localhost/busybox:1","command":["sleep","3600"]}]}})");
      if (!*made) ::usleep(100'000);
    }
    REQUIRE_MESSAGE(made->has_value(), (*made ? "" : made->error().message));
    for (int i = 0; i < 600; ++i, ::usleep(100'000)) {
      const auto pod = cluster.send({.path = kCore + "/pods/shell"});
      if (pod && pod->body.find("\"phase\":\"Running\"") != std::string::npos) return;
    }
    FAIL("the pod does not run");
  }
  ~Shell() {
    static_cast<void>(cluster.send({.method = Method::Delete, .path = "/api/v1/namespaces/" + kNamespace}));
  }
};
Shell& shell() {
  static auto* made = new Shell();
  return *made;
}

std::string config_map(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name + "\"}}";
}

TEST_CASE("list, create, conflict, apply, read, delete") {
  Cluster& cluster = shell().cluster;
  CHECK(cluster.send({.path = kCore + "/pods", .query = {{"limit", "1"}}}));
  CHECK(cluster.post(kCore + "/configmaps", config_map("a")));
  CHECK(cluster.post(kCore + "/configmaps", config_map("a")).error().kind == ErrorKind::AlreadyExists);
  const auto applied = cluster.send(
      {.method = Method::Patch,
       .path = kCore + "/configmaps/a",
       .query = {{"fieldManager", "live-update"}, {"force", "true"}},
       .content_type = "application/apply-patch+yaml",
       .body = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}})"});
  REQUIRE(applied);
  CHECK(applied->body.find("\"k\":\"v\"") != std::string::npos);
  CHECK(cluster.send({.method = Method::Delete, .path = kCore + "/configmaps/a"}));
  CHECK(cluster.send({.path = kCore + "/configmaps/a"}).error().message ==
        "get configmaps/a in namespace " + kNamespace + ": configmaps \"a\" not found");
}

TEST_CASE("errors of a real server are classified") {
  Cluster& cluster = shell().cluster;
  CHECK(cluster.post("/api/v1/namespaces/no-such-namespace/configmaps", config_map("a"))
            .error()
            .message.find("there is no namespace no-such-namespace") != std::string::npos);
  CHECK(cluster.post(kCore + "/configmaps", "{").error().kind == ErrorKind::Invalid);
  CHECK(cluster.post(kCore + "/configmaps", config_map("UPPER")).error().kind == ErrorKind::Invalid);
  CHECK(cluster.send({.path = "/apis/no.such.group/v1/things"}).error().kind == ErrorKind::NotFound);
  const std::string large =
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"big"},"data":{"k":")" +
      std::string(4 << 20, 'x') + "\"}}";
  CHECK(cluster.post(kCore + "/configmaps", large).error().kind == ErrorKind::TooLarge);
  ClientConfig stranger = config();
  stranger.client_certificate = stranger.client_key = {};
  stranger.token = "nonsense";
  Cluster other(stranger);
  CHECK(other.send({.path = kCore + "/pods"}).error().kind == ErrorKind::Unauthorized);
  ClientConfig bob = config();
  bob.impersonate = {{"Impersonate-User", "bob"}};
  Cluster as_bob(bob);
  const auto forbidden = as_bob.send({.path = kCore + "/pods"});
  CHECK(forbidden.error().message.starts_with("\"bob\" may not list pods in namespace " + kNamespace));
  std::string out;
  const auto no_exec = exec(as_bob, {"true"}, "", out);
  CHECK_MESSAGE(no_exec.error().kind == ErrorKind::Forbidden, no_exec.error().message);
}

TEST_CASE("watch: from the POST to its event; too old a version is Gone") {
  Cluster& cluster = shell().cluster;
  const auto list = parse_json(cluster.send({.path = kCore + "/configmaps"})->body);
  const std::string version = (*list)["metadata"]["resourceVersion"].GetString();
  std::string wanted;
  std::vector<double> times;
  std::chrono::steady_clock::time_point start;
  Handle post;
  int next = 0;
  auto create = [&] {
    wanted = "\"name\":\"event-" + std::to_string(next) + "\"";
    start = std::chrono::steady_clock::now();
    post = cluster.api->request({.method = Method::Post,
                                 .path = kCore + "/configmaps",
                                 .content_type = "application/json",
                                 .body = config_map("event-" + std::to_string(next++))},
                                [](Result<Response> result) { CHECK(result); });
  };
  auto watch = cluster.api->watch(
      {.path = kCore + "/configmaps",
       .query = {{"watch", "true"}, {"resourceVersion", version}, {"allowWatchBookmarks", "true"}}},
      [&](std::string line) {
        if (line.find(wanted) == std::string::npos) return;
        times.push_back(milliseconds_since(start));
        if (times.size() == 50) return cluster.loop.stop();
        create();
      },
      [&](Result<> end) { FAIL_CHECK((end ? "ended" : end.error().message)); });
  create();
  cluster.run();
  report("POST until its watch event", times);
}

TEST_CASE("exec: true, exit codes, no such program, no such container") {
  Cluster& cluster = shell().cluster;
  std::string out;
  CHECK(exec(cluster, {"sh", "-c", "echo hello; exit 7"}, "", out) == ExecExit{7});
  CHECK(out == "hello\n");
  const auto missing = exec(cluster, {"no-such-program"}, "", out);
  REQUIRE_FALSE(missing);
  MESSAGE(missing.error().message);
  CHECK(missing.error().kind == ErrorKind::Invalid);
  for (const auto& [pod, container] : {std::pair{"shell", "nobody"}, std::pair{"nobody", "shell"}}) {
    std::optional<Result<ExecExit>> end;
    ExecCallbacks callbacks;
    callbacks.on_end = [&](Result<ExecExit> result) {
      end = std::move(result);
      cluster.loop.stop();
    };
    auto session = cluster.api->exec(
        {.ns = kNamespace, .pod = pod, .container = container, .command = {"true"}}, std::move(callbacks));
    cluster.run();
    REQUIRE_FALSE(end.value());
    MESSAGE(end->error().message);
    CHECK(end->error().kind == ErrorKind::NotFound);
  }
  std::vector<double> times;
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(exec(cluster, {"true"}, "", out) == ExecExit{0});
    times.push_back(milliseconds_since(start));
  }
  report("exec true", times);
}

TEST_CASE("exec: stdin to its end, and 50 MB") {
  Cluster& cluster = shell().cluster;
  std::string out;
  CHECK(exec(cluster, {"cat"}, "some input", out) == ExecExit{0});
  CHECK(out == "some input");
  out.clear();
  const auto start = std::chrono::steady_clock::now();
  CHECK(exec(cluster, {"wc", "-c"}, std::string(50 << 20, 'x'), out) == ExecExit{0});
  MESSAGE("50 MB into wc -c: " << milliseconds_since(start) << " ms");
  CHECK(out == std::to_string(50 << 20) + "\n");
}

TEST_CASE("exec: echo over an open session") {
  Cluster& cluster = shell().cluster;
  std::unique_ptr<ExecSession> session;
  std::vector<double> times;
  std::string got;
  std::chrono::steady_clock::time_point start;
  const std::string line(1024, 'e');
  auto send = [&] {
    got.clear();
    start = std::chrono::steady_clock::now();
    session->write(line);
  };
  ExecCallbacks callbacks;
  callbacks.on_open = [&] { send(); };
  callbacks.on_stdout = [&](std::string bytes) {
    got += bytes;
    if (got.size() < line.size()) return;
    times.push_back(milliseconds_since(start));
    if (times.size() == 300) return session->close_stdin();
    send();
  };
  callbacks.on_end = [&](Result<ExecExit> end) {
    CHECK(end == ExecExit{0});
    cluster.loop.stop();
  };
  session = cluster.api->exec(
      {.ns = kNamespace, .pod = "shell", .container = "shell", .command = {"cat"}, .stdin_open = true},
      std::move(callbacks));
  cluster.run();
  CHECK(times.size() == 300);
  report("echo of 1 KiB", times);
}

TEST_CASE("exec: a command that does not read its input for a while is not given up") {
  Cluster& cluster = shell().cluster;
  std::string out;
  CHECK(exec(cluster, {"sh", "-c", "sleep 20; wc -c"}, std::string(8 << 20, 'x'), out) == ExecExit{0});
  CHECK(out == std::to_string(8 << 20) + "\n");
}

TEST_CASE("the namespace goes away again") { delete &shell(); }

}  // namespace
}  // namespace live_update

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
