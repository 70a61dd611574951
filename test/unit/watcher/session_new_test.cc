// Of which paths a session says that no image has them: only of what it knows the first disk did not have (rule 7.5).
#include <doctest/doctest.h>

#include "test/unit/watcher/session_world.h"

using namespace live_update;

namespace {

const std::string kSteps = R"({"sync":{"from":"src","to":"/app"}})";

struct Given : SessionWorld {
  using SessionWorld::SessionWorld;

  int session = 0;

  // Sessions of one root know each other by their names.
  void begin() {
    session_id = "abcdef0000000" + std::to_string(++session);
    start();
  }
  void again() {
    stop();
    begin();
  }
  void accept_all() {
    for (const ChangeSet& it : posted()) set_status(it, R"({"phase":"Applied","containers":1,"targets":1})");
    settle();
  }
  void save(const std::string& path, const std::string& content = "1") {
    const auto before = posted().size();
    disk.write(path, content);
    until([&] { return posted().size() > before; });
    accept_all();
  }
  void remove(const std::string& path) {
    const auto before = posted().size();
    disk.remove(path);
    until([&] { return posted().size() > before; });
    accept_all();
  }
  void post_of_another(std::int64_t sequence) {
    ChangeSet it;
    it.meta = {"shop", change_set_name("web", "other", sequence), "other"};
    it.spec = {.live_update = "web", .session = "other", .user = "eve", .sequence = sequence};
    it.spec.changes.push_back({.path = "src/x", .op = Op::Delete});
    api.objects.set(kApi + "changesets/" + it.meta.name, encode_change_set(it));
    settle();
  }
  // What the newest ChangeSet says to be new.
  Texts news() {
    Texts paths;
    const ChangeSet newest = posted().back();
    for (const Change& it : newest.spec.changes)
      if (it.is_new) paths.push_back(it.path);
    return paths;
  }
};

}  // namespace

TEST_CASE("7.5 new is what the first disk did not have, once, also after a clean end") {
  Given g;
  g.disk.write("src/a", "1");
  g.begin();
  g.save("src/b");
  CHECK(g.news() == Texts{"src/b"});
  g.save("src/b", "2");
  CHECK(g.news() == Texts{});
  g.remove("src/b");
  CHECK(g.news() == Texts{});
  g.save("src/b", "3");
  CHECK(g.news() == Texts{});
  g.remove("src/a");
  g.save("src/a", "2");
  CHECK(g.news() == Texts{});
  g.again();
  g.save("src/c");
  CHECK(g.news() == Texts{"src/c"});
  g.save("src/a", "3");
  CHECK(g.news() == Texts{});
}

TEST_CASE("7.5 before the first ChangeSet is accepted another session's may be the first one") {
  Given g;
  g.begin();
  g.disk.write("src/a", "1");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.news() == Texts{"src/a"});
  g.disk.write("src/b", "1");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.news() == Texts{});
  g.accept_all();
  g.save("src/c");
  CHECK(g.news() == Texts{"src/c"});
}

TEST_CASE("7.5 nothing is new for who did not see the first disk, or not all that came after it") {
  const auto lost_notes = [](Given& g) {
    g.stop();
    std::filesystem::remove_all(g.state.root());
    g.accept();
    g.begin();
  };
  const auto another = [](Given& g) { g.post_of_another(g.posted().back().spec.sequence + 1); };
  const auto another_while_away = [](Given& g) {
    g.stop();
    g.post_of_another(g.posted().back().spec.sequence + 1);
    g.begin();
  };
  const auto rules = [](Given& g) {
    g.disk.write(".dockerignore", "src/out\n");
    g.settle();
    g.disk.write(".dockerignore", "");
    g.settle();
  };
  const auto rules_while_away = [](Given& g) {
    g.stop();
    g.disk.write(".dockerignore", "src/out\n");
    g.begin();
  };
  int which = 0;
  for (const std::function<void(Given&)>& happens : std::initializer_list<std::function<void(Given&)>>{
           lost_notes, another, another_while_away, rules, rules_while_away}) {
    CAPTURE(which++);
    Given g;
    g.begin();
    g.save("src/a");
    REQUIRE(g.news() == Texts{"src/a"});
    happens(g);
    g.settle();
    g.save("src/b");
    CHECK(g.news() == Texts{});
    g.again();  // and that stays so
    g.save("src/c");
    CHECK(g.news() == Texts{});
  }
}

TEST_CASE("7.5 nothing is new where the image is not taken to hold what the disk has") {
  for (const bool mirror : {true, false}) {
    Given g(mirror ? kSteps : R"({"initialSync":{}},)" + kSteps,
            mirror ? R"(,"source":{"deletes":"Mirror"})" : "");
    g.begin();
    g.settle();
    g.accept_all();
    g.save("src/b");
    CHECK(g.news() == Texts{});
  }
}

TEST_CASE("7.5 what could not be looked at on the first disk is not new when it can be") {
  Given g;
  g.options.limits.file = 10;
  g.disk.write("src/large", std::string(20, 'x'));
  g.begin();
  g.save("src/small");
  CHECK(g.news() == Texts{"src/small"});
  for (const bool later : {false, true}) {
    if (later) g.again();
    g.save("src/large", later ? "2" : "1");
    CHECK(g.news() == Texts{});
  }
}

TEST_CASE("7.5 notes that are older than what was forgotten are compared") {
  for (const bool older : {true, false}) {
    Given g;
    g.begin();
    g.save("src/a");
    g.stop();
    const ChangeSet last = g.posted().back();
    ChangeSet it;
    const std::int64_t sequence = last.spec.sequence + (older ? 1 : 0);
    it.meta = {"shop", change_set_name("web", "checkpoint-1", sequence), "checkpoint"};
    it.spec = {.live_update = "web", .session = "checkpoint-1", .user = "operator", .sequence = sequence};
    it.spec.checkpoint = CheckpointOf{.forgotten = sequence};
    g.api.objects.set(kApi + "changesets/" + it.meta.name, encode_change_set(it));
    g.begin();
    g.settle();
    CHECK((g.posted().back().spec.type == ChangeSetType::Snapshot) == older);
  }
}
