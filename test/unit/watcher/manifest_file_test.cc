// Bad input names file, line, column and field; good input is what kubectl would see (rule 1.9).
#include "watcher/manifest_file.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

using namespace live_update;

namespace {

const std::string kHead = "apiVersion: liveupdate.dev/v1alpha1\nkind: LiveUpdate\nmetadata: {name: web}\n";

// All complaints about a file, one per line.
std::string complaints(const std::string& text) {
  const auto manifests = parse_manifests("f.yaml", text);
  if (!manifests) return manifests.error().message;
  std::string out;
  for (const Manifest& manifest : *manifests) {
    for (const FieldError& error : manifest.errors)
      out += (out.empty() ? "" : "\n") + manifest.describe(error);
  }
  return out;
}

Manifest one(const std::string& text) {
  const auto manifests = parse_manifests("f.yaml", text);
  REQUIRE_MESSAGE(manifests, (manifests ? "" : manifests.error().message));
  REQUIRE(manifests->size() == 1);
  return manifests->front();
}

// The JSON that `value` becomes as a label's value.
std::string label(const std::string& value) {
  const std::string json = one(kHead + "spec: {x: " + value + "}\n").json;
  const auto begin = json.find("\"x\":") + 4;
  return json.substr(begin, json.size() - begin - 2);
}

}  // namespace

TEST_CASE("a LiveUpdate in YAML") {
  const Manifest manifest = one(R"(# comment
apiVersion: liveupdate.dev/v1alpha1
kind: LiveUpdate
metadata: {name: web, namespace: shop-dev}
spec:
  target:
    workload: {kind: Deployment, name: web}
  source:
    ignore: ["**/*.pyc"]
  steps:
  - sync: {from: src, to: /app/src}
  - run: {command: [npm, install], triggers: [package.json], timeoutSeconds: 300}
)");
  CHECK(manifest.errors.empty());
  CHECK(manifest.live_update.meta.ns == "shop-dev");
  CHECK(manifest.live_update.spec.steps.size() == 2);
  CHECK(std::get<Run>(manifest.live_update.spec.steps[1]).command ==
        std::vector<std::string>{"npm", "install"});
  CHECK(manifest.place("spec.steps[1].run.timeoutSeconds") == Manifest::Place{12, 62});
  CHECK(manifest.place("spec.steps[1].run.workingDir") == Manifest::Place{12, 5});
  CHECK(manifest.place("spec.nothing[7].at.all") == Manifest::Place{5, 1});
}

TEST_CASE("the same in JSON, and several documents") {
  const std::string json =
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"name":"web"},"spec":{"steps":[{"run":{"shell":"echo \ud83d\ude42\/"}}]}})";
  const Manifest manifest = one(json);
  CHECK(std::get<Run>(manifest.live_update.spec.steps[0]).shell == "echo \xf0\x9f\x99\x82/");
  const auto several = parse_manifests(
      "f.yaml", "---\n" + kHead + "spec: {}\n---\n# nothing\n---\n" + kHead + "spec: {}\n...\n");
  REQUIRE(several);
  CHECK(several->size() == 2);
}

TEST_CASE("a fault has file, line, column and field") {
  CHECK(complaints(kHead + "spec:\n  steps:\n  - sync: {from: src, to: /a}\n  - sync:\n      from: b\n      "
                           "to: /b\n      too: /b\n") ==
        R"(f.yaml:10:7: spec.steps[1].sync.too: unknown field, did you mean "to"?)");
  CHECK(complaints(kHead + "spec:\n  steps:\n  - run: {shell: x, timeoutSeconds: soon}\n") ==
        "f.yaml:6:21: spec.steps[0].run.timeoutSeconds: must be a whole number, is the string \"soon\"");
  CHECK(complaints(kHead + "spec:\n  source:\n    ignore:\n    - a\n    - 5\n") ==
        "f.yaml:8:7: spec.source.ignore[1]: must be a string, is the number 5: put it in quotes");
  CHECK(complaints(kHead + "spec:\n  steps:\n  - sync: {from: src}\n") ==
        "f.yaml:6:5: spec.steps[0].sync.to: is missing, but must be given");
  CHECK(complaints("metadata: {name: web}\nspec: {}\napiVersion: liveupdate.dev/v1alpha1\n") ==
        "f.yaml:1:1: kind: is missing, must be LiveUpdate");
}

