#include "core/api/conditions.h"

#include <doctest/doctest.h>

#include <set>

#include "core/api/codec.h"
#include "core/base/time.h"

using namespace live_update;

namespace {
const Time kNow = *parse_time("2026-01-01T00:00:00Z");
const Time kLater = *parse_time("2026-01-01T00:00:01Z");
}  // namespace

TEST_CASE("a condition's time is that of its last change of status") {
  std::vector<Condition> conditions;
  set_condition(conditions, {"Ready", false, "Waiting", "for a pod"}, kNow);
  CHECK(conditions == std::vector<Condition>{{"Ready", false, "Waiting", "for a pod", 0, kNow}});
  set_condition(conditions, {"Ready", false, "Applying", "", 4}, kLater);
  CHECK(conditions == std::vector<Condition>{{"Ready", false, "Applying", "", 4, kNow}});
  set_condition(conditions, {"Ready", true, "Synced", ""}, kLater);
  CHECK(conditions == std::vector<Condition>{{"Ready", true, "Synced", "", 0, kLater}});
  set_condition(conditions, {"Synced", true, "", ""}, kLater);
  CHECK(find_condition(conditions, "Synced")->reason == "Synced");
  CHECK(find_condition(conditions, "FallBack") == nullptr);
  CHECK(conditions.size() == 2);
}

TEST_CASE("a condition's message fits, and setting it again changes nothing") {
  std::vector<Condition> conditions;
  set_condition(conditions, {"Ready", false, "RunFailed", std::string(100'000, 'x')}, kNow);
  CHECK(conditions[0].message.size() < 32'768);
  const auto before = conditions;
  set_condition(conditions, {"Ready", false, "RunFailed", std::string(100'000, 'x')}, kLater);
  CHECK(conditions == before);
}

TEST_CASE("every reason is one CamelCase word with a full sentence, and a remedy that is one") {
  std::set<std::string_view> names;
  for (const Reason& reason : all_reasons()) {
    CAPTURE(reason.name);
    CHECK(names.insert(reason.name).second);
    CHECK(find_reason(reason.name) == &reason);
    CHECK(reason.name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
          std::string_view::npos);
    CHECK(reason.meaning.ends_with('.'));
    CHECK((reason.remedy.empty() || reason.remedy.ends_with('.')));
  }
  CHECK(find_reason("Nonsense") == nullptr);
}
