// The history of a LiveUpdate: what a container lacks, in whatever order ChangeSets come, and whatever of them is
// deleted when nobody needs it any more (rules 5.3, 7.3, 7.5).
#include "core/desired/history.h"

#include <algorithm>
#include <set>

#include "core/desired/checkpoint.h"
#include "test/property/holds.h"
#include "test/property/story.h"

using namespace live_update;
using namespace live_update::property;

namespace {

History history_of(const Sets& sets) {
  History history;
  history.update(sets, 0);
  return history;
}

void classify(const Story& story) {
  RC_CLASSIFY(has_snapshot(story), "with a Snapshot");
  for (const Save& it : story) {
    RC_CLASSIFY(it.parts > 1, "with parts");
    RC_CLASSIFY(it.type == ChangeSetType::Build, "with a Build");
    for (const Edit& edit : it.edits) {
      RC_CLASSIFY(edit.kind == Edit::Remove, "with a delete");
      RC_CLASSIFY(edit.kind == Edit::Chmod, "with a change of mode");
    }
  }
}

// Each file comes with its bytes, unless the container has them.
bool has_bytes_for(const Nodes& container, const Tree& lacking) {
  return std::ranges::all_of(lacking.entries(), [&](const auto& item) {
    const auto& [path, entry] = item;
    const auto there = container.find(path);
    return entry.deleted || entry.has_content() ||
           (there != container.end() && there->second.text == node_of(entry).text);
  });
}

std::vector<std::string> paths_in(const Tree& tree) {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : tree.entries()) paths.push_back(path);
  return paths;
}

// What is there, what is gone, and of what the bytes are held.
bool says_the_same(const Tree& a, const Tree& b) {
  RC_LOG() << "it says " << rc::toString(a) << "\nnot " << rc::toString(b) << '\n';
  return std::ranges::equal(a.entries(), b.entries(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.same_state(y.second) &&
           x.second.has_content() == y.second.has_content();
  });
}
Tree without_tombstones(Tree tree) {
  tree.drop_tombstones();
  return tree;
}

}  // namespace

TEST_CASE("5.3 what a container lacks brings it to where one is that followed all along") {
  holds(7'000, [](const Edits& image, const Story& story, const Luck& luck) {
    Dice dice = luck.dice();
    const Told it = told(image, story, dice, dice.one_in(2) ? Unreadable::Sometimes : Unreadable::Never);
    classify(story);
    RC_LOG(it.text());
    const History history = history_of(it.sets);
    RC_ASSERT(history.newest() == it.marks.back().sequence);
    RC_ASSERT(without_folders(seen(history.all())) == without_folders(it.marks.back().known));
    for (const Told::Mark& mark : it.marks) {
      const Tree lacking = history.since(mark.sequence);
      Nodes container = mark.container;
      apply_tracked(container, lacking.changes());
      RC_LOG() << "since " << mark.sequence << ": " << rc::toString(lacking) << '\n';
      RC_ASSERT(it.without_unknown(container) == it.without_unknown(it.marks.back().container));
      RC_ASSERT(has_bytes_for(mark.container, lacking));
    }
  });
}

TEST_CASE("5.3 the paths of what a container lacks are known without making it") {
  holds(4'000, [](const Edits& image, const Story& story, const Luck& luck) {
    Dice dice = luck.dice();
    const Told it = told(image, story, dice, Unreadable::Sometimes);
    RC_LOG(it.text());
    const History history = history_of(it.sets);
    for (const Told::Mark& mark : it.marks) {
      std::vector<std::string> named;
      for (const PathChange& change : history.changed_since(mark.sequence)) {
        named.push_back(*change.path);
        const Entry& now = history.all().entries().at(*change.path);
        RC_ASSERT(now.deleted == (change.op == Op::Delete));
        RC_ASSERT(now.type == change.type);
      }
      RC_ASSERT(named == paths_in(history.since(mark.sequence)));
    }
  });
}

namespace {

// The batches of which all is there up to the first gap.
const Told::Mark& reached(const Told& told, const std::set<std::int64_t>& arrived) {
  const Told::Mark* last = &told.marks.front();
  for (const Told::Mark& mark : told.marks) {
    for (std::int64_t it = last->sequence + 1; it <= mark.sequence; ++it)
      if (!arrived.contains(it)) return *last;
    last = &mark;
  }
  return *last;
}

}  // namespace

TEST_CASE("7.3 in whatever order and company ChangeSets come, the history ends the same") {
  holds(7'000, [](const Edits& image, const Story& story, const Luck& luck) {
    Dice dice = luck.dice();
    const Told it = told(image, story, dice);
    RC_LOG(it.text());
    Sets order = it.sets;
    shuffle(order, dice);
    History history;
    Sets arrived;
    std::set<std::int64_t> sequences;
    for (const auto& next : order) {
      arrived.push_back(next);
      sequences.insert(next->spec.sequence);
      RC_LOG(std::to_string(next->spec.sequence) + " comes");
      if (dice.one_in(2) && arrived.size() < order.size()) continue;
      history.update(arrived, dice.one_in(2) ? history.newest() : 0);
      if (has_snapshot(story)) continue;
      const Told::Mark& mark = reached(it, sequences);
      RC_CLASSIFY(history.gap().has_value(), "with a gap");
      RC_ASSERT(without_folders(seen(history.all())) == without_folders(mark.known));
      RC_ASSERT(history.newest() == mark.sequence);
    }
    const History whole = history_of(it.sets);
    if (!has_snapshot(story)) RC_ASSERT(says_the_same(history.all(), whole.all()));
    RC_ASSERT(says_the_same(without_tombstones(history.all()), without_tombstones(whole.all())));
    RC_ASSERT_FALSE(history.gap());
    RC_ASSERT(history.newest() == whole.newest());
  });
}

