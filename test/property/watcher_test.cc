// What a watcher does with what it saw: nothing of it is lost, and what was confirmed is what the disk has (rules 7.2,
// 7.3, 7.6).
#include <algorithm>
#include <optional>
#include <set>

#include "core/base/path.h"
#include "core/rules/change_buffer.h"
#include "core/rules/credentials.h"
#include "test/property/holds.h"
#include "test/property/story.h"
#include "watcher/division.h"
#include "watcher/outbox.h"

using namespace live_update;
using namespace live_update::property;

namespace {

// One thing that happens to a watcher.
struct Event {
  enum Kind { Edits, Post, Stored, GivenUp, Lost, Snapshot, Unreadable, Readable } kind = Edits;
  Edit edit;
  int which = 0;  // Lost: of the batches that are stored

  static Event draw(Dice& dice, int size) {
    constexpr Kind kKinds[] = {Edits,  Edits,  Edits,   Edits, Edits,    Post,       Post,    Post,
                               Stored, Stored, GivenUp, Lost,  Snapshot, Unreadable, Readable};
    return {dice.pick(kKinds), Edit::draw(dice, size), static_cast<int>(dice.below(4))};
  }
  std::vector<Event> simpler() const {
    std::vector<Event> out;
    if (kind == Edits || kind == Unreadable)
      for (Edit& it : edit.simpler()) out.push_back({kind, std::move(it), which});
    if (which > 0) out.push_back({kind, edit, 0});
    return out;
  }
};
void showValue(const Event& it, std::ostream& out) {
  constexpr const char* kWords[] = {"",      "post",     "stored",      "given up",
                                    "lost ", "Snapshot", "unreadable ", "readable"};
  out << kWords[it.kind];
  if (it.kind == Event::Edits) rc::show(it.edit, out);
  if (it.kind == Event::Lost) out << it.which;
  if (it.kind == Event::Unreadable) out << it.edit.path;
}

// A disk, the watcher's outbox, and the API server, where some batches turn out to be of no effect.
class Machine {
 public:
  explicit Machine(const Edits& first) {
    disk_.edit(first);
    stored_.push_back({delta_of(tree().changes()), true});
    outbox_.start(tree());
  }

  void take(const Event& event) {
    switch (event.kind) {
      case Event::Edits:
        return edit(event.edit);
      case Event::Post:
        return post();
      case Event::Stored:
        return stored();
      case Event::GivenUp:
        return give_up();
      case Event::Lost:
        return lose(static_cast<std::size_t>(event.which));
      case Event::Snapshot:
        snapshot_due_ = true;
        return;
      case Event::Unreadable:
        if (disk_.nodes().contains(event.edit.path)) unknown_.add(event.edit.path, true);
        return;
      case Event::Readable:
        return read_all();
    }
  }

  void come_to_rest() {
    read_all();
    for (int i = 0; i < 4 && !at_rest(); ++i) stored(), post();
  }
  bool at_rest() const { return !posted_ && outbox_.empty() && !snapshot_due_; }

  const Nodes& disk() const { return disk_.nodes(); }
  const Outbox& outbox() const { return outbox_; }
  Tree tree() const {
    Tree tree = disk_.tree();
    tree.keep_if([&](const std::string& path) { return !unknown_.hides(path); });
    return tree;
  }
  // What the API server's batches make together.
  Nodes server() const {
    Follower all({});
    for (const auto& [batch, counts] : stored_)
      if (counts) all.take(batch);
    return all.known();
  }

 private:
  void edit(const Edit& edit) {
    const Nodes before = disk_.nodes();
    disk_.edit(edit);
    DirtyPaths dirty;
    const auto differs = [](const Nodes& a, const std::string& path, const Node& node) {
      const auto there = a.find(path);
      return there == a.end() || there->second != node;
    };
    for (const auto& [path, node] : before)
      if (differs(disk_.nodes(), path, node)) dirty.paths.push_back(path);
    for (const auto& [path, node] : disk_.nodes())
      if (differs(before, path, node)) dirty.paths.push_back(path);
    outbox_.add(dirty);
    // That it is gone can be seen.
    for (const UnknownPath& it : unknown_.list())
      if (!disk_.nodes().contains(it.path)) unknown_.forget(it.path);
  }

  void post() {
    if (posted_) return;
    if (std::exchange(snapshot_due_, false)) {
      (void)outbox_.take(tree(), unknown_);
      posted_ = snapshot();
    } else if (auto changes = outbox_.take(tree(), unknown_); !changes.empty()) {
      posted_ = delta_of(std::move(changes));
    }
  }

  ChangeSetSpec snapshot() const {
    ChangeSetSpec snapshot = delta_of(tree().changes());
    snapshot.type = ChangeSetType::Snapshot;
    snapshot.unknown = unknown_.list();
    // That a credential is gone must be said (rule 2.8).
    std::set<std::string> gone;
    for (const auto& [batch, counts] : stored_)
      for (const Change& it : batch.changes)
        if (is_credential(it.path) && !tree().find(it.path) && !unknown_.spares(it.path))
          gone.insert(it.path);
    for (const std::string& path : gone) snapshot.changes.push_back({.path = path, .op = Op::Delete});
    return snapshot;
  }

  void stored() {
    if (!posted_) return;
    outbox_.confirm(pack(*posted_, posted_->changes.all(), {.inline_content = 500}));
    stored_.emplace_back(*posted_, true);
    posted_.reset();
  }

