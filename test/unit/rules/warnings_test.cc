// What is legal, but probably not meant.
#include "core/rules/validate.h"
#include "test/fakes/host_tree.h"
#include "test/unit/rules/rules_fixture.h"

using namespace live_update;

namespace {

const Step kSync = sync("src", "/app");

// "field: message" of each, one per line.
std::string warned(std::vector<Step> steps, const HostTree* host = nullptr) {
  std::string out;
  for (const FieldError& it : warnings(spec_with(std::move(steps)), host))
    out += (out.empty() ? "" : "\n") + it.field + ": " + it.message;
  return out;
}

}  // namespace

TEST_CASE("1.6 a trigger inside the context that no sync covers is legal, with a warning") {
  CHECK(validate(spec_with({kSync, shell("x", {"conf/a"})})).empty());
  CHECK(warned({kSync, shell("x", {"src/a", "conf/a"})}) ==
        "spec.steps[1].run.triggers[1]: no sync covers conf/a, so its change falls back instead of firing "
        "this: add a sync for it");
  CHECK(warned({kSync, restart({"conf"})}) ==
        "spec.steps[1].restart.triggers[0]: no sync covers conf, so its change falls back instead of firing "
        "this: add a sync for it");
  CHECK(warned({sync("conf/a", "/a"), shell("x", {"conf", ".", "*.x"})}) == "");
  CHECK(warned({kSync, always("x", {"conf"})}) == "");
}

TEST_CASE("3.3 two syncs that can meet in the container are legal, with a warning") {
  CHECK(validate(spec_with({sync("a", "/app"), sync("b", "/app")})).empty());
  CHECK(warned({sync("a", "/app"), sync("b", "/app/")}) ==
        "spec.steps[1].sync.to: a and b can both go to /app, where the sync declared first, spec.steps[0], "
        "wins: give each a place of its own");
  CHECK(warned({sync("a", "/app"), fall_back_on({"x"}), sync("b", "/app/lib")})
            .starts_with("spec.steps[2].sync.to: a/lib and b can both go to /app/lib, where the sync "
                         "declared first, spec.steps[0], "));
  CHECK(warned({sync("a", "/app/lib"), sync("b", "/app")})
            .starts_with("spec.steps[1].sync.to: a and b/lib can both go to /app/lib, "));
  CHECK(warned({sync("conf/dev.json", "/app/config.json"), sync(".", "/app")})
            .starts_with(
                "spec.steps[1].sync.to: conf/dev.json and config.json can both go to /app/config.json, "));
  CHECK(
      warned({sync("a", "/"), sync("b", "/app")}).starts_with("spec.steps[1].sync.to: a/app and b can both"));
  CHECK(warned({sync("a", "/app"), sync("b", "/app"), sync("c", "/app")})
            .contains("\nspec.steps[2].sync.to: a and c "));

  // One host path that goes to one place is no meeting, whichever sync it takes.
  CHECK(warned({sync("src/lib", "/app/lib"), sync("src", "/app")}) == "");
  CHECK(warned({sync("src", "/app"), sync("src/lib", "/app/lib")}) == "");
  CHECK(warned({sync(".", "/app"), sync("a", "/app/a"), sync("b", "/app")}) == "");  // the first takes all
  CHECK(warned({sync("a", "/app"), sync("b", "/app2"), sync("c", "/ap")}) == "");
  // By their names these are files, each with a place of its own.
  CHECK(warned({sync("go.mod", "/src/"), sync("go.sum", "/src/"), sync("cmd", "/src/cmd")}) == "");
  CHECK(warned({sync("a/x.conf", "/etc/"), sync("b/x.conf", "/etc/")})
            .contains("a/x.conf and b/x.conf can both go to /etc/x.conf"));

  // With the disk at hand only what can be there is told.
  FakeHostTree host;
  host.add("src/a.py", FileType::File);
  host.add("requirements", FileType::File);
  host.add("lib/b.py", FileType::File);
  CHECK(warned({sync("src", "/app"), sync("requirements", "/app/requirements")}, &host) == "");
  CHECK(warned({sync("src", "/app"), sync("requirements", "/app/a.py")}, &host)
            .contains("src/a.py and requirements "));
  CHECK(warned({sync("src", "/app"), sync("requirements", "/app/")}, &host) == "");
  CHECK(
      warned({sync("src", "/app"), sync("lib", "/app")}, &host).contains("src and lib can both go to /app"));
  CHECK(warned({sync("src", "/app"), sync("lib", "/app/lib")}, &host) == "");
  CHECK(warned({sync("new", "/app"), sync("lib", "/app/lib")}, &host).contains("new/lib and lib"));
}

TEST_CASE("3.3 a sync from what is not there is legal, with a warning") {
  FakeHostTree host;
  host.add("src/a.py", FileType::File);
  CHECK(warned({sync("./src/", "/app"), sync("src/a.py", "/b"), sync(".", "/all")}, &host) == "");
  CHECK(
      warned({kSync, fall_back_on({"x"}), sync("./scr/", "/lib")}, &host) ==
      "spec.steps[2].sync.from: scr is no file or folder of the root that can be read, so nothing is synced "
      "from it: correct it, unless it is made later");
  CHECK(warned({sync("scr", "/lib")}) == "");  // without the disk at hand
}

TEST_CASE("5.1 a kind that nobody knows is legal, with a warning that names the nearest") {
  auto warned = [](const std::string& kind) -> std::string {
    LiveUpdateSpec spec = spec_with({kSync});
    spec.target.workload = {kind, "web"};
    CHECK(validate(spec).empty());
    const auto all = warnings(spec);
    return all.empty() ? "" : all[0].field + ": " + all[0].message;
  };
  CHECK(warned("Deployment") == "");
  CHECK(warned("CronJob") == "");
  CHECK(warned("Pod") == "");
  CHECK(warned("deployment") ==
        "spec.target.workload.kind: no kind that is known is spelled deployment, the nearest is Deployment: "
        "correct it, unless something of that kind owns the pods");
}
