#include "watcher/explain.h"

#include <doctest/doctest.h>

#include <sstream>

#include "core/api/codec.h"
#include "test/fakes/file_system.h"

using namespace live_update;

namespace {

constexpr const char* kHead =
    "apiVersion: liveupdate.dev/v1alpha1\nkind: LiveUpdate\nmetadata: {name: web}\nspec:\n  target: "
    "{workload: {kind: Deployment, name: web}}\n";

// The example of the contract.
constexpr const char* kSpec = R"(
  source: {context: [.], ignore: ["**/*.pyc"], onUnmatched: FallBack}
  steps:
  - fallBackOn: {paths: [Dockerfile, "**/*.proto"]}
  - sync: {from: src, to: /app/src}
  - sync: {from: package.json, to: /app/}
  - run: {shell: npm install, triggers: [package.json]}
  - run: {command: [date, "it's"]}
  - restart: {signal: HUP, triggers: [src/conf]}
)";

struct Asked {
  std::string spec = kSpec;
  FakeFileSystem files;
  ExplainCommand command{.output = "json"};
  int code = -1;
  std::string err;

  Asked& changed(std::vector<std::string> paths) { return command.changed = std::move(paths), *this; }
  Asked& deleted(std::vector<std::string> paths) { return command.deleted = std::move(paths), *this; }
  std::string run() {
    std::ostringstream out, errors;
    code = explain(parse_manifests("lu.yaml", kHead + spec), command, files, out, errors);
    err = errors.str();
    return out.str();
  }
  // The JSON, without its empty lists.
  std::string json() {
    std::string text = run();
    REQUIRE_MESSAGE(parse_json(text), text);
    for (const char* name :
         {"ignored", "outside", "unmatched", "stopped", "copies", "deletes", "runs", "errors"}) {
      const std::string empty = "\"" + std::string(name) + "\":[]";
      if (const auto at = text.find(empty); at != text.npos)
        text.erase(at, empty.size() + (text[at + empty.size()] == ','));
    }
    return text.substr(0, text.size() - 1);
  }
  std::string people() {
    command.output.clear();
    return run();
  }
};

Asked asked() { return {}; }
Asked asked(std::string spec) { return {.spec = std::move(spec)}; }

}  // namespace

TEST_CASE("explain: the whole object, with every key") {
  CHECK(
      asked().changed({"src/a.py"}).run() ==
      R"({"decision":"Update","reason":"","ignored":[],"outside":[],"unmatched":[],"stopped":[],)"
      R"("copies":[{"from":"src/a.py","to":"/app/src/a.py"}],"deletes":[],"runs":[{"step":4,"command":["date","it's"]}],"restart":null,"errors":[]})"
      "\n");
}

