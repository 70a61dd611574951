// What others wrote, in everything that the operator writes.
#include <doctest/doctest.h>

#include "core/base/text.h"
#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

// Names, paths and messages that others wrote: no field that people read makes a terminal do something, or has a line
// that looks like one of ours.
TEST_CASE("8.4 what others wrote is escaped in status, Events and ChangeSets") {
  const std::string hostile =
      "\x1b]0;TITLE\a\x1b[2Jred\nSTATE Synced\xc2\x9b"
      "1m\xe2\x80\xae\x7f";
  World world;
  auto check = [&](const std::string& text) {
    CAPTURE(text);
    CHECK(printable(text) == text);
    CHECK_FALSE(text.contains("\nSTATE"));
  };
  auto check_all = [&](const Decision& decision) {
    const LiveUpdateStatus& status = decision.status;
    for (const auto* text : {&status.target, &status.state, &status.synced}) check(*text);
    if (status.session) check(status.session->holder), check(status.session->user);
    if (status.fall_back) check(status.fall_back->message);
    for (const auto& path : status.fall_back ? status.fall_back->paths : std::vector<std::string>())
      check(path);
    for (const Condition& it : status.conditions) check(it.message);
    for (const ContainerStatus& it : status.containers) check(it.message);
    for (const EventNote& it : decision.events) check(it.message);
    for (const ChangeSetNote& it : decision.change_sets) check(it.status.message);
  };
  world.lu.spec.source.context = {"."};
  world.pod("a", "c1");
  world.post(delta(1).by(hostile).saved("lib/" + hostile));
  check_all(world.look());
  CHECK(world.lu.status.session->holder.starts_with("\\x1b]0;TITLE\\x07\\x1b[2Jred\\x0aSTATE"));
  CHECK(world.lu.status.fall_back->paths[0].contains("red\\x0aSTATE"));
  world.post(delta(2).by(hostile).saved("../" + hostile));  // refused
  world.post(delta(2).by(hostile).saved("Dockerfile"));
  check_all(world.look());

  World elsewhere;
  elsewhere.lu.spec.target.workload = WorkloadRef{hostile, hostile};
  elsewhere.post(delta(1).saved("src/a"));
  check_all(elsewhere.look());
  World image;
  image.pod("a", "c1").containers[0].waiting_reason = hostile;
  image.pods["a"].containers[0].running = false;
  image.post(delta(1).saved("src/a"));
  check_all(image.look());
  image.lu.spec.target.image = hostile;
  check_all(image.look());
}
