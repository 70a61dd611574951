#include "core/rules/plan.h"

#include "test/unit/rules/rules_fixture.h"

using namespace live_update;

namespace {

// The LiveUpdate of the seed's first example: docker_build('my-img', './server').
LiveUpdateSpec seed_sync() {
  return in({"server"}, spec_with({sync("./server/src", "/app"),
                                   sync("./server/package.json", "/app/web/package.json")}));
}

// The seed's second example.
LiveUpdateSpec seed_run() {
  return spec_with({sync("./src", "/app"), shell("/app/setup.sh"),
                    shell("cd /app/web && yarn install", {"./src/web/yarn.lock"}),
                    shell("/app/run_configs.sh", {"./configs/foo.yaml", "./configs/bar.yaml"})});
}

LiveUpdateSpec dropping_unmatched(LiveUpdateSpec spec) {
  spec.source.on_unmatched = OnUnmatched::Ignore;
  return spec;
}

constexpr auto kDirectory = FileType::Directory;
constexpr auto kLink = FileType::Symlink;

}  // namespace

// ------------------------------------------------------------------------------------------ 3.6: the seed,
// literally

TEST_CASE("3.6 seed, sync 1: ./server/src/A.txt goes to /app/A.txt") {
  CHECK(given(seed_sync()).saved("server/src/A.txt").plan() == "copy server/src/A.txt -> /app/A.txt");
}
TEST_CASE("3.6 seed, sync 2: ./server/package.json goes to /app/web/package.json") {
  CHECK(given(seed_sync()).saved("server/package.json").plan() ==
        "copy server/package.json -> /app/web/package.json");
}
TEST_CASE("3.6 seed, sync 3: ./server/some_file.txt is in the context only, so it falls back") {
  CHECK(given(seed_sync()).saved("server/some_file.txt").plan() ==
        "fall back: Unmatched server/some_file.txt");
}
TEST_CASE("3.6 seed, sync 4: ./stuff.txt is not in the context, so nothing happens") {
  CHECK(given(seed_sync()).saved("stuff.txt").plan() == "nothing");
  CHECK(given(seed_sync()).saved("stuff.txt").outside() == "stuff.txt");
}
TEST_CASE("3.6 seed, run 1: ./src/main.py runs setup.sh only") {
  CHECK(given(seed_run()).saved("src/main.py").plan() ==
        "copy src/main.py -> /app/main.py; run /app/setup.sh");
}
TEST_CASE("3.6 seed, run 2: ./src/web/yarn.lock runs setup.sh and yarn install") {
  CHECK(given(seed_run()).saved("src/web/yarn.lock").plan() ==
        "copy src/web/yarn.lock -> /app/web/yarn.lock; run /app/setup.sh; run cd /app/web && yarn install");
}
TEST_CASE("3.6 seed, run 3: ./configs/foo.yaml matches a trigger, but no sync, so it falls back") {
  CHECK(given(seed_run()).saved("configs/foo.yaml").plan() == "fall back: Unmatched configs/foo.yaml");
}

// ------------------------------------------------------------------------------------------------ 2: what
// counts

TEST_CASE("2.1 what is outside the context or ignored does not exist") {
  const auto spec = ignoring({"*.log"}, in({"src"}, spec_with({sync("src", "/app")})));
  CHECK(given(spec).plan() == "nothing");
  CHECK(given(spec).saved("README").plan() == "nothing");
  CHECK(given(spec).saved("src2/a").outside() == "src2/a");
  CHECK(given(ignoring({"src/*.log"}, spec)).saved("src/a.log").plan() == "nothing");
  CHECK(given(spec).saved("README").deleted("src/b").saved("src/a").plan() ==
        "copy src/a -> /app/a; rm /app/b");
  CHECK(given(spec).saved("b.log").ignored() == "");  // outside is what is said of it
}

