// What a Checkpoint leaves out: that a path is gone which no image has, once no container can have it (rule 7.5).
#include <doctest/doctest.h>

#include <algorithm>

#include "core/desired/checkpoint.h"
#include "core/desired/kept.h"
#include "test/fakes/change_sets.h"

using namespace live_update;

namespace {

const MayForget kAlways = [](std::int64_t, std::int64_t) { return true; };

// The API server's objects and the operator's history of them; every container has confirmed everything.
struct Store {
  std::vector<std::shared_ptr<const ChangeSet>> sets;
  History history{Limits{}};
  CheckpointLimits limits{.most = 4, .apart = 1};
  MayForget may_forget = kAlways;
  int made = 0;

  void post(const std::shared_ptr<const ChangeSet>& change_set) {
    sets.push_back(std::make_shared<ChangeSet>(kept(*change_set)));
    look();
  }
  void look() { history.update(sets, history.newest()); }
  void merge(std::int64_t through) {
    const ChangeSetSpec header{.live_update = "web", .session = checkpoint_session(++made), .user = "o"};
    for (const ChangeSetSpec& spec : make_checkpoint(history, through, header, limits, may_forget)) {
      ChangeSet it;
      it.meta = {"shop", change_set_name("web", spec.session, spec.sequence), "uid"};
      it.meta.created = Time(std::chrono::seconds(1'000 + history.newest()));
      it.spec = spec;
      sets.push_back(std::make_shared<ChangeSet>(kept(it)));
    }
    look();
    drop_superseded();
  }
  void drop_superseded() {
    for (const ObjectMeta& gone : history.superseded(history.newest()))
      std::erase_if(sets, [&](const auto& it) { return it->meta.name == gone.name; });
    look();
  }
  void tidy() {
    if (const auto through = checkpoint_due(history, history.newest(), limits)) merge(*through);
    drop_superseded();
  }
  void restart() {
    const std::string needed = history.needed();
    const std::int64_t accepted = history.newest();
    history = History();
    history.expect(needed);
    history.update(sets, accepted);
  }
  std::int64_t forgotten() const { return newest_checkpoint(sets).front()->spec.checkpoint->forgotten; }
  // "a -b": what is there, and what is known to be gone.
  std::string known() const {
    std::string text;
    for (const auto& [path, entry] : history.all().entries())
      text += (text.empty() ? "" : " ") + std::string(entry.deleted ? "-" : "") + path;
    return text;
  }
};

std::string hashed(int i) { return "main." + std::to_string(i) + ".js"; }

}  // namespace

TEST_CASE("7.5 names that carry a hash leave nothing behind, whatever batch tells of the deletes") {
  for (const bool together : {true, false}) {
    Store store{.limits = {.most = 20, .apart = 5}};
    std::size_t most = 0, known = 0;
    std::int64_t sequence = 0;
    store.post(delta(++sequence).made(hashed(0)));
    for (int i = 1; i <= 600; ++i) {
      auto save = delta(++sequence).made(hashed(i));
      if (together) save.deleted(hashed(i - 1));
      store.post(save);
      if (!together) store.post(delta(++sequence).deleted(hashed(i - 1)));
      store.tidy();
      if (i % 37 == 0) store.look();
      most = std::max(most, store.sets.size());
      known = std::max(known, store.history.all().entries().size());
    }
    CHECK(most <= 30);
    CHECK(known <= 40);
    store.restart();
    CHECK(store.history.lost() == 0);
    CHECK(store.history.since(0).files_below("") == std::vector<std::string>{hashed(600)});
  }
}

TEST_CASE("7.5 what did not begin as new is remembered, and what is written again after it") {
  Store store;
  store.post(delta(1).saved("old").made("new"));
  store.post(delta(2).deleted("old").deleted("new"));
  store.post(
      delta(3).made("old").made("new"));  // there is a word of both: that it is the first one is not so
  store.post(delta(4).deleted("old").deleted("new").saved("a"));
  store.post(delta(5).saved("b"));
  store.merge(4);
  CHECK(store.known() == "a b -old");
  CHECK(store.forgotten() == 4);
  store.merge(5);
  CHECK(store.forgotten() == 4);  // for all that come after
}

TEST_CASE("7.5 what is there stays new in a Checkpoint, for the next operator, too") {
  for (const bool restarted : {true, false}) {
    Store store;
    store.post(delta(1).made("new").saved("old"));
    store.post(delta(2).saved("a"));
    store.merge(2);
    if (restarted) store.restart();
    CHECK(store.history.beginning("new") == 2);
    CHECK(!store.history.beginning("old"));
    store.post(delta(3).deleted("new").deleted("old"));
    store.post(delta(4).saved("a", "2"));
    store.merge(3);
    CHECK(store.known() == "a -old");
  }
}

TEST_CASE("7.5 what may be somewhere is remembered for good, whatever comes later") {
  Store store;
  // A container went that had confirmed 2 and may have got 3.
  store.may_forget = [](std::int64_t begun, std::int64_t deleted) { return !(2 < deleted && begun <= 3); };
  store.post(delta(1).made("gone before"));
  store.post(delta(2).deleted("gone before").made("there"));
  store.post(delta(3).made("short"));
  store.post(delta(4).deleted("short").made("later"));
  store.post(delta(5).deleted("later").saved("a"));
  store.merge(5);
  CHECK(store.known() == "a -short there");
  store.may_forget = kAlways;  // the Checkpoint knows
  store.post(delta(6).deleted("there"));
  store.post(delta(7).saved("a", "2"));
  store.merge(6);
  CHECK(store.known() == "a -short -there");
}

TEST_CASE("7.5 that a folder is gone is remembered for as long as anything below it") {
  Store store;
  const auto folder = [&](const char* path, std::int64_t sequence) {
    ChangeSet it = *std::shared_ptr<const ChangeSet>(delta(sequence).folder(path));
    it.spec.changes.edit().back().is_new = true;
    store.post(std::make_shared<ChangeSet>(it));
  };
  folder("d", 1);
  folder("e", 2);
  store.post(delta(3).made("d/x").made("e/x").saved("d/y"));
  store.post(delta(4).deleted("d", FileType::Directory).deleted("e", FileType::Directory));
  store.post(delta(5).saved("a"));
  store.merge(4);
  CHECK(store.known() == "a -d -d/y");
}

TEST_CASE("7.5 where a path was something else before, or words are missing, nothing begins") {
  Store store;
  store.post(delta(1).saved("d/x"));
  store.post(delta(2).deleted("d/x"));
  store.post(delta(3).made("d"));
  CHECK(!store.history.beginning("d"));
  History lost;
  lost.expect("1-3");
  lost.update({delta(3).made("f")}, 3);
  REQUIRE(lost.lost() == 3);
  lost.update({delta(3).made("f"), delta(4).made("g")}, 4);
  CHECK(!lost.beginning("g"));
}

TEST_CASE("7.5 a Checkpoint that has forgotten something stays until the next one, and is missed") {
  Store store;
  store.post(delta(1).made("a"));
  store.post(delta(2).made("b").deleted("a"));
  store.merge(2);
  store.post(delta(3).made("c").deleted("b"));
  store.drop_superseded();
  CHECK(store.history.merged() == 2);
  CHECK(store.history.needed() == "2-3");
  std::erase_if(store.sets, [](const auto& it) { return it->spec.checkpoint.has_value(); });
  store.look();
  CHECK(store.history.lost() == 3);
}
