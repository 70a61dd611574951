// JSON of our kinds: nothing is lost both ways, and what users wrote wrongly is named (rules 1.9, 1.10).
#include "core/api/codec.h"

#include <doctest/doctest.h>

#include <random>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/base/time.h"
#include "test/unit/api/full_change_set.h"

using namespace live_update;

namespace {

LiveUpdate full_live_update() {
  LiveUpdate lu;
  lu.meta = {.ns = "shop-dev",
             .name = "web",
             .uid = "u-1",
             .resource_version = "17",
             .generation = 3,
             .created = *parse_time("2026-01-01T00:00:00Z"),
             .deleted = *parse_time("2026-01-02T00:00:00Z"),
             .labels = {{"app", "web"}},
             .annotations = {{"a/b", "c \"d\""}},
             .owners = {{"apps/v1", "Deployment", "web", "u-2", true}}};
  lu.spec.target.workload = WorkloadRef{"Deployment", "web"};
  lu.spec.target.selector =
      LabelSelector{{{"app", "web"}}, {{"tier", "In", {"a", "b"}}, {"x", "Exists", {}}}};
  lu.spec.target.container = "web";
  lu.spec.target.image = "registry.example/web";
  lu.spec.source = {.context = std::vector<std::string>{"."},
                    .ignore = {"**/*.pyc"},
                    .ignore_file = ".gitignore",
                    .credentials = {".env"},
                    .on_unmatched = OnUnmatched::Ignore,
                    .deletes = DeletePolicy::Mirror,
                    .max_deletes = 7};
  lu.spec.steps = {
      InitialSync{},
      FallBackOn{{"Dockerfile", "**/*.proto"}},
      Sync{"src", "/app/src"},
      Run{.command = {"npm", "install"},
          .triggers = {"package.json"},
          .when = RunWhen::Always,
          .phase = RunPhase::BeforeSync,
          .on_failure = OnFailure::FallBack,
          .timeout_seconds = 300,
          .working_dir = "/w"},
      Run{.shell = "date > /tmp/built"},
      Restart{RestartProcess{"HUP", 3, 4}, {"src/**"}},
      Restart{RestartSignal{"HUP"}, {}},
      Restart{RestartContainer{}, {}},
  };
  lu.spec.fall_back = {FallBackBuild{{"make", "image"}, 60}, Redeploy::SetImage};
  lu.spec.debounce = {6, 70};
  lu.spec.transport = Transport::Tar;
  lu.spec.suspend = true;
  lu.status.uid = lu.meta.uid;
  lu.status.observed_generation = 3;
  lu.status.sequence = 42;
  lu.status.conditions = {{"Ready", true, "Synced", "fine", 3, *parse_time("2026-01-01T00:00:00.5Z")}};
  lu.status.session = SessionStatus{"ada@laptop", "ada", "web", *parse_time("2026-01-01T00:00:00Z")};
  lu.status.target = "Deployment/web";
  lu.status.synced = "3/3";
  lu.status.state = "Synced";
  lu.status.targets = lu.status.synced_targets = 3;
  lu.status.containers = {{"web-1",
                           "web",
                           "containerd://1",
                           42,
                           *parse_time("2026-01-01T00:00:01Z"),
                           "Synced",
                           "Tar",
                           "m",
                           2,
                           {3, 4},
                           "5e2f 9a1b",
                           true}};
  lu.status.others = {{42, "RunFailed", "Agent", "5e2f", true, {3}, {"00ff", "11ee"}}};
  lu.status.history = "3 7-9";
  lu.status.forgetting = ForgettingStatus{"5e2f", {"sha256:1"}, {{3, 7}, {0, 9}}};
  lu.status.wanted = {{"docs/x", "sha256:00"}};
  lu.status.due = {"-", "run 1 2"};
  lu.status.fall_back = FallBackStatus{"StopPath", {"Dockerfile"}, 2, "web-7f3a-000042", "Redeploying", "x"};
  lu.status.unmatched = 5;
  lu.status.last_applied = LastApplied{42, {1, 2, 3, 4, 5, 6}};
  return lu;
}

Result<LiveUpdate> live_update_from(const std::string& text) { return decode_live_update(*parse_json(text)); }

// "field: message" of every error of a spec that is written into a LiveUpdate.
std::vector<std::string> errors_of_spec(const std::string& spec) {
  const auto json = parse_json(
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"name":"web"},"spec":)" +
      spec + "}");
  REQUIRE(json);
  std::vector<std::string> out;
  for (const FieldError& error : decode_live_update_strict(*json).errors)
    out.push_back(error.field + ": " + error.message);
  return out;
}
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a LiveUpdate with every field survives the way to JSON and back") {
  const LiveUpdate before = full_live_update();
  const auto after = live_update_from(encode_live_update(before));
  REQUIRE(after);
  CHECK(*after == before);
}