TEST_CASE("other documents are refused") {
  CHECK(complaints("kind: Deployment\napiVersion: apps/v1\nspec: {replicas: 1}\n") ==
        "f.yaml:2:1: apiVersion: is apps/v1, must be liveupdate.dev/v1alpha1\nf.yaml:1:1: kind: is "
        "Deployment, must be LiveUpdate");
  CHECK(complaints("just text") == "f.yaml:1:1: must be an object, is the string \"just text\"");
  CHECK(complaints("[a, b]") == "f.yaml:1:1: must be an object, is a list");
  for (const char* empty : {"", "\n", "# only a comment\n", "---\n---\n", "null"}) {
    CAPTURE(empty);
    CHECK(complaints(empty) == "f.yaml: has no LiveUpdate in it");
  }
}

TEST_CASE("malformed YAML and JSON say where") {
  CHECK(complaints("a: [1, 2\nb: 3\n").starts_with("f.yaml:"));
  CHECK(complaints("a: 1\n   b: 2\n").starts_with("f.yaml:2:"));
  CHECK(complaints("spec:\n    a: 1\n  b: 2\n").starts_with("f.yaml:3:"));
  CHECK(complaints("a: \"open\n").starts_with("f.yaml:"));
  CHECK(complaints("a: *nobody\n").starts_with("f.yaml:1:4: is not YAML"));
  CHECK(complaints("a: &a [*a]\n").starts_with("f.yaml:1:8: is not YAML: an alias of itself"));
  CHECK(complaints("{\"a\": ").starts_with("f.yaml:"));
  CHECK(complaints("a: \xff\n") == "f.yaml: is not UTF-8");
  CHECK(complaints("\n, text\n# comment\nkind: x\n").contains("is not YAML: nothing can begin like this"));
  CHECK(complaints(kHead + "spec: {target: {image: \"a\\_b\"}}\n")
            .starts_with("f.yaml:4:17: spec.target.image: has an escape \\_ or \\N, which is not supported: "
                         "write the character itself"));
  CHECK(complaints("spec:\n\ta: 1\n").starts_with("f.yaml:2:"));
}

TEST_CASE("duplicate keys are refused, at the second one") {
  CHECK(complaints(kHead + "spec:\n  suspend: true\n  suspend: false\n") ==
        "f.yaml:6:3: spec.suspend: is given twice, first in line 5: remove one");
  CHECK(complaints(kHead + "spec: {}\nspec: {}\n") ==
        "f.yaml:5:1: spec: is given twice, first in line 4: remove one");
}

TEST_CASE("scalars are typed as kubectl sees them") {
  for (const auto& [yaml, json] :
       std::vector<std::pair<std::string, std::string>>{{"a", "\"a\""},
                                                        {"\"5\"", "\"5\""},
                                                        {"'true'", "\"true\""},
                                                        {"5", "5"},
                                                        {"-5", "-5"},
                                                        {"+5", "5"},
                                                        {"0x1F", "31"},
                                                        {"017", "15"},
                                                        {"0o17", "15"},
                                                        {"08", "8.0"},
                                                        {"0b101", "5"},
                                                        {"1_000", "1000"},
                                                        {"1.5", "1.5"},
                                                        {".5", "0.5"},
                                                        {"1e3", "1000.0"},
                                                        {"yes", "true"},
                                                        {"On", "true"},
                                                        {"n", "false"},
                                                        {"OFF", "false"},
                                                        {"yEs", "\"yEs\""},
                                                        {"~", "null"},
                                                        {"null", "null"},
                                                        {"", "null"},
                                                        {"!!str 5", "\"5\""},
                                                        {"!!int \"5\"", "5"},
                                                        {"2026-01-01", "\"2026-01-01\""},
                                                        {"1.2.3", "\"1.2.3\""},
                                                        {"-", "\"-\""},
                                                        {"12ab", "\"12ab\""},
                                                        {"9223372036854775807", "9223372036854775807"},
                                                        {"-9223372036854775808", "-9223372036854775808"},
                                                        {"18446744073709551615", "18446744073709551615"},
                                                        {"99999999999999999999", "1e300"},
                                                        {"0x", "\"0x\""},
                                                        {"1e999", "\"1e999\""},
                                                        {".inf", "\".inf\""},
                                                        {"-inf", "\"-inf\""},
                                                        {"nan", "\"nan\""},
                                                        {"1-2", "\"1-2\""},
                                                        {"--5", "\"--5\""}}) {
    if (yaml == "-") continue;
    CAPTURE(yaml);
    CHECK(label(yaml) == json);
  }
}

