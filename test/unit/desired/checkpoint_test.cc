// What the operator makes of many ChangeSets, and that nothing is lost by it (rule 7.5).
#include "core/desired/checkpoint.h"
#include "core/desired/kept.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <utility>

#include "test/fakes/change_sets.h"

using namespace live_update;

namespace {

using Sets = std::vector<std::shared_ptr<const ChangeSet>>;

Time at(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }

// The API server's objects and the operator's history of them.
class Store {
 public:
  explicit Store(CheckpointLimits limits = {.most = 8, .apart = 3}) : limits_(limits) {}

  void post(const std::shared_ptr<const ChangeSet>& change_set) {
    sets.push_back(std::make_shared<ChangeSet>(kept(*change_set)));
    clock_ = std::max(clock_, change_set->spec.sequence);
    look();
  }
  void look() { history.update(sets, history.newest()); }
  void erase(const std::string& name) {
    std::erase_if(sets, [&](const auto& it) { return it->meta.name == name; });
  }
  // Everything that is confirmed goes where it has to go.
  void tidy() {
    if (const auto through = checkpoint_due(history, history.newest(), limits_)) {
      for (const auto& it : parts(*through, "checkpoint-" + std::to_string(++made_))) sets.push_back(it);
      look();
    }
    for (const ObjectMeta& it : history.superseded(history.newest())) erase(it.name);
    look();
  }
  Sets parts(std::int64_t through, const std::string& session = "checkpoint-1") {
    Sets all;
    for (const ChangeSetSpec& spec : make_checkpoint(
             history, through, {.live_update = "web", .session = session, .user = "operator"}, limits_)) {
      ChangeSet it;
      it.meta = {"shop", change_set_name("web", spec.session, spec.sequence), "uid"};
      it.meta.created = at(1000 + clock_);
      it.spec = spec;
      all.push_back(std::make_shared<ChangeSet>(kept(it)));
    }
    return all;
  }
  // An operator that takes over.
  void restart() {
    const std::string needed = history.needed();
    const std::int64_t accepted = history.newest();
    history = History();
    history.expect(needed);
    history.update(sets, accepted);
  }

  Sets sets;
  History history;

 private:
  const CheckpointLimits limits_;
  std::int64_t clock_ = 0;
  int made_ = 0;
};

// What there is, without folders and tombstones.
std::string files(const Tree& tree) {
  std::string text;
  for (const std::string& path : tree.files_below(""))
    text += (text.empty() ? "" : " ") + path + "=" + tree.find(path)->digest.substr(7, 4);
  return text;
}

std::string gone(const Tree& tree) {
  std::string text;
  for (const auto& [path, entry] : tree.entries())
    if (entry.deleted) text += (text.empty() ? "" : " ") + path;
  return text;
}

std::string sequences(const History& history) {
  std::string text;
  for (const Batch& batch : history.batches())
    text += (text.empty() ? "" : " ") + std::to_string(batch.last) + (batch.spec.checkpoint ? "c" : "");
  return text;
}

Store twelve_saves() {
  Store store;
  for (int i = 1; i <= 12; ++i) store.post(delta(i).saved("f" + std::to_string(i)));
  return store;
}

}  // namespace

TEST_CASE(
    "7.5 a thousand names that carry a hash leave few ChangeSets, and a new container gets what there is") {
  Store store{CheckpointLimits{}};
  std::size_t most = 0;
  store.post(delta(1).saved("main.1.js"));
  for (int i = 2; i <= 1000; ++i) {
    const std::string number = std::to_string(i);
    store.post(
        delta(i).saved("main." + number + ".js", number).deleted("main." + std::to_string(i - 1) + ".js"));
    store.tidy();
    most = std::max(most, store.sets.size());
  }
  CHECK(most <= 200);
  store.restart();
  CHECK(store.history.lost() == 0);
  CHECK(store.history.newest() == 1000);
  CHECK(store.history.since(0).files_below("") == std::vector<std::string>{"main.1000.js"});
  CHECK(store.history.since(0).find("main.1000.js")->has_content());
  CHECK(store.history.since(0).entries().size() == 1000);  // the others are gone, whatever an image has
}

TEST_CASE("7.5 a Checkpoint takes the place of what it says, and what is newer stays apart") {
  Store store = twelve_saves();
  CHECK(sequences(store.history) == "1 2 3 4 5 6 7 8 9 10 11 12");
  store.tidy();
  CHECK(sequences(store.history) == "9c 10 11 12");
  CHECK(store.sets.size() == 4);
  CHECK(store.history.needed() == "9-12");
  CHECK(store.history.all().size() == 12);
  store.restart();
  CHECK(sequences(store.history) == "9c 10 11 12");
  CHECK(store.history.lost() == 0);
}

