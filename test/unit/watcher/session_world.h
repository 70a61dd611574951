// A developer's machine with one root, an API server, and a watcher in between that may be stopped and started.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>

#include "core/api/codec.h"
#include "run/content.h"
#include "run/uv_loop.h"
#include "test/fakes/decode_content.h"
#include "test/fakes/fake_api_server.h"
#include "test/fakes/temp_tree.h"
#include "watcher/feed.h"
#include "watcher/manifest_file.h"

namespace live_update {

inline const std::string kApi = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/";

struct Lines : Console {
  std::vector<std::string> said, problems;
  void say(const std::string& line) override { said.push_back(line); }
  void problem(const std::string& line) override { problems.push_back(line); }
  void failure(const std::string& line) override { problems.push_back(line); }
};

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

// Prints well where it differs.
struct Texts : std::vector<std::string> {
  using vector::vector;
};
inline std::ostream& operator<<(std::ostream& out, const Texts& texts) {
  for (const std::string& text : texts) out << '[' << text << ']';
  return out;
}

struct SessionWorld {
  TempTree disk, state;
  LocalHost host{std::filesystem::canonical(disk.root())};
  UvLoop loop;
  FakeApiServer api{loop};
  Lines console;
  SessionOptions options;
  std::unique_ptr<Ceiling> ceiling;
  std::unique_ptr<Feed> feed;
  std::optional<int> exit_code;
  int starts = 0;

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
    REQUIRE(ceiling->accept(decode_live_update(*parse_json(api.text(kApi + "liveupdates/web")))->spec));
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
  void apply(const std::string& steps, const std::string& more = "", const std::string& status = "{}",
             const std::string& uid = "u-1") {
    api.objects.set(
        kApi + "liveupdates/web",
        R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"namespace":"shop","name":"web","uid":")" +
            uid + R"("},"spec":{"target":{"workload":{"kind":"Deployment","name":"web"}},"steps":[)" + steps +
            "]" + more + R"(},"status":)" + status + "}");
  }
  void start() {
    options.id = "s" + std::to_string(++starts);
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
  std::vector<ChangeSet> posted() {
    std::vector<ChangeSet> all;
    for (const auto& json : api.objects.list(*parse_resource_path(kApi + "changesets"), {})) {
      auto change_set = decode_change_set(*json);
      REQUIRE(change_set);
      all.push_back(*change_set);
    }
    std::ranges::sort(all, {}, [](const ChangeSet& it) { return it.spec.sequence; });
    return all;
  }
  // "1: +src/a -src/b" for each ChangeSet, "S" before the paths of a Snapshot.
  Texts sent() {
    Texts lines;
    for (const ChangeSet& it : posted()) {
      std::string line = std::to_string(it.spec.sequence) + ":";
      if (it.spec.type == ChangeSetType::Snapshot) line += " S";
      for (const Change& change : it.spec.changes)
        line += std::string(" ") + (change.op == Op::Delete ? '-' : change.content ? '+' : '*') + change.path;
      lines.push_back(line);
    }
    return lines;
  }
  void set_status(const ChangeSet& it, const std::string& status) {
    ChangeSet bare = it;
    bare.status = {};
    std::string json = encode_change_set(bare);
    json.pop_back();
    api.objects.set(kApi + "changesets/" + it.meta.name, json + ",\"status\":" + status + "}");
  }
};

}  // namespace live_update