TEST_CASE("explain: an Update") {
  auto it = asked().changed({"src/b", "package.json", "src/a"}).deleted({"src/z", "src/y"});
  CHECK(
      it.json() ==
      R"({"decision":"Update","reason":"","copies":[{"from":"package.json","to":"/app/package.json"},{"from":"src/a","to":"/app/src/a"},{"from":"src/b","to":"/app/src/b"}],)"
      R"("deletes":["/app/src/y","/app/src/z"],"runs":[{"step":3,"command":["sh","-c","npm install"]},{"step":4,"command":["date","it's"]}],"restart":null,})");
  CHECK(it.code == 0);
}

TEST_CASE("explain: a fall-back has empty copies, deletes and runs") {
  auto it = asked().changed({"Dockerfile", "src/a", "README.md", "a/b.proto", "x.pyc"}).deleted({"src/z"});
  it.files.file(".dockerignore", "# none\n\nnode_modules\n");
  it.command.changed.push_back("node_modules/x");
  CHECK(
      it.json() ==
      R"({"decision":"FallBack","reason":"StopPath","ignored":[{"path":"node_modules/x","by":".dockerignore:3: node_modules","whole":true},{"path":"x.pyc","by":"spec.source.ignore[0]: **/*.pyc","whole":true}],)"
      R"("unmatched":["README.md"],"stopped":[{"path":"Dockerfile","by":"spec.steps[0].fallBackOn.paths[0]: Dockerfile"},{"path":"a/b.proto","by":"spec.steps[0].fallBackOn.paths[1]: **/*.proto"}],"restart":null,})");
  CHECK(it.code == 0);
  CHECK(
      asked().changed({"1", "2", "3", "4", "5", "6", "7", "src/a"}).json() ==
      R"({"decision":"FallBack","reason":"Unmatched","unmatched":["1","2","3","4","5","6","7"],"restart":null,})");
}

TEST_CASE("explain: no change, none that counts, no change at all") {
  CHECK(asked().json() == R"({"decision":"Nothing","reason":"","restart":null,})");
  CHECK(asked().changed({"a.pyc"}).json().starts_with(R"({"decision":"Nothing","reason":"","ignored":[{)"));
  CHECK(asked("  steps: [{sync: {from: src, to: /app}}]\n").changed({"b", "a"}).json() ==
        R"({"decision":"Nothing","reason":"","outside":["a","b"],"restart":null,})");
}

TEST_CASE("explain: a restart") {
  CHECK(asked().changed({"src/conf/a"}).json().contains(R"("restart":{"step":5,"signal":"HUP"})"));
  CHECK(asked("  steps: [{sync: {from: src, to: /app}}, {restart: {container: {}}}]\n")
            .changed({"src/a"})
            .json()
            .contains(R"("restart":{"step":1,"container":{}})"));
  CHECK(
      asked("  steps: [{sync: {from: src, to: /app}}, {restart: {process: {signal: INT}}}]\n")
          .changed({"src/a"})
          .json()
          .contains(R"("restart":{"step":1,"process":{"signal":"INT","graceSeconds":10,"aliveSeconds":1}})"));
}

TEST_CASE("explain: paths are cleaned, and count once") {
  CHECK(asked()
            .changed({"./src/a", "src//a", "src/./a/"})
            .json()
            .contains(R"("copies":[{"from":"src/a","to":"/app/src/a"}],)"));
  CHECK(asked().changed({"src/-x"}).json().contains(R"("copies":[{"from":"src/-x","to":"/app/src/-x"}],)"));
  CHECK(asked().changed({"-x"}).json().contains(R"("unmatched":["-x"])"));
}

TEST_CASE("explain: paths that cannot be meant are a wrong use") {
  for (const char* path : {"", "/src/a", "..", "src/../../a"}) {
    auto it = asked().changed({path});
    CHECK_MESSAGE(it.run() == "", path);
    CHECK(it.code == 2);
  }
  auto it = asked().changed({"/etc/passwd"});
  it.run();
  CHECK(it.err ==
        "explain: --changed '/etc/passwd' must be relative to the root, not absolute: leave out the leading "
        "/\n");
  it = asked().changed({"a/"}).deleted({"./a"});
  it.run();
  CHECK(it.err == "explain: 'a' is given as changed and as deleted: a path is one or the other\n");
}

TEST_CASE("explain: Invalid has errors and nothing else") {
  auto it = asked("  steps: [{sync: {from: /src, to: app}}]\n").changed({"src/a", "x~"});
  CHECK(
      it.json() ==
      R"({"decision":"Invalid","reason":"","restart":null,"errors":[{"field":"spec.steps[0].sync.from","message":"must be relative to the root, not absolute: leave out the leading /"},)"
      R"({"field":"spec.steps[0].sync.to","message":"must be an absolute path in the container: write it with a leading /, such as /app/src"}]})");
  CHECK(it.code == 1);
  it = asked("  steps: [{sync: {from: src, to: /app, mode: x}}]\n");
  CHECK(it.json().contains(R"("field":"spec.steps[0].sync.mode")"));
  it = asked("  steps: [");
  CHECK(it.json().starts_with(
      R"({"decision":"Invalid","reason":"","restart":null,"errors":[{"field":"","message":"lu.yaml:)"));
  CHECK(it.code == 1);
}

TEST_CASE("explain: Invalid by the ignore file, and by a path to /proc") {
  auto it = asked();
  it.files.file(".dockerignore", "a\n[\n");
  CHECK(it.json().contains(R"("field":".dockerignore:2")"));
  it = asked("  steps: [{sync: {from: rootfs, to: /}}]\n").changed({"rootfs/sys/x"});
  CHECK(it.json().contains(R"("field":"spec.steps[0].sync.to","message":"sends rootfs/sys/x to /sys/x: )"));
  CHECK(it.code == 1);
}

TEST_CASE("3.2 explain: what is on the disk says what a changed path is; what is not there is a file") {
  auto it = asked("  steps: [{sync: {from: src, to: /app/}}]\n").changed({"src"});
  CHECK(it.json().contains(R"("to":"/app/src")"));
  it.files.file("src/a");
  CHECK(it.json().contains(R"("to":"/app"}])"));
  it = asked("  steps: [{sync: {from: src, to: /app/}}]\n").changed({"src", "src/new"});
  CHECK(it.json().contains(R"([{"from":"src","to":"/app"},{"from":"src/new","to":"/app/new"}])"));
  it = asked().changed({"docs"});
  CHECK(it.json().contains("Unmatched"));
  it.files.file("docs/a");
  CHECK(it.json().contains("Nothing"));
}

TEST_CASE("3.3 explain: a from that is a symlink to a directory is that directory, other links are links") {
  auto it = asked("  source: {context: [.]}\n  steps: [{sync: {from: current, to: /app/}}]\n")
                .changed({"current", "current/a"});
  it.files.link("current", "v2").file("v2/a");
  CHECK(it.json().contains(R"([{"from":"current","to":"/app"},{"from":"current/a","to":"/app/a"}])"));
  it =
      asked("  source: {context: [.]}\n  steps: [{sync: {from: current, to: /app/}}]\n").changed({"current"});
  it.files.link("current", "gone");
  CHECK(it.json().contains(
      R"("ignored":[{"path":"current","by":"built in: a link that leads to nothing is not sent in the place of a sync.from","whole":true}])"));
  it = asked("  steps: [{sync: {from: current, to: /app/}}]\n").changed({"current"});
  it.files.link("current", "v2").file("v2");
  CHECK(it.json().contains(R"([{"from":"current","to":"/app/current"}])"));
  it.files.link("current", "/etc");
  CHECK(it.json().contains(
      R"([{"field":"spec.steps[0].sync.from","message":"current is a link that leads out of the root, to /etc: only what is inside can be synced, so put it there, or choose a root that holds both with --root"}])"));
  it = asked("  steps: [{sync: {from: a/b/c, to: /app}}]\n").changed({"a/b/c/x"});
  it.files.file("real/c/x").link("a/b", "real");
  CHECK(it.json().contains(R"([{"from":"a/b/c/x","to":"/app/x"}])"));
  it.files.link("a/b", "/etc");
  CHECK(it.json().contains("a/b is a link that leads out of the root, to /etc"));
}

TEST_CASE("2.2, 3.3 explain: what is behind a followed link is ignored by its own path, too") {
  auto it = asked("  source: {ignore: [data/secret]}\n  steps: [{sync: {from: src, to: /app}}]\n")
                .changed({"src/secret/x", "src/a"});
  it.files.file("data/secret/x").file("data/a").link("src", "data");
  CHECK(it.json().contains(
      R"("ignored":[{"path":"src/secret/x","by":"spec.source.ignore[0]: data/secret, as it is data/secret/x","whole":true}])"));
  CHECK(it.json().contains(R"("copies":[{"from":"src/a","to":"/app/a"}])"));
  it.files.link("src", "data/secret");
  CHECK(it.json().contains(
      "src is a link that leads to data/secret, which is ignored (spec.source.ignore[0]: data/secret)"));
}

TEST_CASE("2.8 explain: credentials stay on the machine, and it says by what") {
  const std::string all = "  steps: [{sync: {from: ., to: /app}}]\n";
  auto it = asked(all).changed({".env", "a/id_rsa"});
  CHECK(it.json().contains(
      R"("ignored":[{"path":".env","by":"credentials: **/.env","whole":true},{"path":"a/id_rsa","by":"credentials: **/id_rsa*","whole":true}])"));
  it = asked("  source: {credentials: [.env]}\n" + all).changed({".env"});
  CHECK(it.json().contains(R"([{"from":".env","to":"/app/.env"}])"));
}

TEST_CASE("3.3 explain: a delete that the disk shadows is a write; what --changed names exists") {
  const std::string two = "  steps: [{sync: {from: a, to: /app}}, {sync: {from: b, to: /app}}]\n";
  auto it = asked(two).deleted({"a/x"});
  CHECK(it.json().contains(R"("deletes":["/app/x"])"));
  it.files.file("b/x");
  CHECK(it.json().contains(R"("copies":[{"from":"b/x","to":"/app/x"}],"restart")"));
  CHECK(asked(two).deleted({"a/x"}).changed({"b/x"}).json().contains(
      R"("copies":[{"from":"b/x","to":"/app/x"}],"restart")"));
  it = asked(two).deleted({"a", "a/x"});
  it.files.file("b/y").file("a/still/on/disk");
  CHECK(it.json().contains(R"("deletes":["/app/x"])"));
}

TEST_CASE("3.3 explain: what is behind a link that is not followed does not exist there") {
  auto it =
      asked("  steps: [{sync: {from: a, to: /app}}, {sync: {from: b, to: /app}}]\n").deleted({"a/link/x"});
  it.files.file("elsewhere/x").link("b/link", "elsewhere");
  CHECK(it.json().contains(R"("deletes":["/app/link/x"])"));
  it = asked("  steps: [{sync: {from: a, to: /app}}, {sync: {from: b, to: /app}}]\n").deleted({"a/x"});
  it.files.file("elsewhere/x").link("b", "elsewhere");
  CHECK(it.json().contains(R"("copies":[{"from":"b/x","to":"/app/x"}],"restart")"));
}

TEST_CASE("4.4 explain: sockets, FIFOs and devices are not sent") {
  auto it = asked().changed({"src/fifo"});
  it.files.special("src/fifo");
  CHECK(
      it.json() ==
      R"({"decision":"Nothing","reason":"","ignored":[{"path":"src/fifo","by":"built in: a socket, a FIFO or a device cannot be sent","whole":true}],"restart":null,})");
}

TEST_CASE("2.1 explain: a name that is not UTF-8 is ignored, and the JSON stays JSON") {
  CHECK(
      asked().changed({"src/\xFF"}).json() ==
      "{\"decision\":\"Nothing\",\"reason\":\"\",\"ignored\":[{\"path\":\"src/\xEF\xBF\xBD\",\"by\":\"built "
      "in: a path that is not UTF-8 cannot be sent\",\"whole\":true}],\"restart\":null,}");
}

TEST_CASE("explain: several objects in a file, a root that is not there") {
  std::ostringstream out, err;
  const std::string one = std::string(kHead) + kSpec;
  CHECK(explain(parse_manifests("lu.yaml", one + "---\n" + one), {}, FakeFileSystem(), out, err) == 2);
  CHECK(err.str() == "explain: lu.yaml has 2 objects: explain takes one LiveUpdate\n");
  err.str("");
  CHECK(explain(read_manifests("/no/such/file"), {}, FakeFileSystem(), out, err) == 2);
  CHECK(err.str().starts_with("explain: /no/such/file: "));
  err.str("");
  CHECK(explain(parse_manifests("lu.yaml", one), {}, PosixFileSystem("/no/such/root"), out, err) == 2);
  CHECK(err.str() == "explain: the root /no/such/root is no directory: give one with --root\n");
}

// ------------------------------------------------------------------------------------------------ for people

TEST_CASE("explain for people: every path has its reason") {
  auto it = asked().changed({"src/a.py", "package.json", "x.pyc"}).deleted({"src/old.py"});
  it.files.file("package.json");
  CHECK(it.people() ==
        "Update: 2 paths are copied, 1 deleted, 2 commands run\n"
        "\n"
        "  package.json  copied to /app/package.json by spec.steps[2].sync\n"
        "  src/a.py      copied to /app/src/a.py by spec.steps[1].sync\n"
        "  src/old.py    deleted: /app/src/old.py by spec.steps[1].sync\n"
        "  x.pyc         ignored by spec.source.ignore[0]: **/*.pyc\n"
        "\n"
        "  then runs: sh -c 'npm install'   (spec.steps[3].run)\n"
        "  then runs: date 'it'\\''s'   (spec.steps[4].run)\n");
}

TEST_CASE("explain for people: what does not run") {
  CHECK(asked().changed({"src/conf"}).people() ==
        "Update: 1 path is copied, 0 deleted, 1 command runs, then a restart\n"
        "\n"
        "  src/conf  copied to /app/src/conf by spec.steps[1].sync\n"
        "\n"
        "  then runs: date 'it'\\''s'   (spec.steps[4].run)\n"
        "  not triggered: sh -c 'npm install'   (spec.steps[3].run)\n"
        "  then restarts by signal HUP   (spec.steps[5].restart)\n");
}

TEST_CASE("explain for people: why it falls back") {
  CHECK(asked().changed({"Dockerfile", "src/a"}).people() ==
        "FallBack: a fallBackOn path changed, so nothing is copied and the containers are built and deployed "
        "anew\n"
        "\n"
        "  Dockerfile  falls back, by spec.steps[0].fallBackOn.paths[0]: Dockerfile\n"
        "  src/a       would be copied to /app/src/a by spec.steps[1].sync\n");
  CHECK(asked().changed({"README"}).people() ==
        "FallBack: a path changed that no sync covers, so nothing is copied and the containers are built and "
        "deployed anew\n"
        "\n"
        "  README  no sync covers it: falls back\n");
}

TEST_CASE("explain for people: nothing") {
  CHECK(asked().people() == "Nothing: no change was given, name some with --changed and --deleted\n");
  CHECK(asked("  steps: [{sync: {from: src, to: /app}}, {sync: {from: b, to: /b}}]\n")
            .changed({"other\n.txt"})
            .people() ==
        "Nothing: no change is left to apply\n\n  other\\x0a.txt  outside of the context (b, src)\n");
}

TEST_CASE("explain for people: the less usual reasons") {
  const std::string two =
      "  source: {context: [.], onUnmatched: Ignore}\n  steps: [{sync: {from: a, to: /app}}, {sync: {from: "
      "b, to: /app}}, {run: {shell: docs, triggers: [doc], when: Always}}]\n";
  auto it = asked(two).changed({"b/x", "README", "doc/i", "dir"}).deleted({"b/y"});
  it.files.file("a/x").file("a/y").directory("dir");
  CHECK(it.people() ==
        "Update: 1 path is copied, 0 deleted, 1 command runs\n"
        "\n"
        "  README  no sync covers it: dropped, as spec.source.onUnmatched is Ignore\n"
        "  a/y     copied to /app/y by spec.steps[0].sync, as what took its place there is deleted\n"
        "  b/x     not copied to /app/x by spec.steps[1].sync: another file goes there, and its sync is "
        "declared first\n"
        "  b/y     deleted, but another file goes to /app/y by spec.steps[1].sync: that one is copied\n"
        "  dir     a directory alone that no sync covers: nothing to do\n"
        "  doc/i   not synced, but it triggers spec.steps[2].run (when: Always)\n"
        "\n"
        "  then runs: sh -c docs   (spec.steps[2].run)\n");
}

TEST_CASE("explain for people: Invalid") {
  auto it = asked("  steps:\n  - sync: {from: /src, to: /app}\n");
  CHECK(it.people() ==
        "Invalid: lu.yaml breaks the rules of a LiveUpdate, so no change is applied\n"
        "\n"
        "  lu.yaml:7:12: spec.steps[0].sync.from: must be relative to the root, not absolute: leave out the "
        "leading /\n");
  CHECK(it.code == 1);
}