TEST_CASE("anchors and merge keys") {
  const Manifest manifest = one(kHead + R"(spec:
  source: &source {ignore: [a], maxDeletes: 5}
  target: {selector: {matchLabels: &labels {app: web, tier: front}}}
  steps:
  - run: &run {shell: x, timeoutSeconds: 7}
  - run: {<<: *run, shell: z}
  - run:
      <<: [{timeoutSeconds: 8}, *run]
)");
  CHECK((manifest.errors.empty() ? "" : manifest.describe(manifest.errors[0])) == "");
  CHECK(std::get<Run>(manifest.live_update.spec.steps[1]) == Run{.shell = "z", .timeout_seconds = 7});
  CHECK(std::get<Run>(manifest.live_update.spec.steps[2]) == Run{.shell = "x", .timeout_seconds = 8});
  CHECK(complaints(kHead + "spec: {<<: 5}\n").ends_with("spec: has a merge key (<<) whose value is no map"));
  CHECK(complaints(kHead + "spec: {\"<<\": 5}\n").contains("spec.<<: unknown field"));
}

TEST_CASE("keys that are no text") {
  CHECK(complaints(kHead + "spec: {target: {selector: {matchLabels: {on: a}}}}\n") ==
        "f.yaml:4:28: spec.target.selector.matchLabels: has a key in line 4 that YAML reads as the truth "
        "value true: put it in quotes");
  CHECK(complaints(kHead + "spec: {target: {selector: {matchLabels: {8080: a}}}}\n").empty());
  CHECK(complaints(kHead + "spec: {? [a] : b}\n").contains("that is no text"));
  CHECK(complaints(kHead + "spec: {~: b}\n").contains("YAML reads as empty (null): put it in quotes"));
}

TEST_CASE("aliases unfold to a bounded size, nesting is bounded") {
  std::string bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "b" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k ? "," : "") + last;
    bomb += "]\n";
  }
  CHECK(complaints(bomb).contains("unfold to more than 50000 values"));
  std::string merges = "m0: &m0 {a: 1}\n";
  for (int i = 1; i < 30; ++i) {
    const std::string last = "*m" + std::to_string(i - 1);
    merges += "m" + std::to_string(i) + ": &m" + std::to_string(i) + " {<<: [" + last + "," + last + "," +
              last + "]}\n";
  }
  CHECK(complaints(merges).contains("unfold to more than 50000 values"));
  CHECK(complaints(std::string(100, '[') + std::string(100, ']')).contains("nested too deeply"));
  CHECK(complaints(std::string(100'000, '[')).starts_with("f.yaml:"));
  CHECK(complaints(std::string(100'000, '{')).starts_with("f.yaml:"));
  std::string indented;
  for (int i = 0; i < 2000; ++i) indented += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK(complaints(indented).starts_with("f.yaml:"));
}

TEST_CASE("random damage never crashes") {
  const std::string text = kHead +
                           "spec:\n  target: {workload: {kind: Deployment, name: web}}\n  steps:\n  - sync: "
                           "&s {from: src, to: /app}\n"
                           "  - run: {<<: *s, shell: \"a\\n\", triggers: ['x', |\n  y\n]}\n";
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text;
    for (int k = 0; k < 3; ++k) {
      const std::size_t at = random() % damaged.size();
      if (random() % 2)
        damaged[at] = "{}[]:,&*!|>'\"%@`-?# \n\t<~"[random() % 24];
      else
        damaged.erase(at, 1);
    }
    (void)complaints(damaged);
  }
}

TEST_CASE("files that cannot be read") {
  const auto missing = read_manifests("/nonexistent/liveupdate.yaml");
  REQUIRE_FALSE(missing);
  CHECK(missing.error() ==
        Error{ErrorKind::Io, "/nonexistent/liveupdate.yaml: cannot be opened: No such file or directory"});
  const auto folder = read_manifests("/");
  REQUIRE_FALSE(folder);
  CHECK(folder.error().message == "/: cannot be read: Is a directory");
}
