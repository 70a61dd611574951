// Rule 8.4, for everything that the watcher prints: names, paths, messages and patterns that others wrote, through
// each function that makes text for people.
#include <doctest/doctest.h>

#include <cstdio>
#include <sstream>

#include "core/api/codec.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "test/fakes/file_system.h"
#include "watcher/console.h"
#include "watcher/explain.h"
#include "watcher/manifest_file.h"
#include "watcher/results.h"
#include "watcher/status_table.h"
#include "watcher/validate.h"
#include "watcher/wording.h"
#include "watcher/yaml_output.h"

using namespace live_update;

namespace {

// A title, a reset, a line like one of ours, C1, text that runs backwards, a separator of lines, DEL.
const std::string kHostile =
    "\x1b]0;TITLE\a\x1b"
    "c red\r\nSTATE   Synced\xc2\x9b"
    "1m\xe2\x80\xae"
    "gpj\xe2\x81\xa6\xe2\x80\xa8\x7f";

// Nothing that a terminal obeys, and no line that looks like theirs.
void check_harmless(const std::string& text) {
  CAPTURE(text);
  CHECK(printable(text) == text);
  CHECK(text.contains("red"));
  CHECK_FALSE(text.starts_with("STATE "));
  CHECK_FALSE(text.contains("\nSTATE "));
}

// As a string of JSON, which YAML takes, too.
std::string quoted(const std::string& text) {
  JsonWriter json;
  json.object([&] { json.field("x", text); });
  const std::string object = json.take();
  return object.substr(5, object.size() - 6);
}

LiveUpdate hostile_live_update() {
  LiveUpdate it;
  it.meta.name = kHostile;
  LiveUpdateStatus& status = it.status;
  status.target = status.synced = status.state = kHostile;
  status.session = SessionStatus{kHostile, kHostile, kHostile, {}};
  for (const char* type : {"Stalled", "FallBack", "Ready"})
    status.conditions.push_back({.type = type, .status = true, .reason = kHostile, .message = kHostile});
  status.fall_back = FallBackStatus{kHostile, {kHostile}, 3, kHostile, kHostile, kHostile};
  status.containers = {{.pod = kHostile,
                        .container = kHostile,
                        .state = kHostile,
                        .transport = kHostile,
                        .message = kHostile}};
  return it;
}

// A LiveUpdate in whose every text somebody has hidden something.
std::string hostile_manifest(const std::string& kind, const std::string& name) {
  const std::string text = quoted(kHostile);
  return "apiVersion: liveupdate.dev/v1alpha1\nkind: LiveUpdate\nmetadata: {name: " + name +
         "}\nspec:\n  target: {workload: {kind: " + kind + ", name: " + name +
         "}}\n  source: {context: [.], ignore: [" + quoted("skip" + kHostile) +
         "]}\n  steps:\n  - fallBackOn: {paths: [" + quoted("stop" + kHostile) +
         "]}\n  - sync: {from: src, to: " + quoted("/app" + kHostile) + "}\n  - run: {shell: " + text +
         ", triggers: [" + quoted("src/" + kHostile) + ", " + quoted("conf" + kHostile) + "]}\n";
}

std::string explained(std::vector<std::string> changed, const std::string& output) {
  std::ostringstream out, err;
  FakeFileSystem files;
  files.directory("src");
  explain(parse_manifests("lu" + kHostile + ".yaml", hostile_manifest("Deployment", "web")),
          {.changed = std::move(changed), .output = output}, files, out, err);
  return out.str() + err.str();
}

std::string validated(const std::string& manifest) {
  std::ostringstream out, err;
  validate(parse_manifests("lu" + kHostile + ".yaml", manifest), {}, FakeFileSystem().directory("src"), out,
           err);
  return out.str() + err.str();
}

}  // namespace

TEST_CASE("8.4 status: table, details, JSON and YAML") {
  const LiveUpdate it = hostile_live_update();
  check_harmless(status_table({it, it}, Time()));
  check_harmless(status_details(it, false, Time()));
  check_harmless(status_details(it, true, Time()));
  const std::string json = encode_live_update(it);
  check_harmless(visible_json(json));
  const std::string yaml = visible_json(to_yaml(*parse_json(json)));
  check_harmless(yaml);
  const auto read = parse_manifests("x", yaml);  // the same object
  REQUIRE(read);
  CHECK(read->front().live_update.meta.name == kHostile);
}

TEST_CASE("8.4 explain, for people and as JSON") {
  for (const char* output : {"", "json"}) {
    check_harmless(explained({"src/" + kHostile, "other" + kHostile}, output));  // synced, unmatched
    check_harmless(explained({"stop" + kHostile, "skip" + kHostile}, output));   // falls back, ignored
    check_harmless(explained({"src/" + kHostile, "skip" + kHostile}, output));   // copied, a run
    check_harmless(explained({"/" + kHostile}, output));                         // no path of ours
  }
}

TEST_CASE("8.4 validate: what is wrong, what is doubted, and what is valid") {
  check_harmless(validated(hostile_manifest(quoted(kHostile), quoted(kHostile))));
  check_harmless(validated(hostile_manifest("Deployment", "web")));
  check_harmless(validated("kind: LiveUpdate\nspec: {steps: [{sync: {from: " + quoted("/" + kHostile) + ", " +
                           quoted(kHostile) + ": 1}}]}\n"));
  check_harmless(validated("kind: " + quoted(kHostile) + "\n"));
  check_harmless(validated("{" + kHostile));
}

TEST_CASE("8.4 a save, its result, and what its runs print") {
  Results results{"s"};
  const std::string what = say_changes({{.path = kHostile}, {.path = kHostile + "2", .op = Op::Delete}});
  results.posted({ChangeSetSpec{.live_update = "web", .session = "7f3a", .sequence = 1}}, what, {}, {});
  for (const char* phase : {"Failed", "Waiting", "FallBack"}) {
    ChangeSet change_set;
    change_set.meta.name = change_set_name("web", "7f3a", 1);
    change_set.status = {.phase = phase, .message = kHostile};
    change_set.status.runs = {{1, kHostile, 0, kHostile + "\n"}};
    for (const auto& line : results.status(change_set, {}))
      if (line.text.contains("red")) check_harmless(printable(line.text));
    for (const auto& line : results.tick(Results::Instant(std::chrono::seconds(60))))
      check_harmless(line.text);
  }
}

TEST_CASE("8.4 the console lets nothing through, whatever was forgotten before") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  print(file, "red " + kHostile + std::string("\0\xff\t\n", 4));
  std::rewind(file);
  std::string text(1000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  CHECK(text ==
        "red \\x1b]0;TITLE\\x07\\x1bc red\\x0d\nSTATE   "
        "Synced\\u009b1m\\u202egpj\\u2066\\u2028\\x7f\\x00\\xff\t\n");
}
