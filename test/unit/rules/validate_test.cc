#include "core/rules/validate.h"
#include "core/api/limits.h"
#include "watcher/validate.h"

#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "test/fakes/file_system.h"
#include "test/unit/crd_file.h"
#include "test/unit/rules/rules_fixture.h"

using namespace live_update;

namespace {

// "field: what is wrong", up to the remedy, one per line without the end.
std::string text(const std::vector<FieldError>& errors) {
  std::string out;
  for (const FieldError& error : errors) {
    out += (out.empty() ? "" : "\n") + error.field + ": " + error.message.substr(0, error.message.find(':'));
  }
  return out;
}
std::string wrong(const LiveUpdateSpec& spec) { return text(validate(spec)); }
std::string wrong(std::vector<Step> steps) { return wrong(spec_with(std::move(steps))); }

const Step kSync = sync("src", "/app");
constexpr const char* kOrder = "must be in the order initialSync, fallBackOn, sync, run, restart";

Step run(Run it) { return it; }

}  // namespace

TEST_CASE("1.2 the order of the steps") {
  CHECK(wrong({InitialSync{}, fall_back_on({"a"}), fall_back_on({"b"}), kSync, sync("b", "/b"), shell("x"),
               shell("y"), restart()}) == "");
  CHECK(wrong({kSync, InitialSync{}}) == std::string("spec.steps[1]: ") + kOrder);
  CHECK(wrong({kSync, fall_back_on({"a"})}) == std::string("spec.steps[1]: ") + kOrder);
  CHECK(wrong({shell("x"), kSync}) == std::string("spec.steps[1]: ") + kOrder);
  CHECK(wrong({kSync, restart(), shell("x")}) == std::string("spec.steps[2]: ") + kOrder);
  CHECK(wrong({fall_back_on({"a"}), InitialSync{}, kSync}) == std::string("spec.steps[1]: ") + kOrder);
  CHECK(wrong({InitialSync{}, InitialSync{}, kSync}) == "spec.steps[1]: must have at most one initialSync");
  CHECK(wrong({kSync, restart(), restart()}) == "spec.steps[2]: must have at most one restart");
}

TEST_CASE("1.3 at least one sync or run") {
  CHECK(wrong(spec_with({})) == "spec.steps: must have at least one sync or one run");
  CHECK(wrong({InitialSync{}, restart()}) == "spec.steps: must have at least one sync or one run");
  CHECK(wrong({kSync}) == "");
}

TEST_CASE("1.3 without any sync a run must be able to fire") {
  const std::string cannot = "spec.steps: without any sync, some run must have when";
  CHECK(wrong({shell("x")}) == cannot);
  CHECK(wrong({shell("x", {"src"})}) == cannot);
  CHECK(wrong({always("x", {"src"})}) == "");
  CHECK(wrong({always("x", {"**/*.css"})}) == "");
  CHECK(wrong({shell("y"), always("x", {"a", "b"})}) == "");
  CHECK(wrong(in({"web"}, spec_with({always("x", {"**/*.css"})}))) == "");
  CHECK(wrong(in({"web"}, spec_with({always("x", {"web/*.css"})}))) == "");
  CHECK(wrong(in({"web"}, spec_with({always("x", {"w*"})}))) == "");
  CHECK(wrong(in({"web"}, spec_with({always("x", {"api/*.css"})}))) == cannot);
  CHECK(wrong(in({"web"}, spec_with({always("x", {"*.css"})}))) == cannot);
  CHECK(wrong(in({"web"}, spec_with({always("x", {"api", "web/a"})}))) ==
        "spec.steps[0].run.triggers[0]: api is outside of spec.source.context, which could never fire");
  CHECK(wrong(without_context(spec_with({always("x", {"web"})}))) == "");
  CHECK(wrong(without_context(spec_with({always("x", {"**/*.css"})}))) == cannot);
  CHECK(wrong(without_context(spec_with({fall_back_on({"web"}), always("x", {"**/*.css"})}))) == "");
}