TEST_CASE("defaults are left out, and come back") {
  LiveUpdate lu;
  lu.meta.name = "web";
  lu.spec.steps = {Sync{"src", "/app"}};
  CHECK(encode_live_update(lu) ==
        R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"name":"web"},)"
        R"("spec":{"target":{},"steps":[{"sync":{"from":"src","to":"/app"}}]}})");
  CHECK(*live_update_from(encode_live_update(lu)) == lu);
}

TEST_CASE("a status object names the object and writes its zeros") {
  const ObjectMeta meta{.ns = "n", .name = "web", .uid = "u", .resource_version = "1"};
  CHECK(
      encode_live_update_status(meta, {}) ==
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"name":"web","namespace":"n"},)"
      R"("status":{"observedGeneration":0,"sequence":0,"conditions":[],"target":"","synced":"","state":"","targets":0,)"
      R"("syncedTargets":0,"containers":[],"unmatched":0}})");
  CHECK(
      encode_change_set_status(meta, {.phase = "Applied",
                                      .containers = 3,
                                      .targets = 3,
                                      .milliseconds = {.received = 3, .applied = 9}}) ==
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"ChangeSet","metadata":{"name":"web","namespace":"n"},)"
      R"("status":{"phase":"Applied","containers":3,"targets":3,"milliseconds":{"received":3,"applied":9},"message":""}})");
}

TEST_CASE(
    "7.1 a status that names another object tells nothing of this one, and an older operator's names none") {
  LiveUpdate lu;
  lu.meta = {.ns = "n", .name = "web", .uid = "new"};
  lu.status = {.uid = "new", .sequence = 42, .history = "3"};
  CHECK(live_update_from(encode_live_update(lu))->status == lu.status);
  lu.status.uid = "old";
  CHECK(live_update_from(encode_live_update(lu))->status == LiveUpdateStatus{.uid = "old"});
  lu.status.uid = "";
  CHECK(live_update_from(encode_live_update(lu))->status.sequence == 42);
}

TEST_CASE("output of a command that is no UTF-8 does not spoil the status") {
  const std::string text =
      encode_change_set_status({.name = "web"}, {.message = "caf\xe9 \xf0\x9f\x99\x82 \xed\xa0\x80"});
  CHECK(text.find("caf\xef\xbf\xbd \xf0\x9f\x99\x82 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"") !=
        std::string::npos);
  CHECK(parse_json(text));
}

TEST_CASE("what the API server sends is read leniently") {
  const auto lu =
      live_update_from(R"({"metadata":{"name":"web","managedFields":[{}]},"spec":{"future":1,"source":null,
      "steps":[{"sync":{"from":"a","to":"/b","future":{}}}]},"status":null})");
  REQUIRE(lu);
  CHECK(std::get<Sync>(lu->spec.steps[0]) == Sync{"a", "/b"});
}

TEST_CASE("an object that cannot be read says which, where and why") {
  const auto lu = live_update_from(
      R"({"metadata":{"namespace":"n","name":"web"},"spec":{"steps":[{"run":{"timeoutSeconds":"5"}}]}})");
  REQUIRE_FALSE(lu);
  CHECK(lu.error().kind == ErrorKind::Invalid);
  CHECK(lu.error().message ==
        "LiveUpdate n/web cannot be read: spec.steps[0].run.timeoutSeconds must be a whole number, is the "
        "string \"5\"");
  const auto cs = decode_change_set(
      *parse_json(R"({"metadata":{"namespace":"n","name":"x"},"spec":{"changes":[{"content":"a"}]}})"));
  REQUIRE_FALSE(cs);
  CHECK(cs.error().message ==
        "ChangeSet n/x cannot be read: spec.changes[0].content is not base64: its length is not a multiple "
        "of 4");
}