TEST_CASE("2.1 a path that is not UTF-8 is listed as ignored, wherever it is") {
  const auto spec = in({"src"}, spec_with({sync("src", "/app")}));
  CHECK(given(spec).saved("src/\xFF").plan() == "nothing");
  CHECK(given(spec).saved("x\xFF").ignored() ==
        "x\xFF by built in: a path that is not UTF-8 cannot be sent, whole");
  CHECK(given(spec).saved("x\xFF").outside() == "");
}

TEST_CASE("2.2 the ignored say by what") {
  const auto spec = spec_with({sync(".", "/app")});
  CHECK(given(spec).ignore_file("node_modules").saved("node_modules/x").ignored() ==
        "node_modules/x by .dockerignore:1: node_modules, whole");
  CHECK(given(spec).saved("b").saved(".git/index").saved("a~").ignored() ==
        ".git/index by built in: **/.git, whole; a~ by built in: **/*~, whole");
}

TEST_CASE("2.2 a literal fallBackOn path stops even if it is ignored, a glob does not") {
  const auto spec =
      ignoring({"Dockerfile", "conf"}, spec_with({fall_back_on({"Dockerfile", "conf"}), sync(".", "/app")}));
  CHECK(given(spec).saved("Dockerfile").plan() == "fall back: StopPath Dockerfile");
  CHECK(given(spec).saved("conf/x").plan() == "nothing");
  CHECK(given(ignoring({"a.proto"}, spec_with({fall_back_on({"*.proto"}), sync(".", "/app")})))
            .saved("a.proto")
            .plan() == "nothing");
}

// --------------------------------------------------------------------------------------------- 3: the order
// of judging

TEST_CASE("3 the first match decides: StopPath before Unmatched before Update") {
  const auto spec = spec_with({fall_back_on({"Dockerfile"}), sync("src", "/app"), shell("build")});
  CHECK(given(spec).saved("Dockerfile").saved("README").saved("src/a").plan() ==
        "fall back: StopPath Dockerfile");
  CHECK(given(spec).saved("README").saved("src/a").plan() == "fall back: Unmatched README");
  CHECK(given(spec).saved("src/a").plan() == "copy src/a -> /app/a; run build");
}

TEST_CASE("3 a stop path is no unmatched path; the unmatched are listed beside it") {
  const auto spec = spec_with({fall_back_on({"Dockerfile"}), sync("src", "/app")});
  CHECK(given(spec).saved("Dockerfile").saved("README").unmatched() == "README");
  CHECK(given(spec).saved("Dockerfile").saved("README").stopped() ==
        "Dockerfile by spec.steps[0].fallBackOn.paths[0]: Dockerfile");
}

TEST_CASE("3.1 fallBackOn matches literal paths with all below, globs, directories and deleted paths") {
  const auto spec =
      spec_with({fall_back_on({"./conf/", "**/*.proto"}), fall_back_on({"Makefile"}), sync(".", "/app")});
  CHECK(given(spec).saved("conf/a/b").stopped() == "conf/a/b by spec.steps[0].fallBackOn.paths[0]: conf");
  CHECK(given(spec).saved("conf", kDirectory).plan() == "fall back: StopPath conf");
  CHECK(given(spec).deleted("x/y.proto").stopped() ==
        "x/y.proto by spec.steps[0].fallBackOn.paths[1]: **/*.proto");
  CHECK(given(spec).saved("y.proto/below").plan() == "fall back: StopPath y.proto/below");
  CHECK(given(spec).saved("Makefile").stopped() == "Makefile by spec.steps[1].fallBackOn.paths[0]: Makefile");
  CHECK(given(spec).saved("conf2").plan() == "copy conf2 -> /app/conf2");
  CHECK(given(spec).saved("sub/Makefile").plan() == "copy sub/Makefile -> /app/sub/Makefile");
}

TEST_CASE("3.2 one unmatched change makes the whole batch fall back; all are listed") {
  const auto spec = spec_with({sync("src", "/app"), shell("build")});
  CHECK(given(spec)
            .saved("src/a")
            .deleted("b")
            .saved("c")
            .saved("d")
            .saved("e")
            .saved("f")
            .saved("g")
            .unmatched() == "b c d e f g");
  CHECK(given(spec).saved("src/a").deleted("b").plan() == "fall back: Unmatched b");
}

