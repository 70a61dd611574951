// The floor of a live update: what one POST until its watch event, one echo over an open exec session and one
// exec of `true` take over our own client. scripts/bench starts it and asks between its saves, so that all
// are measured in the same run.
//
//   probe NAMESPACE POD CONTAINER      then one word per line on stdin (post BYTES, echo, exec); an answer
//   per line on stdout: milliseconds, or "failed: why". It says "ready" first.
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "kube/io.h"
#include "kube/kube_api_server.h"
#include "run/uv_loop.h"

namespace live_update {
namespace {

using Clock = std::chrono::steady_clock;

class Probe {
 public:
  Probe(Loop& loop, ApiServer& api, ExecRequest where) : loop_(loop), api_(api), where_(std::move(where)) {
    watch_ = api_.watch(
        {.path = config_maps(), .query = {{"watch", "true"}}}, [this](std::string line) { on_event(line); },
        [this](Result<> end) { die(end ? "the watch ended" : end.error().message); });
    ExecRequest cat = where_;
    cat.command = {"cat"};
    cat.stdin_open = true;
    echo_ = api_.exec(cat, {.on_open = [this] { ready(); },
                            .on_stdout = [this](std::string) { answer(); },
                            .on_stderr = [](std::string) {},
                            .on_end = [this](Result<ExecExit>) { die("the open session ended"); }});
    input_ = loop_.on_readable(STDIN_FILENO, [this] { read_words(); });
  }

 private:
  std::string config_maps() const { return "/api/v1/namespaces/" + where_.ns + "/configmaps"; }

  void ready() { std::cout << "ready" << std::endl; }
  void die(const std::string& why) {
    std::cout << "failed: " << why << std::endl;
    loop_.stop(1);
  }
  void answer() {
    std::cout << std::chrono::duration<double, std::milli>(Clock::now() - begun_).count() << std::endl;
  }

  void read_words() {
    std::array<char, 256> buffer;
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got <= 0) return loop_.stop();
    std::istringstream words(std::string(buffer.data(), static_cast<std::size_t>(got)));
    std::string word;
    words >> word;
    begun_ = Clock::now();
    if (word == "post") {
      std::size_t bytes = 1024;
      words >> bytes;
      post(bytes);
    } else if (word == "echo") {
      echo_->write("0123456789abcdef\n");
    } else if (word == "exec") {
      exec_true();
    } else {
      die("no such word: " + word);
    }
  }

  void post(std::size_t bytes) {
    awaited_ = "\"probe-" + std::to_string(::getpid()) + "-" + std::to_string(++posted_) + "\"";
    const std::string body = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":)" + awaited_ +
                             R"(},"data":{"content":")" + std::string(bytes, 'x') + "\"}}";
    post_ = api_.request(
        {.method = Method::Post, .path = config_maps(), .content_type = "application/json", .body = body},
        [this](Result<Response> response) {
          if (!response) die(response.error().message);
        });
  }
  void on_event(const std::string& line) {
    if (awaited_.empty() || line.find(awaited_) == std::string::npos) return;
    awaited_.clear();
    answer();
  }

  void exec_true() {
    ExecRequest command = where_;
    command.command = {"true"};
    exec_ = api_.exec(command, {.on_open = [] {},
                                .on_stdout = [](std::string) {},
                                .on_stderr = [](std::string) {},
                                .on_end =
                                    [this](Result<ExecExit> end) {
                                      if (!end) return die(end.error().message);
                                      answer();
                                    }});
  }

  Loop& loop_;
  ApiServer& api_;
  ExecRequest where_;
  Clock::time_point begun_;
  std::string awaited_;
  int posted_ = 0;
  Handle watch_, input_, post_;
  std::unique_ptr<ExecSession> echo_, exec_;
};

int run(const std::string& ns, const std::string& pod, const std::string& container) {
  auto config =
      load_client_config({.kubeconfig = "", .context = "", .ns = ns}, KubeEnvironment::of_process());
  if (!config) return std::cerr << config.error().message << "\n", 1;
  UvLoop loop;
  const LoopIo io(loop);
  auto api = make_api_server(loop, *config);
  if (!api) return std::cerr << api.error().message << "\n", 1;
  Probe probe(loop, **api, {.ns = ns, .pod = pod, .container = container});
  return loop.run();
}

}  // namespace
}  // namespace live_update

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: probe NAMESPACE POD CONTAINER\n", 2;
  return live_update::run(argv[1], argv[2], argv[3]);
}
