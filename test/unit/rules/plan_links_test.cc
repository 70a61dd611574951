// Rule 4.3 in a plan: where no symlink goes, and what each copy must stay in.
#include "core/rules/plan.h"

#include <algorithm>

#include "test/unit/rules/rules_fixture.h"

using namespace live_update;

namespace {

constexpr auto kDirectory = FileType::Directory;
constexpr auto kLink = FileType::Symlink;

}  // namespace

TEST_CASE("4.3 a symlink never comes to be where a sync leads to, or on the way there") {
  const auto refused = [](const std::vector<Step>& steps, const std::string& link) {
    const Plan plan = given(spec_with(steps)).saved(link, kLink).saved("other/f").result();
    const auto& copies = std::get<Update>(plan.decision).copies;
    const bool copied = std::ranges::any_of(copies, [](const Copy& it) { return it.type == kLink; });
    CHECK(copied == plan.refused.empty());
    return plan.refused.empty() ? "" : plan.refused.at(0).field + ": " + plan.refused.at(0).message;
  };
  const Step other = sync("other", "/other");
  CHECK(refused({sync("static", "/srv/static"), other}, "static") ==
        "spec.steps[0].sync.to: sends the symlink static to /srv/static: a sync leads to that place, or "
        "through it, "
        "and would go where the link leads: sync what the link points to");
  CHECK(refused({sync("static/", "/srv/static/"), other}, "static") != "");
  CHECK(refused({sync("f", "/app/f"), other}, "f") != "");
  CHECK(refused({sync("f", "/app/"), other}, "f") != "");
  CHECK(refused({sync("a", "/app"), sync("b", "/app/b"), other}, "a/b") != "");
  CHECK(refused({sync("a", "/app"), sync("b", "/app/x/b/"), other}, "a/x") != "");
  CHECK(refused({sync("a", "/app"), sync("f", "/app/etc/f"), other}, "a/etc") != "");
  CHECK(refused({sync("b", "/app/x/b"), sync("a", "/app"), other}, "a/x") != "");
  CHECK(refused({sync("a", "/app"), sync("b", "/app/b"), other}, "a/bc") == "");
  CHECK(refused({sync("a", "/app"), sync("b", "/app/b"), other}, "a/b/c") == "");
}

TEST_CASE("4.3 nor does it by the deletion of what hid it") {
  const auto spec = spec_with({sync("a", "/app"), sync("b", "/app/b")});
  const Plan plan = given(spec).has("a/b", kLink).deleted("b").result();
  for (const Copy& copy : std::get<Update>(plan.decision).copies) CHECK(copy.type != kLink);
}

TEST_CASE(
    "4.3 a sync into what another one fills stays in that, as a link on the way may have come through it") {
  auto root = [](given g) { return std::get<Update>(g.result().decision).copies.at(0).root; };
  const std::vector<Step> steps{sync("b", "/app/x/b"), sync("a", "/app"), sync("f", "/app/etc/f"),
                                sync("c", "/srv")};
  CHECK(root(given(spec_with(steps)).saved("b/f")) == "/app");
  CHECK(root(given(spec_with(steps)).saved("b", kDirectory)) == "/app");
  CHECK(root(given(spec_with(steps)).saved("f")) == "/app");
  CHECK(root(given(spec_with(steps)).saved("c/f")) == "/srv");
  const Plan plan = given(spec_with(steps)).deleted("b/f").result();
  CHECK(std::get<Update>(plan.decision).deletes.at(0).root == "/app");
}

TEST_CASE("4.3 each copy knows the remote root it must stay in") {
  auto root = [](given g) { return std::get<Update>(g.result().decision).copies.at(0).root; };
  CHECK(root(given(spec_with({sync("src", "/app/")})).saved("src/a/b")) == "/app");
  CHECK(root(given(spec_with({sync("p.json", "/conf/p.json")})).saved("p.json")) == "/conf");
  CHECK(root(given(spec_with({sync("p.json", "/conf/")})).saved("p.json")) == "/conf");
}
