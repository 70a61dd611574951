// Plans: where changes go, that nothing else is touched, and that it does not matter how saves are cut into batches
// (rules 3.1 to 3.3, 5.3).
#include "core/rules/plan.h"

#include <algorithm>
#include <set>

#include "core/base/path.h"
#include "core/rules/mapping.h"
#include "test/property/batches.h"
#include "test/property/holds.h"
#include "test/property/remote.h"

using namespace live_update;
using namespace live_update::property;

namespace {

// A save, and all that is asked about it.
struct Case {
  Case(LiveUpdateSpec given, const Edits& first, const FewEdits& then)
      : spec(std::move(given)), ignore(IgnoreRules::from_spec(spec)) {
    Disk disk = disk_after(first);
    before = disk.nodes();
    tree_before = disk.tree();
    disk.edit(then);
    now = disk.nodes();
    tree_now = disk.tree();
    changes = diff(tree_before, tree_now);
  }
  Plan planned(PlanMode mode = PlanMode::Batch) const { return plan(spec, ignore, changes, tree_now, mode); }
  Plan planned(const std::vector<Change>& some, const Tree& host) const {
    return plan(spec, ignore, some, host);
  }

  LiveUpdateSpec spec;
  IgnoreRules ignore;
  Nodes before, now;
  Tree tree_before, tree_now;
  std::vector<Change> changes;
};

void classify(const Case& it, const Plan& plan) {
  RC_CLASSIFY(std::holds_alternative<FallBack>(plan.decision), "falls back");
  RC_CLASSIFY(std::holds_alternative<Nothing>(plan.decision), "nothing");
  RC_CLASSIFY(!plan.ignored.empty(), "something is ignored");
  RC_CLASSIFY(Mapping(it.spec).overlapping(), "two syncs meet");
  if (const auto* update = std::get_if<Update>(&plan.decision)) {
    RC_CLASSIFY(!update->deletes.empty(), "deletes");
    RC_CLASSIFY(!update->copies.empty(), "copies");
    RC_CLASSIFY(std::ranges::any_of(update->deletes, [](const auto& gone) { return !gone.keep.empty(); }),
                "a delete that keeps something");
  }
}

bool is_inside_a_sync(const LiveUpdateSpec& spec, const std::string& remote, const std::string& root) {
  const auto roots = sync_roots(spec);
  const auto above = [&](const std::string& it) { return at_or_below(remote, it); };
  const auto is_root = [&](const std::string& it) { return at_or_below(it, root); };
  return at_or_below(remote, root) && std::ranges::any_of(roots, above) &&
         std::ranges::any_of(roots, is_root);
}

std::string same(const Plan& a, const Plan& b) {
  if (a.decision != b.decision) return "not the same: " + text_of(a) + "\nand: " + text_of(b);
  return a.ignored == b.ignored && a.outside == b.outside && a.unmatched == b.unmatched &&
                 a.stopped == b.stopped
             ? ""
             : "what is ignored, outside, unmatched or stops is not the same";
}

}  // namespace

TEST_CASE("3.3 a change goes to one place at most, in a sync's root, and no plan names anything else") {
  holds(5'000, [](const Rules& rules, const Edits& first, const FewEdits& then) {
    const Case it(rules.spec(), first, then);
    const Plan plan = it.planned();
    classify(it, plan);
    const auto* update = std::get_if<Update>(&plan.decision);
    if (!update) return;
    RC_LOG("the plan: " + text_of(plan));
    std::set<std::string> from, to, gone_to;
    for (const Copy& copy : update->copies) {
      RC_ASSERT(from.insert(copy.from).second);
      RC_ASSERT(to.insert(copy.to).second || copy.type == FileType::Directory);
      RC_ASSERT(is_inside_a_sync(it.spec, copy.to, copy.root));
      RC_ASSERT(it.now.contains(copy.from) || copy.from == ".");
    }
    for (const RemoteDelete& gone : update->deletes) {
      RC_ASSERT(from.insert(gone.from).second);
      RC_ASSERT(gone_to.insert(gone.to).second);
      RC_ASSERT(is_inside_a_sync(it.spec, gone.to, gone.root));
      for (const std::string& keep : gone.keep) RC_ASSERT(strictly_below(keep, gone.to));
      RC_ASSERT(it.before.contains(gone.from));
    }
  });
}

namespace {

// A watcher takes it for what it leads to, and never sends it (rule 3.3).
bool has_link_at_a_root(const Case& it) {
  const Mapping mapping(it.spec);
  return std::ranges::any_of(it.changes, [&](const Change& change) {
    return change.type == FileType::Symlink && mapping.follows(change.path);
  });
}

}  // namespace