TEST_CASE("rule 1.9: the strict reader names field, fault and remedy") {
  CHECK(errors_of_spec(R"({"steps":[{"sync":{"from":"a","too":"/b"}}]})") ==
        Lines{"spec.steps[0].sync.to: is missing, but must be given",
              R"(spec.steps[0].sync.too: unknown field, did you mean "to"?)"});
  CHECK(errors_of_spec(R"({"step":[]})") == Lines{R"(spec.step: unknown field, did you mean "steps"?)"});
  CHECK(errors_of_spec(R"({"debounce":{"milliseconds":5}})") ==
        Lines{"spec.debounce.milliseconds: unknown field, known here: quietMilliseconds, maxMilliseconds"});
  CHECK(errors_of_spec(R"({"transport":"tar"})") ==
        Lines{R"(spec.transport: unknown value "tar", did you mean "Tar"?)"});
  CHECK(errors_of_spec(R"({"source":{"deletes":"Everything"}})") ==
        Lines{R"(spec.source.deletes: unknown value "Everything", must be one of Tracked, Mirror, Never)"});
  CHECK(errors_of_spec(R"({"suspend":"yes"})") ==
        Lines{R"(spec.suspend: must be true or false, is the string "yes")"});
  CHECK(errors_of_spec(R"({"target":{"container":5}})") ==
        Lines{"spec.target.container: must be a string, is the number 5: put it in quotes"});
  CHECK(
      errors_of_spec(R"({"steps":[{"fallBackOn":{"paths":"Dockerfile"}}]})") ==
      Lines{
          R"(spec.steps[0].fallBackOn.paths: must be a list, is the string "Dockerfile": write ["Dockerfile"])"});
  CHECK(errors_of_spec(R"({"source":{"ignore":["a",true]}})") ==
        Lines{"spec.source.ignore[1]: must be a string, is the truth value true: put it in quotes"});
  CHECK(errors_of_spec(R"({"source":{"maxDeletes":5000000000}})") ==
        Lines{"spec.source.maxDeletes: must be from 0 to 2147483647, is the number 5000000000"});
  CHECK(errors_of_spec(R"({"source":{"maxDeletes":1.5}})") ==
        Lines{"spec.source.maxDeletes: must be a whole number, is the number 1.5"});
  CHECK(errors_of_spec(R"({"source":{"maxDeletes":5.0}})") == Lines{});
  CHECK(errors_of_spec(R"({"target":{"selector":{"matchLabels":{"app":1}}}})") ==
        Lines{"spec.target.selector.matchLabels.app: must be a string, is the number 1: put it in quotes"});
}

TEST_CASE("rules 1.1, 1.10: one kind per step, one way per restart") {
  const std::string one_step =
      "must have exactly one of initialSync, fallBackOn, sync, run and restart: write one list entry for "
      "each";
  const std::string one_way =
      "must have exactly one of process, signal and container: process for a supervised one, signal to tell "
      "the "
      "program, container to start the container anew";
  CHECK(errors_of_spec(R"({"steps":[{"initialSync":null}]})") ==
        Lines{"spec.steps[0].initialSync: must be an object, is empty (null): write {}"});
  CHECK(errors_of_spec(R"({"steps":[{"initialSync":{},"run":{}}]})") == Lines{"spec.steps[0]: " + one_step});
  CHECK(errors_of_spec(R"({"steps":[{}]})") == Lines{"spec.steps[0]: " + one_step});
  CHECK(errors_of_spec(R"({"steps":[7]})") == Lines{"spec.steps[0]: must be an object, is the number 7"});
  CHECK(errors_of_spec(R"({"steps":[{"restart":{}}]})") == Lines{"spec.steps[0].restart: " + one_way});
  CHECK(errors_of_spec(R"({"steps":[{"restart":{"signal":"HUP","container":{}}}]})") ==
        Lines{"spec.steps[0].restart: " + one_way});
  CHECK(
      errors_of_spec(R"({"steps":[{"restart":{"signal":"SIGHUP"}}]})") ==
      Lines{
          R"(spec.steps[0].restart.signal: unknown value "SIGHUP", must be one of HUP, INT, QUIT, ABRT, KILL, )"
          "USR1, USR2, ALRM, TERM, CONT, WINCH"});
}