TEST_CASE("1.4 sync.to") {
  CHECK(wrong({sync("src", "app")}) == "spec.steps[0].sync.to: must be an absolute path in the container");
  CHECK(wrong({sync("src", "")}) == "spec.steps[0].sync.to: must be an absolute path in the container");
  CHECK(wrong({kSync, sync("b", "/a/../b")}) == "spec.steps[1].sync.to: must not contain . or .. components");
  CHECK(wrong({sync("src", "/app//")}) == "spec.steps[0].sync.to: must not contain empty components");
  CHECK(wrong({sync("src", "/dev/shm")}) ==
        "spec.steps[0].sync.to: must not be /proc, /sys or /dev or below, which belong to the kernel");
  CHECK(wrong({sync("src", "/")}) == "");
  CHECK(wrong({sync("src", "/app/")}) == "");
}

TEST_CASE("1.5 host paths in every place") {
  CHECK(wrong({sync("/src", "/app")}) ==
        "spec.steps[0].sync.from: must be relative to the root, not absolute");
  CHECK(wrong({sync("", "/app")}) == "spec.steps[0].sync.from: must not be empty");
  CHECK(wrong({fall_back_on({"ok", "../a"}), kSync}) ==
        "spec.steps[0].fallBackOn.paths[1]: must not contain .. components");
  CHECK(wrong({fall_back_on({"/**/*.x"}), kSync}) ==
        "spec.steps[0].fallBackOn.paths[0]: must be relative to the root, not absolute");
  CHECK(wrong({kSync, shell("x", {""})}) == "spec.steps[1].run.triggers[0]: must not be empty");
  CHECK(wrong({kSync, restart({"src/..", "src"})}) ==
        "spec.steps[1].restart.triggers[0]: must not contain .. components");
  CHECK(wrong(in({"src", "/src"}, spec_with({kSync}))) ==
        "spec.source.context[1]: must be relative to the root, not absolute");
  CHECK(wrong({sync("./src//a/", "/app"), shell("x", {"./src//a/b/"})}) == "");
}

TEST_CASE("1.6 sync.from, fallBackOn paths and triggers lie in the context") {
  auto with = [](std::vector<Step> steps) { return in({"src", "./conf/"}, spec_with(std::move(steps))); };
  CHECK(wrong(with({fall_back_on({"conf/a", "*.proto"}), kSync, sync("src/b", "/b"),
                    shell("x", {"conf", "src/b", "*.x"})})) == "");
  CHECK(wrong(with({sync("src2", "/app")})) ==
        "spec.steps[0].sync.from: src2 is outside of spec.source.context");
  CHECK(wrong(with({sync(".", "/app")})) == "spec.steps[0].sync.from: . is outside of spec.source.context");
  CHECK(wrong(with({fall_back_on({"Dockerfile"}), kSync})) ==
        "spec.steps[0].fallBackOn.paths[0]: Dockerfile is outside of spec.source.context, whose change would "
        "never be seen");
  CHECK(wrong(with({kSync, shell("x", {"src", "README"})})) ==
        "spec.steps[1].run.triggers[1]: README is outside of spec.source.context, which could never fire");
  CHECK(
      wrong(with({kSync, restart({"README"})})) ==
      "spec.steps[1].restart.triggers[0]: README is outside of spec.source.context, which could never fire");
}

TEST_CASE("1.6 by the default context, a trigger elsewhere can never fire") {
  CHECK(wrong(without_context(spec_with({kSync, shell("x", {"README"})}))) ==
        "spec.steps[1].run.triggers[0]: README is outside of the context, which is here all that the steps "
        "sync or fall back on, which could never fire");
  CHECK(wrong(without_context(spec_with({fall_back_on({"README"}), kSync, shell("x", {"README"})}))) == "");
  CHECK(wrong(without_context(spec_with({kSync, always("x", {"README"}), shell("y", {"README"})}))) == "");
}

TEST_CASE("6.1 6.2 a build and SetImage are not supported yet, and not accepted") {
  LiveUpdateSpec spec = spec_with({kSync});
  spec.fall_back.build = FallBackBuild{{"make", "image"}, 60};
  spec.fall_back.redeploy = Redeploy::SetImage;
  CHECK(validate(spec) ==
        std::vector<FieldError>{{"spec.fallBack.build",
                                 "fallBack.build is not supported yet: builds on the developer's machine "
                                 "come with a later version; "
                                 "remove it"},
                                {"spec.fallBack.redeploy",
                                 "SetImage is not supported yet: it comes with fallBack.build in a later "
                                 "version; use Restart or None"}});
  spec.fall_back.build.reset();
  CHECK(wrong(spec) == "spec.fallBack.redeploy: SetImage is not supported yet");
  for (const Redeploy redeploy : {Redeploy::Restart, Redeploy::None}) {
    spec.fall_back.redeploy = redeploy;
    CHECK(wrong(spec) == "");
  }
}