TEST_CASE("3 a plan does not ask in which order changes come, or whether the disk has them already") {
  holds(4'000, [](const Rules& rules, const Edits& first, const FewEdits& then, const Luck& luck) {
    const Case it(rules.spec(), first, then);
    if (has_link_at_a_root(it)) return;
    const Plan plan = it.planned();
    RC_LOG("the changes: " + text_of(it.changes));
    RC_ASSERT(same(it.planned(it.changes, it.tree_before), plan) == "");
    auto shuffled = it.changes;
    Dice dice = luck.dice();
    shuffle(shuffled, dice);
    RC_ASSERT(same(it.planned(shuffled, it.tree_now), plan) == "");
    const Plan verdict = it.planned(PlanMode::Verdict);
    RC_ASSERT(verdict.decision.index() == plan.decision.index());
    RC_ASSERT(verdict.unmatched == plan.unmatched);
    RC_ASSERT(verdict.stopped == plan.stopped);
  });
}

namespace {

void carry_out(Nodes& container, const Plan& plan, const Nodes& disk) {
  if (const auto* update = std::get_if<Update>(&plan.decision)) carry_out(container, *update, disk);
}

// The rules say where all belongs, before and after.
bool is_said(const std::optional<Nodes>& before, const std::optional<Nodes>& now) { return before && now; }

// A `from` with a `to/` that was a file and becomes a folder, or the reverse, leaves its place to another. That what lay
// there goes is said by nothing (known, README.md).
bool moves_with_its_type(const Case& it) {
  const auto type = [](const Nodes& nodes, const std::string& path) {
    const auto at = nodes.find(path);
    return at == nodes.end() ? std::nullopt : std::optional(at->second.type == FileType::Directory);
  };
  const auto moves = [&](const Route& route) {
    const auto was = type(it.before, route.from), is = type(it.now, route.from);
    return route.into && was && is && was != is;
  };
  const Mapping mapping(it.spec);
  return std::ranges::any_of(mapping.routes(), moves);
}

}  // namespace

TEST_CASE("5.3 catching up, the difference of two disks brings a container from one to the other") {
  holds(6'000, [](const Rules& rules, const Edits& first, const FewEdits& then) {
    const Case it(rules.spec(), first, then);
    const auto before = mapped(it.spec, it.before), now = mapped(it.spec, it.now);
    if (!is_said(before, now) || moves_with_its_type(it)) return;
    Nodes container = *before;
    const Plan plan = it.planned(PlanMode::CatchUp);
    classify(it, plan);
    RC_LOG("the changes: " + text_of(it.changes) + "\nthe container has: " + text_of(*before) +
           "\nthe plan: " + text_of(plan));
    carry_out(container, plan, it.now);
    RC_ASSERT(without_folders(container) == without_folders(*now));
    // An empty folder that two syncs share goes with the first that goes (known, README.md).
    if (Mapping(it.spec).overlapping()) return;
    for (const auto& [path, node] : *now) RC_ASSERT(container.contains(path));
  });
}

TEST_CASE("7.3 a batch in two batches leads to the same") {
  holds(6'000, [](const Rules& rules, const Edits& first, const FewEdits& then, const Luck& luck) {
    const Case it(rules.calm_spec(), first, then);
    Dice dice = luck.dice();
    std::vector<Change> one, two;
    for (const Change& change : it.changes) (dice.one_in(2) ? one : two).push_back(change);
    Tree between = it.tree_before;
    between.merge(delta_of(one));
    const Nodes between_nodes = seen(between);
    const auto before = mapped(it.spec, it.before), now = mapped(it.spec, it.now);
    if (!is_said(before, now) || !mapped(it.spec, between_nodes)) return;
    const Plan first_plan = it.planned(one, between), second_plan = it.planned(two, it.tree_now);
    RC_CLASSIFY(!one.empty() && !two.empty(), "two batches");
    RC_LOG("first " + text_of(one) + ": " + text_of(first_plan) + "\nthen " + text_of(two) + ": " +
           text_of(second_plan) + "\nwhole: " + text_of(it.planned()));
    Nodes container = *before, whole = *before;
    carry_out(container, first_plan, between_nodes);
    carry_out(container, second_plan, it.now);
    carry_out(whole, it.planned(), it.now);
    RC_ASSERT(without_folders(container) == without_folders(whole));
  });
}
