#include "watcher/followed_file.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_api_server.h"
#include "test/fakes/temp_tree.h"
#include "test/sim/world/sim_loop.h"

using namespace live_update;

namespace {

const std::string kPath = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/web";

struct Heard : Console {
  void say(const std::string& line) override { lines += line + '\n'; }
  void problem(const std::string& line) override { lines += "! " + line + '\n'; }
  void failure(const std::string& line) override { problem(line); }
  std::string lines;
};

// Somebody who edits the file of a LiveUpdate that is watched.
struct Situation {
  sim::SimLoop loop{1};
  FakeApiServer api{loop};
  Heard console;
  TempTree disk;
  std::string file = disk.at("lu.yaml");
  std::unique_ptr<FollowedFile> followed;

  Situation() {
    save("src");
    const auto manifests = read_manifests(file);
    REQUIRE(manifests);
    api.objects.set(kPath, manifests->front().json);
    followed = std::make_unique<FollowedFile>(
        loop, api, console, file, "shop", [this] { return read_manifests(file); },
        FollowedFile::Watched{{{"shop", "web"}, manifests->front().live_update}});
  }
  void save(const std::string& from, const std::string& name = "web") {
    disk.write("lu.yaml",
               "apiVersion: liveupdate.dev/v1alpha1\nkind: LiveUpdate\nmetadata: {name: " + name +
                   "}\nspec:\n  target: {workload: {kind: Deployment, name: web}}\n  steps: [{sync: {from: " +
                   from + ", to: /app}}]\n");
  }
  // As long as it takes to see that the file has changed, and that nobody is writing it.
  std::string heard() {
    loop.run_until(loop.now() + 3 * FollowedFile::kLook);
    return std::exchange(console.lines, "");
  }
  std::string there() { return api.text(kPath); }
};

}  // namespace

TEST_CASE_FIXTURE(Situation, "8.1 an edit of the file is applied again, and said; a touch is nothing") {
  save("src");
  CHECK(heard() == "");
  save("lib");
  CHECK(heard() == file + " was edited: LiveUpdate shop/web was applied again\n");
  CHECK(there().contains(R"("from":"lib")"));
  CHECK(heard() == "");
}

TEST_CASE_FIXTURE(Situation, "8.1 an edit that may not be written is said, with what to do, once") {
  api.fail_next(Method::Patch, kPath, {ErrorKind::Forbidden, "\"ada\" cannot patch liveupdates"});
  save("lib");
  CHECK(heard() == "! " + file +
                       " was edited, but LiveUpdate shop/web stays as it was: \"ada\" cannot patch "
                       "liveupdates; have it applied by somebody who may write LiveUpdates\n");
  CHECK(there().contains(R"("from":"src")"));
  CHECK(heard() == "");
}

TEST_CASE_FIXTURE(Situation, "8.2 a file that is malformed or missing: what it said stays in force") {
  disk.write("lu.yaml", "kind: [");
  CHECK(heard().ends_with("\nwhat " + file + " said before stays in force\n"));
  disk.remove("lu.yaml");
  CHECK(heard().ends_with("\nwhat " + file + " said before stays in force\n"));
  save("other", "another");
  CHECK(heard() == "");
  CHECK(there().contains(R"("from":"src")"));
  save("lib");
  CHECK(heard().contains("was applied again"));
}

TEST_CASE("8.1 whether the cluster says already what the file says") {
  LiveUpdate there, wanted;
  there.spec.steps = wanted.spec.steps = {Sync{"src", "/app"}};
  there.meta.labels = {{"app", "web"}, {"by", "argo"}};
  CHECK(says_already(there, wanted));
  wanted.meta.labels = {{"app", "web"}};
  CHECK(says_already(there, wanted));
  wanted.meta.annotations = {{"note", "x"}};
  CHECK_FALSE(says_already(there, wanted));
  wanted.meta.annotations.clear();
  wanted.spec.suspend = true;
  CHECK_FALSE(says_already(there, wanted));
}
