#include "core/base/text.h"

#include <doctest/doctest.h>

#include "core/base/json.h"

using namespace live_update;

TEST_CASE("8.4 text that others wrote: what a terminal would obey is escaped") {
  CHECK(visible("src/a b.py") == "src/a b.py");
  CHECK(visible("ünï 日本 🎉 \\x1b") == "ünï 日本 🎉 \\x1b");
  CHECK(visible("\x1b]0;title\a\x1b[2J") == "\\x1b]0;title\\x07\\x1b[2J");
  CHECK(visible(std::string("a\0b\x7f", 4)) == "a\\x00b\\x7f");
  CHECK(visible("a\nSTATE Synced\r\tb") == "a\\x0aSTATE Synced\\x0d\\x09b");
  CHECK(visible("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0") == "\\u0080\\u009b\\u009f\xc2\xa0");
  CHECK(visible("\xe2\x80\xae"
                "gpj.exe\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c") ==
        "\\u202egpj.exe\\u2066\\u2069\\u200e\\u200f\\u061c");
  CHECK(visible("\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf") == "\\u2028\\u2029\\ufeff");
  CHECK(visible("\xff"
                "a\xc3") == "\\xffa\\xc3");
  CHECK(visible("\xed\xa0\x80\xc0\x9b") == "\\xed\\xa0\\x80\\xc0\\x9b");  // a surrogate, an overlong form
  CHECK(visible(visible("\x1b\n")) == visible("\x1b\n"));
}

TEST_CASE("8.4 joiners and accents, which scripts need, stay") {
  CHECK(visible("👩\xe2\x80\x8d💻 e\xcc\x81 \xe2\x80\x8c") == "👩\xe2\x80\x8d💻 e\xcc\x81 \xe2\x80\x8c");
}

TEST_CASE("8.4 several lines that others wrote cannot pass for lines of ours") {
  CHECK(visible_lines("exited with 1: a\nweb   Synced\n\tb\x1b\n\n") ==
        "exited with 1: a\n  | web   Synced\n  | \tb\\x1b");
  CHECK(visible_lines("one") == "one");
  CHECK(visible_lines("") == "");
  CHECK(visible_lines("a\r\nb") == "a\\x0d\n  | b");
  CHECK(visible_lines(visible_lines("a\nb\nc")) == "a\n  | b\n  | c");
}

TEST_CASE("8.4 what leaves us keeps its newlines and tabs, and nothing else of the kind") {
  CHECK(printable("a\tb\nc\n\x1b[0m\r\xc2\x9b") == "a\tb\nc\n\\x1b[0m\\x0d\\u009b");
}

TEST_CASE("8.4 JSON keeps its meaning") {
  JsonWriter writer;
  const std::string hostile = "\x1b[2J\x7f\xc2\x9b\xe2\x80\xae\n\"\\";
  writer.object([&] { writer.field("a", hostile); });
  const std::string json = visible_json(writer.take());
  CHECK(json == "{\"a\":\"\\u001B[2J\\u007f\\u009b\\u202e\\n\\\"\\\\\"}");
  const auto read = parse_json(json);
  REQUIRE(read);
  CHECK((*read)["a"].GetString() == hostile);
  CHECK(visible_json("{\n\t\"a\": 1\n}\n") == "{\n\t\"a\": 1\n}\n");
}

TEST_CASE("output of programs is cleaned, not escaped") {
  CHECK(clean("a\x1b[31mred\x1b[0m\xe2\x80\xae b\xe2\x80\xa8 c") == "ared b c");
  CHECK(clean_start("what\nSTATE Synced") == "what\\x0aSTATE Synced");
}

TEST_CASE("a status message fits, also when what others wrote is longer once it is escaped") {
  CHECK(status_message("as it is") == "as it is");
  for (const std::string& text :
       {std::string(32'000, '\x1b'), std::string(100'000, '\x1b'), std::string(32'001, 'x')}) {
    const std::string said = status_message(text);
    CHECK(said.size() < 32'768);
    CHECK(said.starts_with("..."));
    CHECK(printable(said) == said);
  }
}
