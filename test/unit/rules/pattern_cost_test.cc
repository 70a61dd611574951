// What a pattern costs, and how long it may be.
#include <doctest/doctest.h>

#include <chrono>
#include <ctime>

#include "core/rules/pattern.h"

using namespace live_update;

namespace {

bool match(std::string_view pattern, std::string_view path) {
  const auto compiled = Pattern::compile(pattern);
  REQUIRE_MESSAGE(compiled, pattern);
  return compiled->matches(path);
}

}  // namespace

TEST_CASE("2.3 no pattern is exponential") {
  std::string stars, trees, path;
  for (int i = 0; i < 40; ++i) stars += "*a", trees += "**/a/", path += "a/a";
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(match(stars + "*b", std::string(4000, 'a')));
  CHECK_FALSE(match(trees + "b", path + path));
  CHECK(match(std::string(1024, '?'), std::string(1024, 'x')));
  CHECK(match(std::string(500, '*') + "x", "a/b/x"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
}

// Trees upon trees took twenty times as long as one, and characters beyond ASCII twenty times as long as others.
TEST_CASE("2.3 a path costs the same whatever a pattern of its length is made of") {
  auto repeated = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  auto cost = [](std::string_view pattern, std::string_view path) {
    const auto compiled = Pattern::compile(pattern);
    REQUIRE(compiled);
    const std::clock_t begin = std::clock();
    for (int i = 0; i < 20; ++i) CHECK_FALSE(compiled->matches(path));
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  const std::string path = repeated("a/", 2000) + "c";
  const double one = cost("**/b", path);
  CHECK(cost(repeated("**/", 340) + "b", path) < 6 * one);
  CHECK(cost(repeated("*", 1000) + "b", path) < 6 * one);
  const double ascii = cost(repeated("*a", 300), repeated("a", 3000) + "c");
  CHECK(cost(repeated("*\xE4\xB8\xAD", 300), repeated("\xE4\xB8\xAD", 3000) + "c") < 6 * ascii);
}

TEST_CASE("2.3 characters beyond ASCII, each alone, in classes and in between") {
  const std::string pattern = "[\xC3\xA4-\xC3\xB6x]\xE2\x82\xAC[^\xC3\xA4]?";
  CHECK(match(pattern, "\xC3\xA4\xE2\x82\xAC\xC3\xA5\xF0\x9F\x98\x80"));
  CHECK(match(pattern,
              "\xC3\xB6\xE2\x82\xAC"
              "aa"));
  CHECK(match(pattern, "x\xE2\x82\xAC\xF0\x9F\x98\x80\xC3\xA4"));
  CHECK_FALSE(match(pattern,
                    "\xC3\xB7\xE2\x82\xAC"
                    "aa"));
  CHECK_FALSE(match(pattern,
                    "x\xE2\x82\xAD"
                    "aa"));
  CHECK_FALSE(match(pattern,
                    "x\xE2\x82\xAC\xC3\xA4"
                    "a"));
}

TEST_CASE("2.4 a pattern has a greatest length") {
  CHECK(Pattern::compile(std::string(1024, 'a')));
  const auto longer = Pattern::compile(std::string(1025, 'a'));
  REQUIRE(!longer);
  CHECK(longer.error().message == "must be at most 1024 characters long, is 1025");
}