  void give_up() {
    if (!posted_) return;
    std::set<std::string> paths;
    for (const Change& it : posted_->changes) paths.insert(it.path);
    outbox_.add_paths(paths);
    snapshot_due_ = snapshot_due_ || posted_->type == ChangeSetType::Snapshot;
    posted_.reset();
  }

  // Another watcher's had its sequence.
  void lose(std::size_t which) {
    if (which + 1 >= stored_.size()) return;
    auto& [batch, counts] = stored_[stored_.size() - 1 - which];
    if (std::ranges::any_of(batch.changes, [&](const Change& it) { return lies_in_a_file(it.path); })) return;
    if (!std::exchange(counts, false)) return;
    outbox_.retract(batch.changes.all());
    snapshot_due_ = snapshot_due_ || batch.type == ChangeSetType::Snapshot;
  }

  // The outbox forgets that file then (known, README.md).
  bool lies_in_a_file(std::string_view path) const {
    for (path = parent_path(path); path != "."; path = parent_path(path))
      if (const Entry* it = outbox_.posted().find(std::string(path)); it && it->type != FileType::Directory)
        return true;
    return false;
  }

  void read_all() {
    std::set<std::string> paths;
    for (const UnknownPath& it : unknown_.list()) paths.insert(it.path);
    outbox_.add_paths(paths);
    unknown_ = {};
  }

  Disk disk_;
  Outbox outbox_;
  Unknowns unknown_;
  std::optional<ChangeSetSpec> posted_;  // on its way
  bool snapshot_due_ = false;
  std::vector<std::pair<ChangeSetSpec, bool>> stored_;
};

}  // namespace

TEST_CASE("7.2 7.3 whatever is lost on the way, in the end the API server has what the disk has") {
  holds(7'000, [](const Edits& first, const List<Event, 20>& events) {
    Machine machine(first);
    for (const Event& it : events) {
      RC_CLASSIFY(it.kind == Event::Lost, "a batch is lost");
      RC_CLASSIFY(it.kind == Event::Snapshot, "with a Snapshot");
      RC_CLASSIFY(it.kind == Event::Unreadable, "something cannot be read");
      machine.take(it);
    }
    machine.come_to_rest();
    RC_ASSERT(machine.at_rest());
    RC_LOG("the disk: " + text_of(machine.disk()));
    RC_ASSERT(machine.server() == machine.disk());
    RC_ASSERT(seen(machine.outbox().posted()) == machine.disk());
    RC_ASSERT(machine.outbox().waiting(machine.tree()) == 0);
  });
}

TEST_CASE("what somebody will not take is found by halving, and nothing else is left out") {
  holds(1'000, [](const Luck& luck) {
    Dice dice = luck.dice();
    const std::size_t size = dice.below(200);
    std::set<std::size_t> bad;
    for (std::size_t count = dice.below(5); count > 0 && size > 0; --count) bad.insert(dice.below(size));
    Division division(size);
    int tries = 0;
    while (const auto range = division.next()) {
      RC_ASSERT(++tries <= Division::kMostTries + 1);
      const auto first = bad.lower_bound(range->begin);
      const bool takes = first == bad.end() || *first >= range->end;
      takes ? division.accepted() : division.refused(Error{});
    }
    std::set<std::size_t> found;
    for (const Division::Refused& it : division.refused()) RC_ASSERT(found.insert(it.index).second);
    RC_ASSERT(std::ranges::includes(bad, found));
    RC_CLASSIFY(!division.undecided().empty(), "not all is decided");
    for (const Division::Range& it : division.undecided())
      for (std::size_t i = it.begin; i < it.end; ++i) found.insert(i);
    RC_ASSERT(std::ranges::includes(found, bad));
  });
}

namespace {

using Instant = ChangeBuffer::Instant;

bool covers(const DirtyPaths& dirty, const std::string& path) {
  return std::ranges::find(dirty.paths, path) != dirty.paths.end() ||
         std::ranges::any_of(dirty.subtrees,
                             [&](const auto& it) { return it.empty() || at_or_below(path, it); });
}

}  // namespace

TEST_CASE("2.9 each event is looked at after it came, and none waits longer than the cap") {
  holds(2'000, [](const Luck& luck) {
    Dice dice = luck.dice();
    ChangeBuffer buffer(Debounce{5, 100});
    std::map<std::string, Instant> open;  // since when
    Instant now;
    for (std::size_t left = dice.below(30); left > 0 || !buffer.empty();) {
      if (left > 0 && dice.one_in(2)) {
        const FileEvent event{draw_path(dice), static_cast<FileEvent::Kind>(dice.below(5))};
        buffer.add(event, now, Time());
        open.try_emplace(event.path, now);
        --left;
      }
      now += std::chrono::milliseconds(dice.below(8));
      const auto due = buffer.due();
      const DirtyPaths dirty = buffer.take(now);
      RC_ASSERT(dirty.empty() == (!due || now < *due));
      for (const std::string& path : dirty.paths)
        RC_ASSERT_FALSE(
            std::ranges::any_of(dirty.subtrees, [&](const auto& it) { return at_or_below(path, it); }));
      std::erase_if(open, [&](const auto& it) { return covers(dirty, it.first); });
      for (const auto& [path, since] : open) RC_ASSERT(now - since < std::chrono::milliseconds(100 + 8));
    }
    RC_ASSERT(open.empty());
  });
}