TEST_CASE("rule 1.10: fields that must be given, and numbers in their range") {
  CHECK(errors_of_spec(R"({"target":{"workload":{"name":"web"}}})") ==
        Lines{"spec.target.workload.kind: is missing, but must be given"});
  CHECK(errors_of_spec(R"({"steps":[{"fallBackOn":{}}],"fallBack":{"build":{}}})") ==
        Lines{"spec.steps[0].fallBackOn.paths: is missing, but must be given",
              "spec.fallBack.build.command: is missing, but must be given"});
  CHECK(
      errors_of_spec(R"({"steps":[{"run":{"timeoutSeconds":0}}],"debounce":{"quietMilliseconds":70000}})") ==
      Lines{"spec.steps[0].run.timeoutSeconds: must be from 1 to 2147483647, is the number 0",
            "spec.debounce.quietMilliseconds: must be from 0 to 60000, is the number 70000"});
  CHECK(
      errors_of_spec(R"({"target":{"selector":{"matchExpressions":[{"key":"a","operator":"in"}]}}})") ==
      Lines{R"(spec.target.selector.matchExpressions[0].operator: unknown value "in", did you mean "In"?)"});
}

TEST_CASE("messages fit into a status: the end of a long output is kept, in whole characters") {
  std::string output;
  for (int i = 0; i < 20'000; ++i) output += "\xc3\xa4";
  const std::string message = status_message(output + "end");
  CHECK(message.size() <= 32'768);
  CHECK(message.starts_with("...\xc3\xa4"));
  CHECK(message.ends_with("end"));
  CHECK(status_message("short") == "short");
}

TEST_CASE("the strict reader wants our kind, a name and a spec") {
  auto errors = [](const std::string& text) {
    Lines out;
    for (const auto& [field, message] : decode_live_update_strict(*parse_json(text)).errors)
      out.push_back(field + ": " + message);
    return out;
  };
  CHECK(errors("[]") == Lines{": must be an object, is a list"});
  CHECK(errors("{}") == Lines{"apiVersion: is missing, must be liveupdate.dev/v1alpha1",
                              "kind: is missing, must be LiveUpdate",
                              "metadata.name: is missing: give the object a name",
                              "spec: is missing: it says what is synced and where to"});
  CHECK(
      errors(
          R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"name":"Web","managedFields":[]},
                   "spec":{},"status":{"x":1}})") ==
      Lines{R"(metadata.name: must be lower-case letters, digits, "-" and ".", as in "web")"});
}

TEST_CASE("errors that only follow from an unreadable field are left out") {
  const std::vector<FieldError> unread = {{"spec.steps[1].sync.too", "unknown"},
                                          {"spec.steps[2]", "has none"}};
  const std::vector<FieldError> rules = {{"spec.steps[1].sync.to", "a"},
                                         {"spec.steps[2].sync", "b"},
                                         {"spec.steps[20]", "c"},
                                         {"spec.steps", "d"}};
  CHECK(without_consequences(unread, rules) ==
        std::vector<FieldError>{{"spec.steps[1].sync.to", "a"}, {"spec.steps[20]", "c"}});
}