TEST_CASE("3.2 onUnmatched: Ignore drops them, and the rest goes on") {
  const auto spec = dropping_unmatched(spec_with({sync("src", "/app"), shell("build")}));
  CHECK(given(spec).saved("src/a").saved("README").plan() == "copy src/a -> /app/a; run build");
  CHECK(given(spec).saved("src/a").saved("README").unmatched() == "README");
  CHECK(given(spec).saved("README").plan() == "nothing");
  CHECK(given(spec).saved("README").unmatched() == "README");
}

TEST_CASE("3.2 onUnmatched: Ignore with an Always run that is due is an Update") {
  const auto spec =
      dropping_unmatched(spec_with({sync("src", "/app"), shell("build"), always("docs", {"doc"})}));
  CHECK(given(spec).saved("doc/a").saved("README").plan() == "run build; run docs");
  CHECK(given(spec).saved("README").plan() == "nothing");
}

TEST_CASE("3.2 a trigger of a Matched run does not make a change matched") {
  const auto spec = spec_with({sync("src", "/app"), shell("docs", {"doc"})});
  CHECK(given(spec).saved("doc/a").plan() == "fall back: Unmatched doc/a");
  CHECK(given(dropping_unmatched(spec)).saved("doc/a").plan() == "nothing");
  CHECK(given(dropping_unmatched(spec)).saved("doc/a").saved("src/a").plan() == "copy src/a -> /app/a");
}

TEST_CASE("3.2 the default context: syncs, literal fallBackOn paths, literal triggers of Always runs") {
  const auto spec =
      without_context(spec_with({fall_back_on({"./Dockerfile", "*.proto"}), sync("src/", "/app"),
                                 shell("x", {"src/t"}), always("docs", {"doc", "**/*.md"})}));
  CHECK(given(spec).saved("Dockerfile").plan() == "fall back: StopPath Dockerfile");
  CHECK(given(spec).saved("doc/a").plan() == "run docs");
  CHECK(given(spec).saved("a.proto").outside() == "a.proto");
  CHECK(given(spec).saved("README.md").outside() == "README.md");
  CHECK(given(spec).saved("src/README.md").plan() == "copy src/README.md -> /app/README.md; run docs");
  CHECK(given(spec).saved("srcs").outside() == "srcs");
  CHECK(given(in({}, spec)).saved("srcs").outside() == "srcs");  // an empty list is no context either
}

TEST_CASE("3.2 a directory alone is never unmatched") {
  const auto spec = spec_with({sync("src", "/app"), always("docs", {"doc"}), shell("build")});
  CHECK(given(spec).saved("other", kDirectory).plan() == "nothing");
  CHECK(given(spec).saved("other", kDirectory).unmatched() == "");
  CHECK(given(spec).deleted("other", kDirectory).plan() == "nothing");
  CHECK(given(spec).saved("src/new", kDirectory).plan() == "mkdir src/new -> /app/new; run build");
  CHECK(given(spec).saved("src", kDirectory).plan() == "mkdir src -> /app; run build");
  CHECK(given(spec).saved("doc", kDirectory).plan() == "run docs; run build");
  CHECK(given(spec).saved(".", kDirectory).plan() == "nothing");
  CHECK(given(spec).saved("other", kDirectory).saved("other/file").plan() ==
        "fall back: Unmatched other/file");
}

TEST_CASE("3.2 a directory is one entry: what is on the host below it is no change") {
  CHECK(given(spec_with({sync("src", "/app")})).has("src/a").has("src/b").saved("src", kDirectory).plan() ==
        "mkdir src -> /app");
}

// ------------------------------------------------------------------------------------------------- 3.3:
// mapping

TEST_CASE("3.3 the first sync that equals the path or is above it wins") {
  const auto spec = spec_with({sync("src/web", "/web"), sync("src", "/app"), sync("src/api", "/api")});
  CHECK(given(spec).saved("src/web/a").plan() == "copy src/web/a -> /web/a");
  CHECK(given(spec).saved("src/webx").plan() == "copy src/webx -> /app/webx");
  CHECK(given(spec).saved("src/api/a").plan() == "copy src/api/a -> /app/api/a");
}