TEST_CASE("2.3 all patterns together have a bound") {
  auto ignored = [](std::size_t patterns, std::size_t length) {
    return ignoring(std::vector<std::string>(patterns, std::string(length, 'a')), spec_with({kSync}));
  };
  CHECK(wrong(ignored(8, 1024)) == "");
  CHECK(validate(ignored(9, 911)) ==
        std::vector<FieldError>{
            {"spec.source.ignore",
             "must have at most 8192 characters in all its patterns: use fewer or shorter ones, "
             "or move them into the ignore file"}});
  LiveUpdateSpec with_globs = ignored(8, 1000);
  with_globs.steps.push_back(shell("x", {"src/" + std::string(100, 'a'), std::string(192, '*')}));
  CHECK(wrong(with_globs) == "");
  std::get<Run>(with_globs.steps[1]).triggers[1] += '*';
  CHECK(wrong(with_globs) ==
        "spec.steps: must have globs of at most 8192 characters in all, together with the patterns of "
        "spec.source.ignore");
  CHECK(wrong(spec_with({fall_back_on(std::vector<std::string>(17, std::string(511, 'a') + "*")), kSync}))
            .starts_with("spec.steps: must have globs"));
}

TEST_CASE("1.7 run") {
  const std::string one = "spec.steps[1].run: must have exactly one of command and shell";
  CHECK(wrong({kSync, run({})}) == one);
  CHECK(wrong({kSync, run({.command = {"a"}, .shell = "b"})}) == one);
  CHECK(wrong({kSync, run({.command = {"a"}})}) == "");
  CHECK(wrong({kSync, run({.shell = "b"})}) == "");
  CHECK(wrong({kSync, run({.shell = "b", .timeout_seconds = 0})}) ==
        "spec.steps[1].run.timeoutSeconds: must be at least 1");
  CHECK(wrong({kSync, run({.shell = "b", .working_dir = "app"})}) ==
        "spec.steps[1].run.workingDir: must be an absolute path in the container");
}

TEST_CASE("3.5 when: Always needs triggers") {
  CHECK(wrong({kSync, always("x", {})}) == "spec.steps[1].run: must have triggers with when");
}

TEST_CASE("1.10 target") {
  LiveUpdateSpec spec = spec_with({kSync});
  spec.target = {};
  CHECK(wrong(spec) == "spec.target: must have exactly one of workload and selector");
  spec.target.selector.emplace();
  CHECK(wrong(spec) == "spec.target.selector: must not be empty, as that would match every pod");
  spec.target.selector->match_labels = {{"app", "web"}};
  CHECK(wrong(spec) == "");
  spec.target.selector->match_expressions = {
      {"a", "In", {}}, {"b", "Exists", {"x"}}, {"c", "Near", {}}, {"d", "NotIn", {"x"}}};
  CHECK(wrong(spec) ==
        "spec.target.selector.matchExpressions[0]: operator and values do not fit\n"
        "spec.target.selector.matchExpressions[1]: operator and values do not fit\n"
        "spec.target.selector.matchExpressions[2].operator: must be In, NotIn, Exists or DoesNotExist");
  spec.target = {.workload = WorkloadRef{"Deployment", "web"}, .selector = spec.target.selector};
  spec.target.selector->match_expressions.clear();
  CHECK(wrong(spec) == "spec.target: must have exactly one of workload and selector");
  spec.target = {.workload = WorkloadRef{"", ""}, .container = "a", .image = "b"};
  CHECK(wrong(spec) ==
        "spec.target: must have at most one of container and image\nspec.target.workload.kind: must not be "
        "empty\nspec.target.workload.name: must not be empty");
}

TEST_CASE("1.10 signals") {
  CHECK(wrong({kSync, Restart{RestartSignal{"HUP"}, {}}}) == "");
  CHECK(wrong({kSync, Restart{RestartSignal{"SIGHUP"}, {}}}) ==
        "spec.steps[1].restart.signal: must be HUP, INT, QUIT, ABRT, KILL, USR1, USR2, ALRM, TERM, CONT or "
        "WINCH");
  CHECK(wrong({kSync, Restart{RestartProcess{"", -1, -1}, {}}})
            .starts_with("spec.steps[1].restart.process.signal: must be HUP"));
}

