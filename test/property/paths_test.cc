// Lists of paths: what is unknown (rule 7.6), and what runs are told of what changed (rule 4.6).
#include <algorithm>
#include <ranges>

#include "core/base/path.h"
#include "core/desired/changed_paths.h"
#include "core/desired/unknown.h"
#include "test/property/disk.h"
#include "test/property/holds.h"

using namespace live_update;
using namespace live_update::property;

TEST_CASE(
    "7.6 what is unknown hides itself and, if it is a folder, what is below; what leads to it is there") {
  holds(2'000, [](const Luck& luck) {
    Dice dice = luck.dice();
    std::vector<UnknownPath> paths;
    for (std::size_t count = dice.below(4); count > 0; --count) {
      const std::string path = dice.one_in(12) ? "." : draw_path(dice);
      if (std::ranges::find(paths, path, &UnknownPath::path) == paths.end())
        paths.push_back({path, dice.one_in(2)});
    }
    const Unknowns unknown(paths);
    const std::string asked = draw_path(dice);
    const auto hides = [&](const UnknownPath& it) {
      return it.below ? at_or_below(asked, it.path) : asked == it.path;
    };
    const auto names = [&](const UnknownPath& it) { return it.path != "." && at_or_below(it.path, asked); };
    const bool hidden = std::ranges::any_of(paths, hides), named = std::ranges::any_of(paths, names);
    RC_CLASSIFY(hidden, "hidden");
    RC_CLASSIFY(named, "named");
    RC_ASSERT(unknown.hides(asked) == hidden);
    RC_ASSERT(unknown.names(asked) == named);
    RC_ASSERT(unknown.spares(asked) == (hidden || named));
    RC_ASSERT(Unknowns(unknown.list()) == unknown);
    Unknowns less = unknown;
    less.forget(asked);
    std::erase_if(paths, [&](const UnknownPath& it) { return at_or_below(it.path, asked); });
    RC_ASSERT(less == Unknowns(paths));
  });
}

TEST_CASE("4.6 the list of what changed is whole lines, no longer than its limit, and says when it is cut") {
  holds(1'000, [](const Luck& luck) {
    Dice dice = luck.dice();
    Delivery delivery;
    std::vector<std::string> listed;
    for (std::size_t count = dice.below(12); count > 0; --count) {
      std::string path = "/" + draw_path(dice) + (dice.one_in(8) ? "\n" : "");
      if (!path.ends_with('\n')) listed.push_back(path);
      delivery.writes.push_back({.to = std::move(path)});
    }
    const std::size_t limit = dice.below(60);
    const ChangedPaths said = changed_paths(delivery, limit);
    RC_ASSERT(said.count == delivery.writes.size());
    RC_ASSERT(said.list.size() <= limit);
    std::vector<std::string> lines;
    for (auto line : said.list | std::views::split('\n')) lines.emplace_back(line.begin(), line.end());
    if (said.list.empty()) lines.clear();
    RC_CLASSIFY(said.cut, "cut");
    RC_ASSERT(lines.size() <= listed.size());
    RC_ASSERT(std::equal(lines.begin(), lines.end(), listed.begin()));
    RC_ASSERT(said.cut == (lines.size() < listed.size()));
  });
}