TEST_CASE("hostile JSON is refused or read, never crashed on") {
  CHECK_FALSE(parse_json(""));
  CHECK_FALSE(parse_json("{"));
  CHECK_FALSE(parse_json("{} {}"));
  CHECK_FALSE(parse_json("\"\xff\""));
  CHECK_FALSE(parse_json("1e999"));
  CHECK_FALSE(parse_json(std::string("{\"a\":\0}", 7)));
  for (const char bracket : {'[', '{'}) {
    std::string deep;
    for (int i = 0; i < 200'000; ++i) deep += bracket == '[' ? "[" : "{\"a\":";
    const auto json = parse_json(deep);
    REQUIRE_FALSE(json);
    CHECK(json.error().message.starts_with("is not usable JSON: nested deeper than 128"));
  }
  CHECK(parse_json("[" + std::string(100, '[') + std::string(100, ']') + "]"));
  CHECK_FALSE(parse_json(std::string(100'000, '7')));
}

TEST_CASE("an error list stays bounded") {
  std::string steps = "7";
  for (int i = 0; i < 10'000; ++i) steps += ",7";
  CHECK(errors_of_spec(R"({"steps":[)" + steps + "]}").size() == 100);
}

// Every value of a full object is replaced by every other kind of value in turn: nothing may crash, and
// strict reading complains.
namespace {

const char* const kWrong[] = {
    "null", "true", "-1",   "1e300",  "18446744073709551615", "\"x\"",
    "[]",   "{}",   "[[]]", "[null]", "{\"a\":{}}",           "\"2026-13-01T00:00:00Z\""};

void replace_each(rapidjson::Document& root, rapidjson::Value& at, int& tried) {
  for (const char* wrong : kWrong) {
    rapidjson::Document other(&root.GetAllocator());
    other.Parse(wrong);
    rapidjson::Value saved;
    saved.Swap(at);
    at.Swap(other);
    (void)decode_live_update(root);
    (void)decode_change_set(root);
    (void)decode_pod(root);
    (void)decode_workload(root);
    (void)decode_live_update_strict(root);
    at.Swap(saved);
    ++tried;
  }
  if (at.IsObject()) {
    for (auto& member : at.GetObject()) replace_each(root, member.value, tried);
  } else if (at.IsArray()) {
    for (auto& entry : at.GetArray()) replace_each(root, entry, tried);
  }
}

}  // namespace

TEST_CASE("wrong types everywhere") {
  int tried = 0;
  for (const std::string& text :
       {encode_live_update(full_live_update()), encode_change_set(full_change_set())}) {
    auto json = parse_json(text);
    REQUIRE(json);
    replace_each(*json, *json, tried);
  }
  CHECK(tried > 1000);
}

TEST_CASE("random damage to the text") {
  const std::string text = encode_live_update(full_live_update());
  std::mt19937 random(42);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = text;
    for (int k = 0; k < 4; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (const auto json = parse_json(damaged)) (void)decode_live_update_strict(*json);
  }
}

TEST_CASE("times are RFC 3339 with microseconds") {
  CHECK(format_time(*parse_time("2026-01-01T00:00:00.123456Z")) == "2026-01-01T00:00:00.123456Z");
  CHECK(format_time(*parse_time("2026-01-01T01:30:00.123456789+01:30")) == "2026-01-01T00:00:00.123456Z");
  CHECK(format_time(*parse_time("2026-12-31T23:59:60Z")) == "2027-01-01T00:00:00.000000Z");
  CHECK(format_time(*parse_time("1969-12-31T23:59:59.5Z")) == "1969-12-31T23:59:59.500000Z");
  CHECK(format_time(*parse_time("0001-01-01t00:00:00z")) == "0001-01-01T00:00:00.000000Z");
  CHECK(format_time(*parse_time("9999-12-31T23:59:59-23:59")) == "10000-01-01T23:58:59.000000Z");
  for (const char* bad : {"", "2026", "2026-02-30T00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T24:00:00Z",
                          "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
                          "-026-01-01T00:00:00Z", "2026-01-01T00:00:00+1:00"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time(bad));
  }
}

TEST_CASE("base64, RFC 4648") {
  for (const auto& [plain, coded] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"f", "Zg=="},
                                                        {"fo", "Zm8="},
                                                        {"foo", "Zm9v"},
                                                        {"foob", "Zm9vYg=="},
                                                        {"fooba", "Zm9vYmE="},
                                                        {"foobar", "Zm9vYmFy"}}) {
    CHECK(encode_base64(plain) == coded);
    CHECK(*decode_base64(coded) == plain);
  }
  std::string all;
  for (int i = 0; i < 1024; ++i) all += static_cast<char>(i * 7);
  CHECK(*decode_base64(encode_base64(all)) == all);
  for (const char* bad : {"Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm 9", "Zm9v====", "Z=9v",
                          "\xff\xff\xff\xff"}) {
    CAPTURE(bad);
    CHECK_FALSE(decode_base64(bad));
  }
}