TEST_CASE("7.5 stamps tell what a container lacks that is behind a Checkpoint") {
  Store store = twelve_saves();
  store.tidy();
  CHECK(store.history.since(7).files_below("") == std::vector<std::string>{"f10", "f11", "f12", "f8", "f9"});
  std::vector<std::string> changed;
  for (const PathChange& it : store.history.changed_since(7)) changed.push_back(*it.path);
  CHECK(changed == std::vector<std::string>{"f10", "f11", "f12", "f8", "f9"});
}

TEST_CASE("7.5 a Checkpoint that is not complete counts for nothing, and goes") {
  Store store({.most = 8, .apart = 3, .part = 400});
  for (int i = 1; i <= 12; ++i) store.post(delta(i).saved("f" + std::to_string(i)));
  Sets parts = store.parts(9);
  REQUIRE(parts.size() > 2);
  CHECK(parts.back()->spec.sequence == 9);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) store.sets.push_back(parts[i]);
  store.look();
  CHECK(sequences(store.history) == "1 2 3 4 5 6 7 8 9 10 11 12");
  CHECK(store.history.half_checkpoint().size() == parts.size() - 1);
  CHECK(store.history.refused().empty());
  store.sets.push_back(parts.back());
  store.look();
  CHECK(sequences(store.history) == "9c 10 11 12");
  CHECK(store.history.half_checkpoint().empty());
  CHECK(store.history.superseded(12).size() == 9);
}

TEST_CASE(
    "7.5 parts of the next Checkpoint, whose sequences the one before has, too, are not taken for that") {
  Store store({.most = 8, .apart = 3, .part = 400});
  for (int i = 1; i <= 12; ++i) store.post(delta(i).saved("f" + std::to_string(i)));
  store.tidy();
  CHECK(sequences(store.history) == "9c 10 11 12");
  for (int i = 13; i <= 18; ++i) store.post(delta(i).saved("f" + std::to_string(i)));
  Sets parts = store.parts(10, "checkpoint-2");
  REQUIRE(parts.front()->spec.sequence < 9);
  store.sets.push_back(parts.front());
  store.look();
  CHECK(store.history.half_checkpoint().size() == 1);
  for (const ObjectMeta& it : store.history.superseded(18)) store.erase(it.name);
  for (std::size_t i = 1; i < parts.size(); ++i) store.sets.push_back(parts[i]);
  store.look();
  CHECK(sequences(store.history) == "10c 11 12 13 14 15 16 17 18");
  for (const ObjectMeta& it : store.history.superseded(18)) store.erase(it.name);
  store.restart();
  CHECK(store.history.lost() == 0);
  CHECK(store.history.all().size() == 18);
}

TEST_CASE("7.5 an operator that ends while it deletes what a Checkpoint says has lost nothing") {
  Store store = twelve_saves();
  const std::string needed = store.history.needed();
  for (const auto& it : store.parts(9)) store.sets.push_back(it);
  for (const int gone : {2, 5, 9}) store.erase(change_set_name("web", "7f3a", gone));
  History next;
  next.expect(needed);
  next.update(store.sets, 12);
  CHECK(next.lost() == 0);
  CHECK(sequences(next) == "9c 10 11 12");
  CHECK(files(next.since(0)) == files(store.history.since(0)));
  CHECK(next.refused().empty());
}

TEST_CASE("7.5 a Checkpoint that somebody deletes is known to be lost, now and after a restart") {
  Store store = twelve_saves();
  store.tidy();
  const std::string needed = store.history.needed();
  store.erase("web-checkpoint-1-000009");
  History next;
  next.expect(needed);
  next.update(store.sets, 12);
  CHECK(next.lost() == 12);
  store.look();
  CHECK(store.history.lost() == 12);
}

TEST_CASE("7.3 what is posted late with a sequence that a Checkpoint stands for is refused as used") {
  Store store = twelve_saves();
  store.tidy();
  store.post(delta(5).saved("late").named("web-other-000005").created(5000));
  REQUIRE(store.history.refused().size() == 1);
  CHECK(store.history.refused()[0].message == "sequence 5 is already used by another ChangeSet");
}