namespace {

// An operator's life with one LiveUpdate: it takes ChangeSets, deletes what is superseded, and starts anew.
class Life {
 public:
  explicit Life(Dice& dice) : dice_(dice) {}

  void take(const std::shared_ptr<const ChangeSet>& next) {
    there_.push_back(next);
    update();
    if (dice_.one_in(3)) confirm();
    if (dice_.one_in(2)) clean();
    if (dice_.one_in(4)) begin_anew();
  }
  void confirm() { confirmed_ = history_.newest(); }
  // Some of it, perhaps not the whole of a batch.
  void clean() {
    std::set<std::string> gone;
    for (const ObjectMeta& it : history_.superseded(confirmed_))
      if (!dice_.one_in(3)) gone.insert(it.name);
    deleted_ += gone.size();
    std::erase_if(there_, [&](const auto& it) { return gone.contains(it->meta.name); });
    update();
  }
  void begin_anew() {
    History fresh;
    fresh.expect(history_.needed());
    fresh.update(there_, history_.newest());
    history_ = std::move(fresh);
  }
  const History& history() const { return history_; }
  std::size_t deleted() const { return deleted_; }
  std::int64_t confirmed() const { return confirmed_; }

 private:
  void update() { history_.update(there_, history_.newest()); }

  Dice& dice_;
  History history_;
  Sets there_;
  std::int64_t confirmed_ = 0;
  std::size_t deleted_ = 0;
};

}  // namespace

TEST_CASE("7.5 what is superseded can be deleted, and a history made anew from the rest says the same") {
  holds(7'000, [](const Edits& image, const Story& story, const Luck& luck) {
    Dice dice = luck.dice();
    const Told it = told(image, story, dice);
    RC_LOG(it.text());
    Life life(dice);
    for (const auto& next : it.sets) life.take(next);
    for (int i = 0; i < 2; ++i) {
      life.confirm();
      life.clean();
      life.begin_anew();
    }
    RC_CLASSIFY(life.deleted() > 0, "something is deleted");
    const History whole = history_of(it.sets);
    const History& left = life.history();
    RC_ASSERT(left.lost() == 0);
    RC_ASSERT(left.newest() == whole.newest());
    if (!has_snapshot(story)) RC_ASSERT(says_the_same(left.all(), whole.all()));
    RC_ASSERT(says_the_same(without_tombstones(left.all()), without_tombstones(whole.all())));
  });
}

namespace {

// As a watcher says it whose notes go back to the first disk.
Sets with_beginnings(const Told& told) {
  Tree named;
  for (const auto& [path, node] : told.marks.front().container) named.write(path, Entry{});
  Sets sets;
  for (const auto& it : told.sets) {
    ChangeSet change_set = *it;
    if (change_set.spec.type == ChangeSetType::Delta)
      for (Change& change : change_set.spec.changes.edit())
        change.is_new = change.op == Op::Write && !named.names(change.path);
    for (const Change& change : change_set.spec.changes)
      if (!named.find_any(change.path)) named.suspect(change.path, change.type);
    sets.push_back(std::make_shared<ChangeSet>(std::move(change_set)));
  }
  return sets;
}

// All up to there as one Checkpoint, which forgets what was new and is gone.
Sets merged(const Sets& sets, const History& history, std::int64_t through, int number) {
  const ChangeSetSpec header{
      .live_update = "web", .session = checkpoint_session(static_cast<std::uint64_t>(number)), .user = "o"};
  Sets after;
  for (ChangeSetSpec& spec :
       make_checkpoint(history, through, header, {}, [](std::int64_t, std::int64_t) { return true; })) {
    ChangeSet it;
    it.meta.name = change_set_name("web", spec.session, spec.sequence);
    it.spec = std::move(spec);
    after.push_back(std::make_shared<ChangeSet>(std::move(it)));
  }
  if (after.empty()) return sets;
  for (const auto& it : sets)
    if (it->spec.sequence > through) after.push_back(it);
  return after;
}

}  // namespace

TEST_CASE("7.5 of what a Checkpoint forgets a new container has nothing") {
  holds(7'000, [](const Edits& image, const Story& story, const Luck& luck) {
    Dice dice = luck.dice();
    const Told it = told(image, story, dice);
    RC_LOG(it.text());
    Sets sets = with_beginnings(it);
    bool forgot = false;
    for (int number = 1; number <= 2; ++number) {
      const History history = history_of(sets);
      const auto& batches = history.batches();
      if (batches.empty()) return;
      const std::int64_t through = batches[dice.below(batches.size())].last;
      sets = merged(sets, history, through, number);
      forgot |= sets.front()->spec.checkpoint && sets.front()->spec.checkpoint->forgotten > 0;
    }
    RC_CLASSIFY(forgot, "something was forgotten");
    Nodes container = it.marks.front().container;
    apply_tracked(container, history_of(sets).since(0).changes());
    RC_ASSERT(it.without_unknown(container) == it.without_unknown(it.marks.back().container));
  });
}