TEST_CASE("2.2 a sync.from or literal trigger that is ignored as a whole is refused, naming the pattern") {
  auto with = [](std::vector<std::string> ignore, std::vector<Step> steps) {
    return ignoring(std::move(ignore), spec_with(std::move(steps)));
  };
  CHECK(validate(with({"a", "src"}, {kSync}))[0].message ==
        "src is ignored as a whole by spec.source.ignore[1]: src, so nothing of it would ever be synced: "
        "change the pattern, or remove the sync");
  CHECK(wrong(with({"src", "!src/keep"}, {kSync})) == "");
  CHECK(wrong(with({"*", "!src"}, {kSync})) == "");
  CHECK(wrong(with({"src/**"}, {kSync})) == "");
  CHECK(wrong(with({"*.lock"}, {sync(".", "/app"), shell("x", {"a.lock", "*.lock"})})) ==
        "spec.steps[1].run.triggers[0]: a.lock is ignored as a whole by spec.source.ignore[0]");
  CHECK(wrong(with({"a"}, {sync(".", "/app"), restart({"a/b"})})) ==
        "spec.steps[1].restart.triggers[0]: a/b is ignored as a whole by spec.source.ignore[0]");
  CHECK(wrong({sync(".git", "/app")}) == "spec.steps[0].sync.from: .git is ignored as a whole by built in");
  CHECK(wrong(with({"Dockerfile"},
                   {fall_back_on({"Dockerfile"}), sync(".", "/app"), shell("x", {"Dockerfile"})})) == "");
  CHECK(wrong(with({"**"}, {sync(".", "/app")})) == "");  // the root itself is never ignored
}

TEST_CASE("2.4 malformed patterns in every place") {
  LiveUpdateSpec spec =
      ignoring({"ok", "[z-a]"}, spec_with({fall_back_on({"[", "a"}), kSync, shell("x", {"a\\"})}));
  CHECK(wrong(spec) ==
        "spec.source.ignore[1]: must be a well-formed pattern\n"
        "spec.steps[0].fallBackOn.paths[0]: must be a well-formed pattern\n"
        "spec.steps[2].run.triggers[0]: must be a well-formed pattern");
}

TEST_CASE("3.1 a leading ! is refused") {
  CHECK(wrong({fall_back_on({"!a"}), kSync, shell("x", {"!*.a", "\\!a"})}) ==
        "spec.steps[0].fallBackOn.paths[0]: must not begin with !, nothing can be excluded here\n"
        "spec.steps[2].run.triggers[0]: must not begin with !, nothing can be excluded here");
}

TEST_CASE("1.9 every error is there, not only the first") {
  LiveUpdateSpec spec = in({"src"}, spec_with({sync("/a", "b"), sync("c", "/c"),
                                               run({.command = {"x"}, .shell = "y", .triggers = {"../z"}})}));
  spec.target = {};
  CHECK(validate(spec).size() == 6);
}

// -------------------------------------------------------------------------------------- the same words as
// the CRD

