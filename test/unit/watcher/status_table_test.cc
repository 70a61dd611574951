#include "watcher/status_table.h"

#include <doctest/doctest.h>

#include "core/api/codec.h"
#include "watcher/yaml_output.h"

using namespace live_update;
using std::chrono::seconds;

namespace {

const Time kNow = Time(seconds(1'000'000));

LiveUpdate web() {
  LiveUpdate it;
  it.meta.name = "web";
  it.meta.created = kNow - seconds(300);
  it.status.sequence = 42;
  it.status.target = "Deployment/web";
  it.status.synced = "2/3";
  it.status.state = "RunFailed";
  it.status.conditions = {{.type = "Stalled",
                           .status = true,
                           .reason = "RunFailed",
                           .message = "pod web-2: step 1 exited with 1"}};
  it.status.containers = {
      {.pod = "web-2", .container = "web", .applied_sequence = 42, .state = "RunFailed", .message = "boom"},
      {.pod = "web-1", .container = "web", .applied_sequence = 42, .state = "Synced"}};
  return it;
}

}  // namespace

TEST_CASE("status as a table") {
  LiveUpdate fresh;
  fresh.meta.name = "a-longer-name";
  CHECK(status_table({web(), fresh}, kNow) ==
        "NAME            TARGET           SYNCED   SEQUENCE   STATE       HOLDER   AGE\n"
        "web             Deployment/web   2/3      42         RunFailed   -        5m\n"
        "a-longer-name   -                -        0          -           -        -\n");
}

TEST_CASE("status of one: every container that is not synced, and why") {
  CHECK(status_details(web(), false, kNow) ==
        "NAME   TARGET           SYNCED   SEQUENCE   STATE       HOLDER   AGE\n"
        "web    Deployment/web   2/3      42         RunFailed   -        5m\n"
        "\n"
        "pod web-2: step 1 exited with 1\n"
        "\n"
        "POD     CONTAINER   STATE       SEQUENCE   MESSAGE\n"
        "web-2   web         RunFailed   42         boom\n");
}

TEST_CASE("status of one, wide: every container with its transport, and how long the newest save took") {
  LiveUpdate it = web();
  it.status.containers[1].transport = "Agent";
  it.status.containers[1].applied_at = kNow;
  it.status.containers[1].last_milliseconds = 4;
  it.status.last_applied = LastApplied{41, {.posted = 3, .received = 5, .confirmed = 9, .applied = 10}};
  CHECK(status_details(it, true, kNow) ==
        "NAME   TARGET           SYNCED   SEQUENCE   STATE       HOLDER   AGE\n"
        "web    Deployment/web   2/3      42         RunFailed   -        5m\n"
        "\n"
        "pod web-2: step 1 exited with 1\n"
        "\n"
        "POD     CONTAINER   STATE       SEQUENCE   TRANSPORT   MILLISECONDS   MESSAGE\n"
        "web-2   web         RunFailed   42         -           -              boom\n"
        "web-1   web         Synced      42         Agent       4\n"
        "\n"
        "Sequence 41 was applied 10 ms after the save (posted 3, received 5, confirmed 9)\n");
}

TEST_CASE("status as YAML keeps strings strings") {
  auto json = parse_json(
      R"({"kind":"LiveUpdate","list":[1,true,null,"x y"],"no":"no","version":"1.0","empty":"","map":{"a/b":"3/3"}})");
  REQUIRE(json);
  CHECK(to_yaml(*json) ==
        "kind: LiveUpdate\n"
        "list:\n"
        "  - 1\n"
        "  - true\n"
        "  - ~\n"
        "  - \"x y\"\n"
        "\"no\": \"no\"\n"
        "version: \"1.0\"\n"
        "empty: \"\"\n"
        "map:\n"
        "  a/b: \"3/3\"\n");
}
