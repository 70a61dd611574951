// A developer's machine with one root, an API server, and a watcher in between that may be stopped and started.
#pragma once

#include "run/content.h"
#include "run/uv_loop.h"
#include "test/fakes/temp_tree.h"
#include "test/unit/watcher/watched_cluster.h"
#include "watcher/manifest_file.h"

namespace live_update {

// A developer who is asked, and has not answered yet.
struct Person : Consent {
  std::string question;
  std::function<void(bool)> answer;
  bool can_ask() const override { return true; }
  Handle ask(const std::string& text, std::function<void(bool)> then) override {
    question = text, answer = std::move(then);
    return Handle([this] { question.clear(), answer = nullptr; });
  }
};

struct SessionWorld : WatchedCluster<UvLoop> {
  TempTree disk, state;
  LocalHost host{std::filesystem::canonical(disk.root())};
  SessionOptions options;
  std::unique_ptr<Ceiling> ceiling;
  std::unique_ptr<Feed> feed;
  std::optional<int> exit_code;
  int starts = 0;
  std::string session_id;  // empty: a new one for each start

  explicit SessionWorld(const std::string& steps = R"({"sync":{"from":"src","to":"/app"}})",
                        const std::string& more = "") {
    options = {.root = std::filesystem::canonical(disk.root()),
               .server = "https://a",
               .user = "ada",
               .state_directory = state.root()};
    disk.mkdir("src");
    apply(steps, more);
    accept();
  }
  AcceptedSpec accepted() const { return {state.root(), {"https://a", "shop", "web", options.root}}; }
  // The developer agrees to what the cluster has now.
  void accept() {
    ceiling = std::make_unique<Ceiling>(accepted());
    REQUIRE(ceiling->accept(spec()));
    options.ceiling = ceiling.get();
  }
  // The developer has a file that says this.
  void give_file(const std::string& steps, const std::string& more = "") {
    disk.write("liveupdate.yaml",
               R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"name":"web"},)"
               R"("spec":{"target":{"workload":{"kind":"Deployment","name":"web"}},"steps":[)" +
                   steps + "]" + more + "}}");
  }
  void read_only_file() {
    give_file(R"({"sync":{"from":"src","to":"/app"}})");
    read_file();
  }
  void read_file() {
    const auto manifests = read_manifests(disk.at("liveupdate.yaml"));
    REQUIRE(manifests);
    ceiling = std::make_unique<Ceiling>(accepted(), disk.at("liveupdate.yaml"),
                                        manifests->front().live_update.spec);
    options.ceiling = ceiling.get();
  }
  void start() {
    ++starts;
    options.id = session_id.empty() ? "s" + std::to_string(starts) : session_id;
    exit_code.reset();
    feed = std::make_unique<Feed>(loop, api, host, console, ObjectKey{"shop", "web"}, options,
                                  [this](int code) { exit_code = code; });
    feed->start();
    until([&] { return api.watches() == 2 || exit_code; });
    settle();
  }
  void stop() {
    feed->end();
    feed.reset();
  }
  void until(const std::function<bool()>& condition) {
    bool met = false;
    const Handle check = loop.every(Millis(1), [&] {
      if (condition()) met = true, loop.stop();
    });
    const Handle deadline = loop.after(Millis(10'000), [&] { loop.stop(); });
    loop.run();
    REQUIRE(met);
  }
  // What has happened on the disk has been seen and sent: nothing is due, and nothing under way.
  void settle() {
    const Handle enough = loop.after(Millis(40), [&] { loop.stop(); });
    loop.run();
  }
};

}  // namespace live_update