namespace {

std::string crd() {
  std::ifstream file(CRD_FILE);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

void collect(const LiveUpdateSpec& spec, std::string& out) {
  for (const FieldError& error : validate(spec)) out += error.message + "\n";
}

}  // namespace

TEST_CASE("1.8 validate says what the API server says") {
  std::string said;
  LiveUpdateSpec broken = ignoring(
      {"["}, spec_with({restart({""}), restart(), InitialSync{}, InitialSync{}, sync("/../a", "b/./c//"),
                        sync(std::string("a\0", 2), "/dev"), fall_back_on({"!a"}),
                        run({.triggers = {"/a"}, .when = RunWhen::Always, .working_dir = "x"}), run({})}));
  broken.target = {.container = "a", .image = "b"};
  broken.fall_back.build.emplace();
  broken.fall_back.redeploy = Redeploy::SetImage;
  broken.debounce = {50, 5};
  std::get<Run>(broken.steps[7]).triggers.clear();
  collect(broken, said);
  broken.target = {.workload = WorkloadRef{"A-", "a/b"}, .container = "A", .image = "a\x1b"};
  collect(broken, said);
  broken.target = {.selector = LabelSelector{}};
  broken.target.selector->match_expressions = {{"a", "In", {}}};
  collect(broken, said);
  broken.target.selector->match_expressions.clear();
  collect(broken, said);
  collect(spec_with({}), said);
  collect(ignoring(std::vector<std::string>(9, std::string(1000, 'a')), spec_with({kSync})), said);
  collect(spec_with({shell("x")}), said);
  // Of one of several the reader of files says the rest (rules 1.1, 1.10); of the context, which the CRD
  // cannot name, the end is alike.
  collect(spec_with({kSync, run({.command = {"", std::string(1 << 20, 'a')}})}), said);
  collect(spec_with({fall_back_on(std::vector<std::string>(501, std::string(100, 'a'))), kSync}), said);
  collect(spec_with({sync("a", "/" + std::string(256, 'a'))}), said);
  std::string outside;
  collect(in({"src"}, spec_with({fall_back_on({"a"}), sync("b", "/b"), shell("x", {"c"})})), outside);

  const std::string text = crd();
  const std::regex message(R"(message: '((?:[^']|'')*)')");
  int compared = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), message), end; it != end; ++it) {
    std::string words = std::regex_replace((*it)[1].str(), std::regex("''"), "'");
    if (words.contains("must have exactly one of initialSync") ||
        words.contains("must have exactly one of process") || words.contains("must have at least one word") ||
        words.contains("at most 63 characters"))
      continue;
    ++compared;
    if (const auto at = words.find("outside of spec.source.context"); at != words.npos) {
      CHECK_MESSAGE(outside.contains(words.substr(at)), words);
    } else {
      CHECK_MESSAGE(said.contains(words), words);
    }
  }
  CHECK(compared > 25);
}

TEST_CASE("the bounds of the CRD") {
  LiveUpdate live_update;
  live_update.spec = ignoring(std::vector<std::string>(257, "x"),
                              spec_with({fall_back_on(std::vector<std::string>(33, "a")),
                                         sync(std::string(513, 'a'), "/" + std::string(1024, 'b'))}));
  live_update.meta.name = std::string(64, 'x');
  CHECK(text(limits(live_update)) ==
        "metadata.name: must be at most 63 characters, as it becomes a label value\n"
        "spec.source.ignore: must have at most 256 entries, has 257\n"
        "spec.steps[0].fallBackOn.paths: must have at most 32 entries, has 33\n"
        "spec.steps[1].sync.from: must be at most 512 characters long, is 513\n"
        "spec.steps[1].sync.to: must be at most 1024 characters long, is 1025");
  live_update = {};
  live_update.spec = spec_with({sync(std::string(512, '\xC3') + std::string(0, ' '), "/")});
  CHECK(text(limits(live_update)) == "");
  CHECK(crd().contains("at most 63 characters, as it becomes a label value: choose a shorter name"));
}

// ------------------------------------------------------------------------------------------------- the
// command

namespace {

constexpr const char* kHead =
    "apiVersion: liveupdate.dev/v1alpha1\nkind: LiveUpdate\nmetadata: {name: web}\nspec:\n  target: "
    "{workload: {kind: Deployment, name: web}}\n";

// What `validate` prints, and its exit code.
std::string printed(const std::string& spec, const FakeFileSystem& files = {}) {
  std::ostringstream out, err;
  const int code = validate(parse_manifests("lu.yaml", kHead + spec), {}, files, out, err);
  return out.str() + err.str() + std::to_string(code);
}

}  // namespace

TEST_CASE("1.9 validate prints each error with its place and field") {
  CHECK(printed("  steps: [{sync: {from: src, to: /app}}]\n", FakeFileSystem().directory("src")) ==
        "lu.yaml: LiveUpdate web is valid\n0");
  CHECK(printed("  steps: [{sync: {from: scr, to: /app}}]\n", FakeFileSystem().directory("src")) ==
        "lu.yaml:6:19: spec.steps[0].sync.from: warning: scr is no file or folder of the root that can be "
        "read, so nothing is synced from it: correct it, unless it is made later\n"
        "lu.yaml: LiveUpdate web is valid\n0");
  const auto two = FakeFileSystem().file("a/f").file("b/f");
  CHECK(printed("  steps: [{sync: {from: a, to: /app}}, {sync: {from: b, to: /app}}]\n", two) ==
        "lu.yaml:6:57: spec.steps[1].sync.to: warning: a and b can both go to /app, where the sync declared "
        "first, "
        "spec.steps[0], wins: give each a place of its own\nlu.yaml: LiveUpdate web is valid\n0");
  CHECK(printed("  source: {ignore: [" + std::string(1025, 'a') +
                "]}\n  steps: [{sync: {from: src, to: /app}}]\n") ==
        "lu.yaml:6:21: spec.source.ignore[0]: must be at most 1024 characters long, is 1025\n1");
  CHECK(printed("  steps:\n  - sync: {from: /src, to: app}\n") ==
        "lu.yaml:7:12: spec.steps[0].sync.from: must be relative to the root, not absolute: leave out the "
        "leading /\n"
        "lu.yaml:7:24: spec.steps[0].sync.to: must be an absolute path in the container: write it with a "
        "leading /, such as /app/src\n1");
}

