// Many changes of a ChangeSet travel as one string.
#include <doctest/doctest.h>

#include "core/api_json.h"
#include "core/json.h"
#include "test/fakes/change_sets.h"

using namespace live_update;

namespace {

Result<ChangeSet> decoded_from(const std::string& text) {
  rapidjson::Document json;
  json.Parse(text.c_str());
  return decode_change_set(json);
}

}  // namespace

TEST_CASE("more than three changes are packed into a string, and come out as they were") {
  ChangeSetBuilder builder = delta(7);
  for (int i = 0; i < 40; ++i)
    builder.saved("dir \"quoted\"/" + std::to_string(i), std::string("\0\xff\"\\\n", 5) + std::to_string(i));
  builder.deleted("old", FileType::Directory);
  const ChangeSet change_set = *std::shared_ptr<const ChangeSet>(builder);
  const std::string text = encode_change_set(change_set);
  CHECK(text.find("\"packed\":\"{") != std::string::npos);
  CHECK(text.find("\"changes\":[") == std::string::npos);
  const auto back = decoded_from(text);
  REQUIRE(back);
  CHECK(back->spec == change_set.spec);
}

TEST_CASE("up to three changes stay readable") {
  const std::shared_ptr<const ChangeSet> few = delta(7).saved("a").saved("b").deleted("c");
  const std::string text = encode_change_set(*few);
  CHECK(text.find("\"changes\":[") != std::string::npos);
  CHECK(text.find("packed") == std::string::npos);
}

TEST_CASE("packed changes that make no sense are errors with their field") {
  const auto broken = [](const std::string& packed) {
    const auto result = decoded_from(
        R"({"metadata":{"name":"web-7f3a-000001"},"spec":{"liveUpdate":"web","session":"7f3a","sequence":1,"packed":")" +
        packed + R"("}})");
    return result ? "" : result.error().message;
  };
  CHECK(broken("nonsense").find("spec.packed") != std::string::npos);
  const std::string wrong = broken(R"({\"changes\":[{\"path\":\"a\"},{\"path\":5}]})");
  CHECK(wrong.find("spec.packed.changes[1].path") != std::string::npos);
}