TEST_CASE("3.3 a directory: to joined with the relative path, a trailing / makes no difference") {
  for (const char* from : {"src", "src/", "./src", ".//src/./"}) {
    for (const char* to : {"/app", "/app/"}) {
      CHECK(given(spec_with({sync(from, to)})).saved("src/a/b.py").plan() ==
            "copy src/a/b.py -> /app/a/b.py");
      CHECK(given(spec_with({sync(from, to)})).saved("src", kDirectory).plan() == "mkdir src -> /app");
    }
  }
}

TEST_CASE("3.3 the root as from, the root as to") {
  CHECK(given(spec_with({sync(".", "/app")})).saved("a/b").plan() == "copy a/b -> /app/a/b");
  CHECK(given(spec_with({sync("./", "/app/")})).saved(".", kDirectory).plan() == "mkdir . -> /app");
  CHECK(given(spec_with({sync("src", "/")})).saved("src/etc/x").plan() == "copy src/etc/x -> /etc/x");
  CHECK(given(spec_with({sync("src", "/")})).saved("src").plan() == "copy src -> /src");
  CHECK(given(spec_with({sync("src", "/")})).saved("src", kDirectory).plan() == "mkdir src -> /");
}

TEST_CASE("3.3 from is the file itself: exactly to, or with a trailing / its name in there") {
  CHECK(given(spec_with({sync("package.json", "/app/web.json")})).saved("package.json").plan() ==
        "copy package.json -> /app/web.json");
  CHECK(given(spec_with({sync("a/package.json", "/app/")})).saved("a/package.json").plan() ==
        "copy a/package.json -> /app/package.json");
  CHECK(given(spec_with({sync("package.json", "/")})).saved("package.json").plan() ==
        "copy package.json -> /package.json");
  CHECK(given(spec_with({sync("a/p.json", "/app/")})).deleted("a/p.json").plan() == "rm /app/p.json");
}

TEST_CASE("3.3 what was below from does not delete from, which is a file in the same place by now") {
  const auto spec = spec_with({sync("a", "/app/")});
  CHECK(given(spec).has("a").deleted("a/a").plan() == "copy a -> /app/a");
  CHECK(given(spec).has("a").deleted("a/b").plan() == "rm /app/b");
}

TEST_CASE("3.3 whether from is a file or a directory") {
  const auto spec = spec_with({sync("src", "/app/")});
  CHECK(given(spec).saved("src").plan() == "copy src -> /app/src");
  CHECK(given(spec).saved("src", kDirectory).plan() == "mkdir src -> /app");
  CHECK(given(spec).claimed("src").plan() == "copy src -> /app/src");
  CHECK(given(spec).claimed("src").claimed("src/a").plan() == "mkdir src -> /app; copy src/a -> /app/a");
  CHECK(given(ignoring({"*/a"}, spec)).claimed("src").claimed("src/a").plan() ==
        "copy src -> /app/src");  // not counted
  CHECK(given(spec).deleted("src").plan() == "rm /app/src");
  CHECK(given(spec).deleted("src").deleted("src/a").plan() == "rmdir /app; rm /app/a");
  CHECK(given(spec).deleted("src", kDirectory).plan() == "rmdir /app");
  CHECK(given(spec).deleted("src").deleted("srcs/a").plan() == "fall back: Unmatched srcs/a");
}

TEST_CASE("3.3 a file where a directory was stays a file") {
  const auto spec = spec_with({sync(".", "/app")});
  CHECK(given(spec).saved("docs").deleted("docs/a").plan() == "copy docs -> /app/docs; rm /app/docs/a");
}

