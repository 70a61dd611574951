#include "operator/exec/run_limits.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

std::string said(std::vector<std::string> command, std::string working_dir = "") {
  Delivery delivery;
  delivery.before_sync.push_back({1, {"fine"}, "", 60, OnFailure::Stop});
  delivery.after_sync.push_back({3, std::move(command), std::move(working_dir), 60, OnFailure::Stop});
  return run_trouble(delivery, {256 << 10, 300 << 10}).value_or("nothing");
}

}  // namespace

TEST_CASE("4.6 what no container can execute is named with its step and what to do") {
  CHECK(said({"make", ""}) == "nothing");
  CHECK(said({""}) == "spec.steps[3].run: its command has no program: its first word is empty");
  CHECK(said({}) == "spec.steps[3].run: its command has no program: its first word is empty");
  const std::string nul =
      "spec.steps[3].run: its command or working directory has a NUL in it, which no program can be given; "
      "take "
      "it out";
  CHECK(said({"sh", "-c", std::string("a\0b", 3)}) == nul);
  CHECK(said({"make"}, std::string("/app\0", 5)) == nul);
  CHECK(said({"echo", std::string(1'200'000, 'x')}) ==
        "spec.steps[3].run: its command is longer than 256 KiB; put it into a file");
  CHECK(said({"echo", std::string(kLongestWord, 'x')}) == "nothing");
  CHECK(
      said({"echo", std::string(kLongestWord + 1, 'x')}) ==
      "spec.steps[3].run: a word of its command is longer than 128 KiB, and Linux takes none; put it into a "
      "file");
}

TEST_CASE("4.6 the commands of a delivery together") {
  Delivery delivery;
  for (int step : {1, 2, 3})
    delivery.after_sync.push_back({step, {"echo", std::string(120'000, 'x')}, "", 60, OnFailure::Stop});
  CHECK(run_trouble(delivery, {256 << 10, 300 << 10}) ==
        "spec.steps: the commands of its runs are longer than 300 KiB together; put them into files");
  CHECK_FALSE(run_trouble(delivery, {256 << 10, 400 << 10}));
}
