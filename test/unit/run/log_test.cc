#include "run/log.h"

#include <doctest/doctest.h>
#include <rapidjson/document.h>

using namespace live_update;

TEST_CASE("log: fields are JSON, whatever is in them") {
  const std::string fields =
      format_fields("not \"applied\"", {{"path", "a\nb\\c\x01"}, {"pod", "web-1"}, {"braces", "{} %v"}});
  rapidjson::Document document;
  document.Parse(("{" + fields + "}").c_str());
  REQUIRE(!document.HasParseError());
  CHECK(document["msg"].GetString() == std::string("not \"applied\""));
  CHECK(document["path"].GetString() == std::string("a\nb\\c\x01"));
  CHECK(document["braces"].GetString() == std::string("{} %v"));
  CHECK(!fields.contains('\n'));
}

TEST_CASE("8.4 log: nothing in a line is obeyed by a terminal") {
  CHECK(format_fields("m", {{"user", "\x1b[2J\n\x7f\xc2\x9b\xe2\x80\xae"}}) ==
        R"("msg":"m","user":"\u001B[2J\n\u007f\u009b\u202e")");
}

TEST_CASE("log: an unknown level is told") {
  CHECK(Log::create("debug"));
  const auto log = Log::create("loud");
  REQUIRE(!log);
  CHECK(log.error().message == "log level \"loud\": use debug, info, warn or error");
}