TEST_CASE("3.3 a from that is a symlink to a directory is followed, links below are not") {
  const auto spec = spec_with({sync("current", "/app/")});
  CHECK(given(spec).has("current", kDirectory).claimed("current", kLink).plan() == "mkdir current -> /app");
  CHECK(given(spec).saved("current/a").plan() == "copy current/a -> /app/a");
  CHECK(given(spec).saved("current/latest", kLink).plan() == "link current/latest -> /app/latest");
  CHECK(given(spec).saved("current", kLink).plan() == "update");  // to a file: the watcher follows that, too
}

TEST_CASE("3.3 copies are sorted by host path, deletes by remote path") {
  const auto spec = spec_with({sync("b", "/1"), sync("a", "/2")});
  CHECK(given(spec).saved("b/x").saved("a/y").deleted("a/d").deleted("b/d").plan() ==
        "copy a/y -> /2/y; copy b/x -> /1/x; rm /1/d; rm /2/d");
}

TEST_CASE("3.3 a delete whose remote path another existing host file maps to is a write of that file") {
  const auto spec = spec_with({sync("a", "/app"), sync("b", "/app")});
  CHECK(given(spec).has("b/x").deleted("a/x").plan() == "copy b/x -> /app/x");
  CHECK(given(spec).has("a/x").deleted("b/x").plan() == "copy a/x -> /app/x");
  CHECK(given(spec).has("b/y").deleted("a/x").plan() == "rm /app/x");
  CHECK(given(spec).has("b/x").deleted("a/x").deleted("b/x").plan() == "rm /app/x");
  CHECK(given(spec).has("b/x", kLink).deleted("a/x").plan() == "link b/x -> /app/x");
  CHECK(given(spec).deleted("a/x").saved("b/x").plan() == "copy b/x -> /app/x");
  CHECK(given(ignoring({"b/x"}, spec)).has("b/x").deleted("a/x").plan() == "rm /app/x");
}

TEST_CASE("3.3 the other file may be a sync of its own, or lie in a nested sync") {
  CHECK(given(spec_with({sync("src", "/app"), sync("prod.conf", "/app/app.conf")}))
            .has("prod.conf")
            .deleted("src/app.conf")
            .plan() == "copy prod.conf -> /app/app.conf");
  CHECK(given(spec_with({sync("conf/", "/app/"), sync("app.conf", "/app/")}))
            .has("app.conf")
            .deleted("conf/app.conf")
            .plan() == "copy app.conf -> /app/app.conf");
  CHECK(given(spec_with({sync("src", "/app"), sync("web", "/app/web")}))
            .has("web/i.html")
            .deleted("src/web/i.html")
            .plan() == "copy web/i.html -> /app/web/i.html");
  // A file that another sync takes first maps elsewhere.
  CHECK(given(spec_with({sync("b/x", "/elsewhere"), sync("a", "/app"), sync("b", "/app")}))
            .has("b/x")
            .deleted("a/x")
            .plan() == "rm /app/x");
}

TEST_CASE("3.3 deleting a directory deletes only what no other existing host file maps to") {
  const auto spec = spec_with({sync("a", "/app"), sync("b", "/app")});
  CHECK(given(spec).has("b/y").deleted("a").deleted("a/x").plan() == "rmdir /app but /app/y; rm /app/x");
  CHECK(given(spec).has("b/d/y").deleted("a/d").deleted("a/d/x").plan() ==
        "rmdir /app/d but /app/d/y; rm /app/d/x");
  CHECK(given(spec).has("b/e/y").deleted("a/d").deleted("a/d/x").plan() == "rmdir /app/d; rm /app/d/x");
  CHECK(given(spec).has("b", kDirectory).deleted("a").deleted("a/x").plan() == "rmdir /app; rm /app/x");
  CHECK(given(spec_with({sync("src", "/app"), sync("web", "/app/web")}))
            .has("web/i")
            .deleted("src", kDirectory)
            .plan() == "rmdir /app but /app/web/i");
  CHECK(given(spec_with({sync("src", "/app"), sync("c", "/app/")}))
            .has("c")
            .deleted("src", kDirectory)
            .plan() == "rmdir /app but /app/c");
  CHECK(given(spec).deleted("a", kDirectory).saved("a/x").plan() ==
        "copy a/x -> /app/x; rmdir /app but /app/x");
}

