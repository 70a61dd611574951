#include "operator/exec/output_tail.h"
#include "core/base/text.h"

#include <doctest/doctest.h>

#include "core/api/codec.h"

using namespace live_update;

TEST_CASE("output: the last bytes are kept, from the begin of a line") {
  OutputTail tail(16);
  tail.add("one\ntwo\n");
  CHECK(tail.text() == "one\ntwo");
  tail.add("three\nfour\nfive\n");
  CHECK(tail.text() == "four\nfive");
  tail.add(std::string(1000, 'x'));
  CHECK(tail.text() == std::string(16, 'x'));
}

TEST_CASE("output: any split of megabytes gives the same tail") {
  std::string all;
  for (int i = 0; i < 30'000; ++i) all += "line " + std::to_string(i) + "\n";
  for (const std::size_t step : {1u, 7u, 4096u, 100'000u}) {
    OutputTail tail;
    for (std::size_t at = 0; at < all.size(); at += step) tail.add(std::string_view(all).substr(at, step));
    CHECK(tail.text().size() <= 4096);
    CHECK(tail.text().size() > 4000);
    CHECK(tail.text().starts_with("line 2"));
    CHECK(tail.text().ends_with("\nline 29999"));
  }
}

TEST_CASE("output: what a status cannot hold is left out") {
  CHECK(clean("a\x1b[31mred\x1b[0m b\x1b]0;title\a c\x1b(B d") == "ared b cB d");
  CHECK(clean("10%\r20%\r\nnext\r") == "10%\n20%\nnext");
  CHECK(clean(std::string("nul\0bell\a\x7f tab\tend\n\n", 20)) == "nulbell tab\tend");
  CHECK(clean("ünï 日本 🎉") == "ünï 日本 🎉");
  CHECK(clean("\xff"
              "a\xc3") ==
        "\xEF\xBF\xBD"
        "a\xEF\xBF\xBD");
  CHECK(clean("\xed\xa0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  CHECK(clean("\xc0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  CHECK(clean("\xc2\x9bx") == "x");                                        // a C1 control
  CHECK(clean("\x1b") == "");
}
