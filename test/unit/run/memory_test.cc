#include "run/memory.h"

#include <doctest/doctest.h>

using namespace live_update;

TEST_CASE("memory is given back in the first quiet period after a busy one, once") {
  BusyThenQuiet memory;
  CHECK_FALSE(memory.ask(0.3));
  CHECK_FALSE(memory.ask(0.9));
  CHECK(memory.ask(0.91));
  CHECK_FALSE(memory.ask(0.92));
}

TEST_CASE("many small pieces of work are a busy period, too") {
  BusyThenQuiet memory;
  int given_back = 0;
  for (int i = 0; i < 90; ++i) given_back += memory.ask(0.01 * i);
  CHECK(given_back == 1);
}
