// What runs print, as the ChangeSet's status carries it.
#include "operator/run_log.h"

#include <doctest/doctest.h>

using namespace live_update;

TEST_CASE("4.6 lines appear when they have ended, the last one when the run has") {
  RunLog log;
  log.add("c1", "web-1", 3, "one\ntw");
  REQUIRE(log.runs().size() == 1);
  CHECK(log.runs()[0] == RunOutput{3, "web-1", 0, "one\n"});
  log.add("c1", "web-1", 3, "o\n\x1b[31mthree");
  CHECK(log.runs()[0].text == "one\ntwo\n");
  log.finish("c1");
  CHECK(log.runs()[0].text == "one\ntwo\nthree\n");
}

TEST_CASE("one container speaks for all, each step by itself") {
  RunLog log;
  log.add("c1", "web-1", 3, "one\n");
  log.add("c2", "web-2", 3, "one\n");
  log.finish("c2");
  log.add("c1", "web-1", 4, "two\n");
  CHECK(log.runs() == std::vector<RunOutput>{{3, "web-1", 0, "one\n"}, {4, "web-1", 0, "two\n"}});
}

TEST_CASE("megabytes leave the last lines, which say their numbers") {
  RunLog log;
  for (int i = 0; i < 10'000; ++i) log.add("c1", "web-1", 3, "line " + std::to_string(i) + "\n");
  const RunOutput run = log.runs().at(0);
  CHECK(run.line == 9'900);
  CHECK(run.text.starts_with("line 9900\n"));
  log.add("c1", "web-1", 3, std::string(5'000'000, 'x'));
  log.finish("c1");
  CHECK(log.runs().at(0).text.size() < 20'000);
}