TEST_CASE("3.3 what is on the host below a deleted path is gone") {
  const auto spec = spec_with({sync("a", "/app"), sync("b", "/app")});
  CHECK(given(spec).has("b/x").deleted("a/x").deleted("b", kDirectory).plan() == "rmdir /app; rm /app/x");
}

TEST_CASE("3.3 where two existing files map to one remote path, the sync declared first wins") {
  const auto spec = spec_with({sync("a", "/app"), sync("b", "/app"), shell("build", {"b/x"})});
  CHECK(given(spec).has("a/x").saved("b/x").plan() == "run build");
  CHECK(given(spec).has("b/x").saved("a/x").plan() == "copy a/x -> /app/x");
  CHECK(given(spec).saved("a/x").saved("b/x").plan() == "copy a/x -> /app/x; run build");
  CHECK(given(spec).saved("b/x").plan() == "copy b/x -> /app/x; run build");
  CHECK(given(spec).saved("b/x").deleted("a/x").plan() == "copy b/x -> /app/x; run build");
  CHECK(given(spec).has("a/d", kDirectory).saved("b/d", kDirectory).plan() == "mkdir b/d -> /app/d");
}

TEST_CASE("3.4 deleting a sync root deletes what we put there") {
  const auto spec = spec_with({sync("src", "/app"), sync("p.json", "/conf/p.json")});
  CHECK(given(spec).deleted("src", kDirectory).plan() == "rmdir /app");
  CHECK(given(spec).deleted("p.json").plan() == "rm /conf/p.json");
}

TEST_CASE("4.5 deletes: Never keeps all, and triggers still fire") {
  LiveUpdateSpec spec = spec_with({sync("src", "/app"), shell("build", {"src/a"})});
  spec.source.deletes = DeletePolicy::Never;
  CHECK(given(spec).deleted("src/a").saved("src/b").plan() == "copy src/b -> /app/b; run build");
}

TEST_CASE("1.4 a path that a sync maps to /proc, /sys or /dev is refused") {
  const auto spec = spec_with({sync("rootfs", "/")});
  CHECK(given(spec).saved("rootfs/etc/x").result().refused.empty());
  const Plan plan = given(spec).saved("rootfs/proc/x").saved("rootfs/etc/x").result();
  REQUIRE(plan.refused.size() == 1);
  CHECK(plan.refused[0] == FieldError{"spec.steps[0].sync.to",
                                      "sends rootfs/proc/x to /proc/x: must not be /proc, /sys or /dev or "
                                      "below, which belong to the kernel: choose another folder"});
  CHECK(std::get<Update>(plan.decision).copies.size() == 1);
  CHECK(given(spec_with({sync("dev", "/")})).saved("dev").result().refused.size() == 1);
  CHECK(given(spec_with({sync("dev", "/")})).saved("dev", kDirectory).result().refused.empty());
}

// ---------------------------------------------------------------------------------------------------- 3.5:
// runs

TEST_CASE("3.5 a run without triggers runs on every Update, once, in order") {
  const auto spec = spec_with({sync("src", "/app"), shell("one"), shell("two")});
  CHECK(given(spec).saved("src/a").saved("src/b").plan() ==
        "copy src/a -> /app/a; copy src/b -> /app/b; run one; run two");
  CHECK(given(spec).deleted("src/a").plan() == "rm /app/a; run one; run two");
}

TEST_CASE("3.5 a run with triggers needs a change that a sync matched and that matches a trigger") {
  const auto spec =
      spec_with({sync("src", "/app"), shell("npm", {"src/package.json", "src/web", "**/*.lock"})});
  CHECK(given(spec).saved("src/package.json").plan() ==
        "copy src/package.json -> /app/package.json; run npm");
  CHECK(given(spec).saved("src/web/a").plan() == "copy src/web/a -> /app/web/a; run npm");
  CHECK(given(spec).deleted("src/y.lock").plan() == "rm /app/y.lock; run npm");
  CHECK(given(spec).saved("src/a").plan() == "copy src/a -> /app/a");
  CHECK(given(spec).saved("src", kDirectory).plan() == "mkdir src -> /app");
  CHECK(given(dropping_unmatched(spec)).saved("y.lock").saved("src/a").plan() == "copy src/a -> /app/a");
}

