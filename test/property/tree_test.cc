// Trees: what leads from one to another, and what a batch makes of one (rules 2.7, 2.8, 7.3, 7.6).
#include <algorithm>

#include "core/base/path.h"
#include "core/rules/credentials.h"
#include "test/property/batches.h"
#include "test/property/disk.h"
#include "test/property/holds.h"

using namespace live_update;
using namespace live_update::property;

namespace {

Tree merged(Tree tree, const ChangeSetSpec& batch) {
  tree.merge(batch);
  return tree;
}

// A tree with a past: also what is gone by now has an entry.
Tree remembered(const Edits& edits) {
  Tree tree;
  Disk disk;
  for (const Edit& it : edits) {
    const Tree before = disk.tree();
    disk.edit(it);
    tree.merge(delta_of(sent(before, disk.tree())));
  }
  return tree;
}

void classify(const Tree& before, const std::vector<Change>& changes) {
  for (const Change& it : changes) {
    const Entry* old = before.find(it.path);
    RC_CLASSIFY(it.op == Op::Delete && it.type == FileType::Directory, "a folder goes");
    RC_CLASSIFY(it.op == Op::Write && old && old->type != it.type, "a type changes");
    RC_CLASSIFY(it.op == Op::Write && old && old->digest == it.digest && old->mode != it.mode,
                "a mode alone");
    RC_CLASSIFY(it.type == FileType::Symlink, "a link");
  }
  RC_CLASSIFY(changes.empty(), "no change");
}

// Whether each change is needed, and named once.
bool is_minimal(const Tree& from, const Tree& to, const std::vector<Change>& changes) {
  const auto needed = [&](const Change& it) {
    const Entry* old = from.find(it.path);
    const Entry* now = to.find(it.path);
    return it.op == Op::Delete ? old && !to.type(it.path) : now && !(old && old->same_state(*now));
  };
  return std::ranges::all_of(changes, needed) &&
         std::ranges::adjacent_find(changes, std::ranges::greater_equal(), &Change::path) == changes.end();
}

// All that is there has its bytes.
bool holds_all(const Tree& tree) {
  return std::ranges::all_of(tree.entries(), [](const auto& item) {
    const Entry& it = item.second;
    return it.deleted || it.type != FileType::File || joined_bytes(it) == *bytes_of(node_of(it).text);
  });
}

// No folder on the way to what is there is gone, or something else than a folder.
bool hides_nothing(const Tree& tree) {
  for (const auto& [path, entry] : tree.entries())
    for (std::string_view up = parent_path(path); !entry.deleted && up != "."; up = parent_path(up))
      if (const Entry* above = tree.find_any(std::string(up));
          above && (above->deleted || above->type != FileType::Directory))
        return false;
  return true;
}

}  // namespace

TEST_CASE("2.7 what leads from one tree to another leads there, and says no more than that") {
  holds(8'000, [](const Edits& first, const FewEdits& then) {
    const Tree from = remembered(first);
    Disk disk = disk_after(first);
    disk.edit(then);
    const Tree to = disk.tree();
    const auto changes = sent(from, to);
    classify(from, changes);
    RC_ASSERT(is_minimal(from, to, changes));
    const Tree now = merged(from, delta_of(changes));
    RC_ASSERT(seen(now) == disk.nodes());
    RC_ASSERT(holds_all(now));
    RC_ASSERT(diff(now, to).empty());
  });
}

TEST_CASE("7.3 a batch applied twice changes nothing more, in whatever order it names its paths") {
  holds(7'000, [](const Edits& past, const Edits& first, const FewEdits& then, const Luck& luck) {
    Dice dice = luck.dice();
    ChangeSetSpec batch = any_batch(disk_after(first), then, dice);
    const Tree once = merged(remembered(past), batch);
    RC_ASSERT(merged(once, batch) == once);
    shuffle(batch.changes.edit(), dice);
    RC_LOG("in this order: " + text_of(batch.changes.all()));
    RC_ASSERT(merged(remembered(past), batch) == once);
  });
}

TEST_CASE("7.3 a batch in parts is the batch") {
  holds(3'000, [](const Edits& first, const FewEdits& then, const Luck& luck) {
    Dice dice = luck.dice();
    const ChangeSetSpec batch = any_batch(disk_after(first), then, dice);
    constexpr std::size_t kLimits[] = {210, 420, 900, 10'000};
    const std::size_t limit = dice.pick(kLimits);
    const auto parts = pack(batch, batch.changes.all(), {.inline_content = limit});
    RC_CLASSIFY(parts.size() > 1, "more than one part");
    RC_CLASSIFY(parts.size() > 4, "more than four parts");
    RC_LOG("the limit is " + std::to_string(limit));
    RC_ASSERT(are_parts_of(batch, parts));
    const Tree before = disk_after(first).tree();
    const ChangeSetSpec joined = join(pointers_to(parts));
    RC_ASSERT(joined.unknown == batch.unknown);
    const Tree now = merged(before, joined);
    RC_ASSERT(seen(now) == seen(merged(before, batch)));
    RC_ASSERT(holds_all(now));
  });
}

TEST_CASE("what is gone never hides what is there, and what a tree knows makes it anew") {
  holds(6'000, [](const Edits& past, const List<FewEdits, 4>& more, const Luck& luck) {
    Dice dice = luck.dice();
    Tree tree = remembered(past);
    for (const FewEdits& it : more) {
      Disk other = dice.one_in(2) ? disk_after(past) : Disk();
      tree.merge(any_batch(other, it, dice));
    }
    RC_CLASSIFY(tree.size() < tree.entries().size(), "something is gone");
    RC_LOG() << "now it is " << rc::toString(tree) << '\n';
    RC_ASSERT(hides_nothing(tree));
    Tree anew;
    anew.merge(delta_of(tree.changes()));
    RC_ASSERT(anew == tree);
  });
}

// What a Snapshot should make of a tree: what it names, what it does not know as it was, and no more.
Nodes expected(const Tree& before, const ChangeSetSpec& snapshot) {
  const Unknowns unknown(snapshot.unknown);
  Nodes nodes;
  for (const auto& [path, entry] : before.entries())
    if (!entry.deleted && (unknown.spares(path) || is_credential(path))) put(nodes, path, node_of(entry));
  apply_all(nodes, snapshot.changes.all());
  return nodes;
}

TEST_CASE("7.6 2.8 a Snapshot makes of any tree what it names, but for what it does not know") {
  holds(6'000, [](const Edits& past, const Edits& now, const Luck& luck) {
    Dice dice = luck.dice();
    const Tree before = remembered(past);
    const ChangeSetSpec snapshot = snapshot_of(disk_after(now), dice);
    RC_CLASSIFY(!snapshot.unknown.empty(), "something is unknown");
    RC_LOG() << "before " << rc::toString(before) << "\nthe Snapshot says " << text_of(snapshot) << '\n';
    const Tree after = merged(before, snapshot);
    RC_ASSERT(seen(after) == expected(before, snapshot));
    const Unknowns unknown(snapshot.unknown);
    for (const auto& [path, entry] : after.entries())
      if (entry.deleted) RC_ASSERT_FALSE(unknown.names(path));
  });
}