TEST_CASE("5.9 content beyond the budget is not held, the oldest first; its digest stays known") {
  Store store({.most = 8, .apart = 3, .content = 10});
  for (int i = 1; i <= 12; ++i) store.post(delta(i).saved("f" + std::to_string(i), "four"));
  store.tidy();
  CHECK(sequences(store.history) == "9c 10 11 12");
  CHECK_FALSE(store.history.all().find("f1")->has_content());
  CHECK(store.history.all().find("f1")->digest == digest_of("four"));
  CHECK(store.history.all().find("f9")->has_content());
}

TEST_CASE("7.5 a Snapshot in a Checkpoint is known to be there, with its reach") {
  Store store;
  store.post(snapshot(1).saved("a").reach("r1"));
  for (int i = 2; i <= 12; ++i) store.post(delta(i).saved("f" + std::to_string(i)));
  CHECK(store.history.knows_all("r1"));
  store.tidy();
  CHECK(sequences(store.history) == "9c 10 11 12");
  CHECK(store.history.snapshot_since(0));
  CHECK_FALSE(store.history.snapshot_since(1));
  CHECK(store.history.knows_all("r1"));
  CHECK_FALSE(store.history.knows_all("r2"));
}

TEST_CASE("7.5 that a Snapshot did not name a path is not forgotten with the batch that named it") {
  Store store;
  store.post(delta(1).saved("old"));
  store.post(snapshot(2).saved("a"));
  store.post(delta(3).saved("b"));
  for (const ObjectMeta& it : store.history.superseded(3)) store.erase(it.name);
  store.restart();
  CHECK(gone(store.history.since(0)) == "old");
}

TEST_CASE("5.9 a Snapshot of digests leaves the content with the batch that has it") {
  Store store;
  store.post(delta(1).saved("a"));
  store.post(snapshot(2).mode_of("a", 0644));
  store.post(delta(3).saved("b"));
  for (const ObjectMeta& it : store.history.superseded(3)) store.erase(it.name);
  store.restart();
  CHECK(store.history.all().find("a")->has_content());
}

// A machine's files, with their folders.
class Machine {
 public:
  explicit Machine(unsigned seed) : random_(seed) {}

  int draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  void change_something() {
    static const std::vector<std::string> kPaths{"a", "a/b", "a/c", "d", "d/e", "d/e/f", "g"};
    const std::string& path = kPaths[static_cast<std::size_t>(draw(7))];
    if (draw(3) == 0) {
      tree.forget(path);
    } else {
      for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1))
        if (tree.type(path.substr(0, slash)) != FileType::Directory)
          tree.write(path.substr(0, slash), {.type = FileType::Directory, .mode = 0755});
      const std::string text = std::to_string(draw(5));
      tree.write(path, {.mode = 0644, .size = text.size(), .digest = digest_of(text)});
    }
    tree.drop_tombstones();
  }

  Tree tree;

 private:
  std::mt19937 random_;
};

TEST_CASE(
    "7.5 whatever is said in whatever order, a Checkpoint says the same, to new containers and to others") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    Machine machine(seed);
    Store merged({.most = 5, .apart = 2, .part = 700});
    Store plain({.most = 100'000});
    std::vector<Tree> states{Tree()};
    for (int sequence = 1; sequence <= 40; ++sequence) {
      for (int i = machine.draw(3); i >= 0; --i) machine.change_something();
      const bool all = machine.draw(10) == 0;
      ChangeSet it = *std::shared_ptr<const ChangeSet>(all ? snapshot(sequence) : delta(sequence));
      it.spec.changes = all ? machine.tree.changes() : diff(states.back(), machine.tree);
      const auto posted = std::make_shared<const ChangeSet>(it);
      merged.post(posted);
      plain.post(posted);
      if (machine.draw(3) == 0) merged.tidy();
      if (machine.draw(9) == 0) merged.restart();
      states.push_back(machine.tree);
    }
    CAPTURE(seed);
    CHECK(merged.history.lost() == 0);
    CHECK(merged.sets.size() < 30);
    CHECK(files(merged.history.since(0)) == files(states.back()));
    CHECK(gone(merged.history.since(0)) == gone(plain.history.since(0)));
    for (std::size_t had = 0; had < states.size(); ++had) {
      Tree container = states[had];
      ChangeSetSpec lacks;
      lacks.changes = merged.history.since(static_cast<std::int64_t>(had)).changes();
      container.merge(lacks);
      CHECK(files(container) == files(states.back()));
    }
  }
}