TEST_CASE("3.5 a triggered run takes its place among the others") {
  const auto spec = spec_with({sync("src", "/app"), shell("one"), shell("two", {"src/a"}), shell("three")});
  CHECK(given(spec).saved("src/a").plan() == "copy src/a -> /app/a; run one; run two; run three");
  CHECK(given(spec).saved("src/b").plan() == "copy src/b -> /app/b; run one; run three");
}

TEST_CASE("3.5 when: Always fires on a counted change, synced or not") {
  const auto spec = spec_with({sync("src", "/app"), always("docs", {"doc", "src/doc"})});
  CHECK(given(spec).saved("doc/a").plan() == "run docs");
  CHECK(given(spec).deleted("doc/a").plan() == "run docs");
  CHECK(given(spec).saved("src/doc/a").plan() == "copy src/doc/a -> /app/doc/a; run docs");
  CHECK(given(spec).saved("src/a").plan() == "copy src/a -> /app/a");
  CHECK(given(ignoring({"doc"}, spec)).saved("doc/a").plan() == "nothing");
  CHECK(given(spec).saved("doc/a").saved("README").plan() == "fall back: Unmatched README");
}

TEST_CASE("3.5 phase: BeforeSync runs before the copy") {
  const auto spec =
      spec_with({sync("src", "/app"), shell("after"), before("before"), before("before a", {"src/a"})});
  CHECK(given(spec).saved("src/a").plan() ==
        "first run before; first run before a; copy src/a -> /app/a; run after");
  CHECK(given(spec).saved("src/b").plan() == "first run before; copy src/b -> /app/b; run after");
}

TEST_CASE("1.3 no sync at all: an Always run") {
  const auto spec = without_context(spec_with({always("reload", {"conf"}), shell("then")}));
  CHECK(given(spec).saved("conf/a").plan() == "run reload; run then");
  CHECK(given(spec).saved("other").plan() == "nothing");
}

TEST_CASE("3.5 command and shell") {
  LiveUpdateSpec spec = spec_with({sync("src", "/app"), Run{.command = {"npm", "install"}}, shell("npm ci")});
  const Update update = std::get<Update>(given(spec).saved("src/a").result().decision);
  REQUIRE(update.after_sync.size() == 2);
  CHECK(update.after_sync[0] == PlannedRun{1, {"npm", "install"}});
  CHECK(update.after_sync[1] == PlannedRun{2, {"sh", "-c", "npm ci"}});
}

TEST_CASE("4.8 restart has triggers as a run has") {
  CHECK(given(spec_with({sync("src", "/app"), restart()})).saved("src/a").plan() ==
        "copy src/a -> /app/a; restart");
  const auto spec = spec_with({sync("src", "/app"), always("docs", {"doc"}), restart({"src/*.py", "doc"})});
  CHECK(given(spec).saved("src/a.py").plan() == "copy src/a.py -> /app/a.py; restart");
  CHECK(given(spec).saved("src/a.html").plan() == "copy src/a.html -> /app/a.html");
  CHECK(given(spec).saved("doc/a").plan() == "run docs");
}

TEST_CASE("5.3 catching up: nothing falls back, what no sync maps is dropped") {
  const auto spec = spec_with({fall_back_on({"src/Dockerfile", "Makefile"}), sync("src", "/app"),
                               shell("build"), always("docs", {"doc"})});
  CHECK(given(spec).catching_up().saved("src/Dockerfile").saved("Makefile").saved("README").plan() ==
        "copy src/Dockerfile -> /app/Dockerfile; run build");
  CHECK(given(spec).catching_up().saved("Makefile").saved("README").plan() == "nothing");
  CHECK(given(spec).catching_up().saved("doc/a").plan() == "run build; run docs");
}