TEST_CASE("1.10 validate refuses unknown fields, with the rules beside") {
  const std::string text =
      printed("  steps:\n  - sync: {from: src, to: /app, too: x}\n  - run: {shell: a, command: [b]}\n");
  CHECK(text.contains("spec.steps[0].sync.too: "));
  CHECK(text.contains("spec.steps[1].run: must have exactly one of command and shell"));
  CHECK(text.ends_with("1"));
}

TEST_CASE("1.6 validate warns and is content") {
  const std::string text = printed(
      "  source: {context: [.]}\n  steps: [{sync: {from: src, to: /app}}, {run: {shell: x, triggers: "
      "[conf]}}]\n");
  CHECK(text.contains("spec.steps[1].run.triggers[0]: warning: no sync covers conf"));
  CHECK(text.ends_with("is valid\n0"));
}

TEST_CASE("2.2 the ignore file: the default may be missing, a named one may not") {
  const std::string steps = "  steps: [{sync: {from: src, to: /app}}]\n";
  CHECK(printed("  source: {ignoreFile: .dockerignore}\n" + steps) ==
        "lu.yaml:6:12: spec.source.ignoreFile: .dockerignore does not exist in the root: create it, or leave "
        "ignoreFile out\n1");
  CHECK(printed("  source: {ignoreFile: conf/ignore}\n" + steps, FakeFileSystem().file("conf/ignore", "a"))
            .ends_with("is valid\n0"));
  CHECK(printed("  source: {ignoreFile: conf}\n" + steps, FakeFileSystem().directory("conf"))
            .contains("conf is no file"));
  CHECK(printed("  source: {ignoreFile: ../x}\n" + steps)
            .contains("spec.source.ignoreFile: must not contain .. components"));
}

TEST_CASE("2.4 a malformed pattern of the ignore file has its file and line") {
  const std::string text = printed("  steps: [{sync: {from: src, to: /app}}]\n",
                                   FakeFileSystem().file(".dockerignore", "a\n[z-a]\n"));
  CHECK(text ==
        ".dockerignore:2: must be a well-formed pattern: close every [ with ], and write a character after "
        "every \\ ([z-a]: a range goes backwards)\n1");
}

TEST_CASE("2.2 what the ignore file ignores as a whole cannot be synced") {
  CHECK(printed("  steps: [{sync: {from: src, to: /app}}]\n",
                FakeFileSystem().file(".dockerignore", "src\n")) ==
        "lu.yaml:6:19: spec.steps[0].sync.from: src is ignored as a whole by .dockerignore:1: src, so "
        "nothing of it would ever be synced: change the pattern, or remove the sync\n1");
}

TEST_CASE("1.4 what is on the disk and would go to /proc, /sys or /dev") {
  const std::string steps = "  steps: [{sync: {from: rootfs, to: /}}]\n";
  CHECK(printed(steps, FakeFileSystem().file("rootfs/etc/x")).ends_with("is valid\n0"));
  CHECK(printed(steps, FakeFileSystem().file("rootfs/proc/x"))
            .contains("spec.steps[0].sync.to: sends rootfs/proc to /proc: must not be /proc"));
  CHECK(printed("  steps: [{sync: {from: dev, to: /}}]\n", FakeFileSystem().file("dev"))
            .contains("sends dev to /dev"));
  CHECK(printed("  steps: [{sync: {from: dev, to: /}}]\n", FakeFileSystem().directory("dev"))
            .ends_with("is valid\n0"));
}

TEST_CASE("validate of a file that is no LiveUpdate") {
  std::ostringstream out, err;
  CHECK(validate(parse_manifests("lu.yaml", "a: ["), {}, FakeFileSystem(), out, err) == 1);
  CHECK(out.str().starts_with("lu.yaml"));
}
