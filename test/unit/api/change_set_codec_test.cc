// JSON of ChangeSets: nothing is lost both ways; many changes travel as one string.
#include <doctest/doctest.h>

#include "core/api/codec.h"
#include "core/base/json.h"
#include "test/fakes/change_sets.h"
#include "test/unit/api/full_change_set.h"

using namespace live_update;

namespace {

Result<ChangeSet> decoded_from(const std::string& text) {
  rapidjson::Document json;
  json.Parse(text.c_str());
  return decode_change_set(json);
}

}  // namespace

TEST_CASE("a ChangeSet with every field survives, content byte by byte") {
  const ChangeSet before = full_change_set();
  const auto after = decode_change_set(*parse_json(encode_change_set(before)));
  REQUIRE(after);
  CHECK(*after == before);
  CHECK(*after->spec.changes[0].content == std::string("\0\xff\x01", 3));
  CHECK(after->spec.changes[1].content->empty());
  CHECK(after->spec.changes[2].content == nullptr);
}

TEST_CASE("changes are compared by their bytes") {
  Change a{.path = "a", .content = std::make_shared<const std::string>("x")};
  Change b{.path = "a", .content = std::make_shared<const std::string>("x")};
  CHECK(a == b);
  b.content = std::make_shared<const std::string>("y");
  CHECK(a != b);
  b.content = nullptr;
  CHECK(a != b);
}

TEST_CASE("a ChangeSet written by hand without modes gets usual ones, an empty file its size") {
  const auto cs = decode_change_set(*parse_json(
      R"({"spec":{"changes":[{"path":"a","op":"Write","type":"File"},{"path":"b","op":"Write","type":"Directory"},
          {"path":"c","op":"Delete"}]}})"));
  REQUIRE(cs);
  CHECK(cs->spec.changes[0].mode == 0644);
  CHECK(cs->spec.changes[1].mode == 0755);
  CHECK(cs->spec.changes[2].mode == 0);
  CHECK(encode_change_set({.spec = {.changes = {{.path = "a", .digest = "d"}}}})
            .find(R"(\"mode\":0,\"size\":0,)") != std::string::npos);
}

TEST_CASE("rule 7.3: the name of a ChangeSet") {
  CHECK(change_set_name("web", "7f3a", 42) == "web-7f3a-000042");
  CHECK(change_set_name("web", "7f3a", 12345678) == "web-7f3a-12345678");
}

TEST_CASE("changes are packed into a string, and come out as they were") {
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

TEST_CASE("a single change is packed, too, and nothing is where there is none") {
  const std::shared_ptr<const ChangeSet> one = delta(7).deleted("c");
  CHECK(encode_change_set(*one).find(R"("packed":"{\"changes\":[{\"path\":\"c\",)") != std::string::npos);
  CHECK(encode_change_set(*std::shared_ptr<const ChangeSet>(delta(7))).find("packed") == std::string::npos);
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

TEST_CASE("18 packed changes are not unfolded beyond what a ChangeSet may have") {
  const auto flaw_of = [](const std::string& packed) {
    JsonWriter json;
    json.object([&] {
      json.object("metadata", [&] { json.field("name", "web-7f3a-000009"); });
      json.object("spec", [&] {
        json.field("liveUpdate", "web");
        json.field("sequence", std::int64_t{9});
        json.field("packed", packed);
      });
    });
    const ChangeSet it = decode_flawed_change_set(*parse_json(json.take()));
    CHECK(it.meta.name == "web-7f3a-000009");
    CHECK(it.spec.live_update == "web");
    CHECK(it.spec.sequence == 9);
    CHECK(it.spec.changes.size() == (it.flaw.empty() ? 2 : 0));
    return it.flaw;
  };
  const auto many = [](const std::string& entry, int count) {
    std::string text = R"({"changes":[)";
    for (int i = 0; i < count; ++i) text += (i ? "," : "") + entry;
    return text + "]}";
  };
  const std::string begin =
      "ChangeSet /web-7f3a-000009 cannot be read: spec.packed must be a JSON object with the list "
      "\"changes\" of at "
      "most 4096 entries: it is not usable JSON: ";
  CHECK(flaw_of(many("{}", 466'000)).starts_with(begin + "more than 4097 objects at byte "));
  CHECK(flaw_of(many(R"({"path":"a","x":[1]})", 2)).starts_with(begin + "nested deeper than 3 at byte "));
  std::string wide = R"({"path":"a")";
  for (int i = 0; i < 70'000; ++i) wide += R"(,"x":0)";
  CHECK(flaw_of(many(wide + "}", 1)).starts_with(begin + "more than 65536 values at byte "));
  CHECK(flaw_of(many(R"({"path":"a"})", 2)) == "");
}

TEST_CASE("20 more than 4096 changes are refused before they are read") {
  std::string text = R"({"metadata":{"name":"x"},"spec":{"sequence":1,"changes":[{})";
  for (int i = 0; i < 4096; ++i) text += ",{}";
  const ChangeSet it = decode_flawed_change_set(*parse_json(text + "]}}"));
  CHECK(it.spec.changes.empty());
  CHECK(it.flaw ==
        "ChangeSet /x cannot be read: spec.changes has more than 4096 entries: split them over parts");
}
