#include "kube/line_splitter.h"

#include <doctest/doctest.h>

#include <vector>

namespace live_update {
namespace {

TEST_SUITE_BEGIN("line splitter");

TEST_CASE("any cut of a stream gives the same lines") {
  const std::string stream = "{\"a\":1}\n\nsecond\r\n\r\nthird, without end";
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); second += 3) {
      LineSplitter splitter(100);
      std::vector<std::string> lines;
      auto collect = [&](std::string line) { lines.push_back(std::move(line)); };
      const std::string_view all = stream;
      CHECK(splitter.feed(all.substr(0, first), collect));
      CHECK(splitter.feed(all.substr(first, second - first), collect));
      CHECK(splitter.feed(all.substr(second), collect));
      CHECK(lines == std::vector<std::string>{"{\"a\":1}", "second"});
      CHECK(splitter.partial());
    }
  }
}

TEST_CASE("a line may be as long as allowed, and no longer") {
  std::vector<std::string> lines;
  auto collect = [&](std::string line) { lines.push_back(std::move(line)); };
  LineSplitter exact(4);
  CHECK(exact.feed("1234\n", collect));
  CHECK_FALSE(exact.partial());
  CHECK(exact.feed("12", collect));
  CHECK(exact.feed("345", collect).error() ==
        Error{ErrorKind::TooLarge, "a line of the answer is longer than 4 bytes"});
  LineSplitter ended(4);
  CHECK(ended.feed("12345\n", collect).error().kind == ErrorKind::TooLarge);
  CHECK(lines == std::vector<std::string>{"1234"});
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update
