// An API server with one LiveUpdate, shop/web, and what a watcher says of it, on whatever loop.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>

#include "core/api/codec.h"
#include "test/fakes/decode_content.h"
#include "test/fakes/fake_api_server.h"
#include "watcher/feed.h"

namespace live_update {

inline const std::string kApi = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/";

struct Lines : Console {
  std::vector<std::string> said, problems;
  void say(const std::string& line) override { said.push_back(line); }
  void problem(const std::string& line) override { problems.push_back(line); }
  void failure(const std::string& line) override { problems.push_back(line); }
};

// Prints well where it differs.
struct Texts : std::vector<std::string> {
  using vector::vector;
};
inline std::ostream& operator<<(std::ostream& out, const Texts& texts) {
  for (const std::string& text : texts) out << '[' << text << ']';
  return out;
}

template <typename OneLoop>
struct WatchedCluster {
  OneLoop loop;
  FakeApiServer api{loop};
  Lines console;

  template <typename... Arguments>
  explicit WatchedCluster(Arguments... arguments) : loop(arguments...) {}

  void apply(const std::string& steps, const std::string& more = "", const std::string& status = "{}",
             const std::string& uid = "u-1") {
    api.objects.set(
        kApi + "liveupdates/web",
        R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"namespace":"shop","name":"web","uid":")" +
            uid + R"("},"spec":{"target":{"workload":{"kind":"Deployment","name":"web"}},"steps":[)" + steps +
            "]" + more + R"(},"status":)" + status + "}");
  }
  LiveUpdateSpec spec() { return decode_live_update(*parse_json(api.text(kApi + "liveupdates/web")))->spec; }
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
