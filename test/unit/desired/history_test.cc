// How ChangeSets become the history of a LiveUpdate: order, parts, gaps, merging, what may be deleted
// (rules 5.3, 7.3).
#include "core/desired/history.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

#include "core/desired/checkpoint.h"
#include "core/desired/kept.h"
#include "test/fakes/change_sets.h"

using namespace live_update;

namespace {

using Sets = std::vector<std::shared_ptr<const ChangeSet>>;

// As the operator keeps them.
Sets kept_of(const Sets& sets) {
  Sets out;
  for (const auto& it : sets) out.push_back(std::make_shared<const ChangeSet>(kept(*it)));
  return out;
}

History history_of(const Sets& sets, std::int64_t accepted = 0) {
  History history;
  history.update(kept_of(sets), accepted);
  return history;
}

std::string refused(const History& history) {
  std::string text;
  for (const Refused& it : history.refused())
    text += std::to_string(it.sequence) + " " + it.phase + ": " + it.message + "; ";
  return text;
}
Time at(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }

std::string sequences(const History& history) {
  std::string text;
  for (const Batch& batch : history.batches()) text += (text.empty() ? "" : " ") + std::to_string(batch.last);
  return text;
}

std::string paths(const Tree& tree) {
  std::string text;
  for (const Change& change : tree.changes())
    text += (text.empty() ? "" : " ") + std::string(change.op == Op::Delete ? "-" : "+") + change.path;
  return text;
}

}  // namespace

TEST_CASE("7.3 ChangeSets apply in order of sequence, however they arrive") {
  const History history = history_of({delta(2).saved("b"), delta(1).saved("a"), delta(3).saved("c")});
  CHECK(sequences(history) == "1 2 3");
  CHECK(history.newest() == 3);
  CHECK(paths(history.all()) == "+a +b +c");
}

TEST_CASE("5.3 the last state of each path wins") {
  const History history =
      history_of({delta(1).saved("a").saved("b"), delta(2).deleted("a"), delta(3).saved("b", "new")});
  CHECK(paths(history.all()) == "-a +b");
  CHECK(paths(history.since(2)) == "+b");
  CHECK(history.all().find("b")->digest == digest_of("new"));
}

TEST_CASE("4.5 that a folder is gone says so of all that is known below it, named or not") {
  const History history =
      history_of({delta(1).saved("d/a").saved("d/e/b"), delta(2).saved("d/new"),
                  delta(3).deleted("d", FileType::Directory).deleted("d/a").saved("d/new")});
  CHECK(paths(history.since(2)) == "-d/a -d/e/b +d/new");
  CHECK(paths(history.all()) == "-d/a -d/e/b +d/new");
}

TEST_CASE("5.3 batches can be left out") {
  const History history = history_of({delta(1).saved("a"), delta(2).saved("b"), delta(3).saved("c")});
  CHECK(paths(history.since(0, {2})) == "+a +c");
}

TEST_CASE("a batch in parts is one batch, and waits for its last part") {
  History history = history_of({delta(1).saved("a").part(1, 2)});
  CHECK(sequences(history) == "");
  history.update({delta(1).saved("a").part(1, 2), delta(2).saved("b").part(2, 2)}, 0);
  CHECK(sequences(history) == "2");
  CHECK(history.batches().front().first == 1);
  CHECK(paths(history.all()) == "+a +b");
}

TEST_CASE("a batch that was given up half-way is superseded by the next one") {
  const History history = history_of({delta(1).saved("a").part(1, 3), delta(2).saved("b")});
  CHECK(sequences(history) == "2");
  REQUIRE(history.refused().size() == 1);
  CHECK(history.refused().front().phase == "Superseded");
}

TEST_CASE("a superseded batch whose parts are deleted one by one is no gap") {
  History history = history_of({delta(1).saved("a").part(1, 3), delta(2).saved("b").part(2, 3),
                                delta(3).saved("c").part(3, 3), delta(4).saved("a").saved("b").saved("c")});
  CHECK(history.superseded(4).size() == 3);
  history.update({delta(3).saved("c").part(3, 3), delta(4).saved("a").saved("b").saved("c")}, 0);
  CHECK_FALSE(history.gap());
  CHECK(sequences(history) == "4");
  CHECK(history.superseded(4).size() == 1);
  history.update(
      {delta(3).saved("c").part(3, 3), delta(4).saved("a").saved("b").saved("c"), delta(5).saved("d")}, 0);
  CHECK(sequences(history) == "4 5");
  history.update({delta(4).saved("a").saved("b").saved("c"), delta(5).saved("d")}, 0);
  CHECK(sequences(history) == "4 5");
  CHECK(history.superseded(5).empty());
}

TEST_CASE("5.3 whatever part of a superseded batch is deleted first, what comes after it stays") {
  const ChangeSetBuilder first = delta(1).saved("a").part(1, 3), second = delta(2).saved("b").part(2, 3),
                         third = delta(3).saved("c").part(3, 3),
                         all = delta(4).saved("a").saved("b").saved("c"), newest = delta(5).saved("d");
  for (const Sets& left : {Sets{first, third, all, newest}, Sets{first, all, newest},
                           Sets{first, second, all, newest}, Sets{second, all, newest}}) {
    History history = history_of({first, second, third, all, newest});
    history.update(left, 0);
    CHECK(sequences(history) == "4 5");
    CHECK(history.lost() == 0);
    CHECK(history.superseded(5).size() == left.size() - 2);
    CHECK(sequences(history_of(left, 5)) == "4 5");
  }
}

TEST_CASE("the rest of a batch of which somebody else deleted a part is a loss, also after a restart") {
  const History history = history_of({delta(1).saved("a").part(1, 2), delta(3).saved("b")}, 3);
  CHECK(history.lost() == 3);
  CHECK(sequences(history) == "3");
}

TEST_CASE("a missing sequence stops what is behind it until it comes") {
  History history = history_of({delta(1).saved("a"), delta(3).saved("c")});
  CHECK(sequences(history) == "1");
  CHECK(history.gap() == 2);
  history.update({delta(1).saved("a"), delta(2).saved("b"), delta(3).saved("c")}, 1);
  CHECK(sequences(history) == "1 2 3");
  CHECK_FALSE(history.gap());
}

TEST_CASE("a Snapshot closes a gap") {
  const History history =
      history_of({delta(1).saved("a"), delta(3).saved("c"), snapshot(4).saved("a").saved("d")});
  CHECK(sequences(history) == "1 4");
  CHECK_FALSE(history.gap());
  CHECK(history.refused().front().phase == "Superseded");
  CHECK(paths(history.since(1)) == "+a +d");
}

TEST_CASE("5.3 after a restart the history begins wherever it was cut") {
  const History history = history_of({delta(7).saved("a"), delta(9).saved("b")}, 9);
  CHECK(sequences(history) == "7 9");
  CHECK_FALSE(history.gap());
  CHECK(history_of({}, 9).newest() == 9);
}

TEST_CASE("7.3 a sequence that is used twice is refused") {
  const History history = history_of({delta(1).saved("a"), delta(1).named("web-other-000001").saved("b")});
  REQUIRE(history.refused().size() == 1);
  CHECK(history.refused().front().message == "sequence 1 is already used by another ChangeSet");
}

TEST_CASE("4.3 1.5 paths that lead out of the root are refused") {
  for (const char* path : {"../a", "/etc/passwd", "a/../../b", "a//b", "./a", "a/", ".", "", "a/."}) {
    CAPTURE(path);
    const History history = history_of({delta(1).saved(path)});
    CHECK(history.batches().empty());
    REQUIRE(history.refused().size() == 1);
    CHECK(history.refused().front().phase == "Refused");
  }
}

TEST_CASE("1.5 a name that no file system takes is refused, and one of 255 bytes is not") {
  const std::string longest(255, 'n');
  CHECK(refusal(std::shared_ptr<const ChangeSet>(delta(1).saved("a/" + longest + "/b"))->spec).empty());
  const std::string said =
      "...\": has a component of more than 255 bytes, which no file system takes: give it a shorter name";
  CHECK(refusal(std::shared_ptr<const ChangeSet>(delta(1).saved("a/" + longest + "n/b"))->spec) ==
        "\"a/" + std::string(98, 'n') + said);
  CHECK(refusal(std::shared_ptr<const ChangeSet>(delta(1).deleted(longest + "n"))->spec) ==
        "\"" + std::string(100, 'n') + said);
}

TEST_CASE("a file without a proper digest is refused") {
  ChangeSet change_set = *std::shared_ptr<const ChangeSet>(delta(1).saved("a"));
  change_set.spec.changes.edit().front().digest = "sha256:zz";
  CHECK(refusal(change_set.spec) == "\"a\": digest must be sha256: and 64 hex digits, not \"sha256:zz\"");
}

TEST_CASE("a file of more than 1 GiB is refused: a few KiB of zstd can claim to be one") {
  ChangeSet change_set = *std::shared_ptr<const ChangeSet>(delta(1).saved("a"));
  change_set.spec.changes.edit().front().size = 1ull << 30;
  CHECK(refusal(change_set.spec).empty());
  ++change_set.spec.changes.edit().front().size;
  CHECK(refusal(change_set.spec) == "\"a\": has more than 1 GiB, the most that a ChangeSet may announce");
}

TEST_CASE("7.3 8.4 a session is letters, digits and -, and that of a Checkpoint is the operator's alone") {
  ChangeSetSpec spec = std::shared_ptr<const ChangeSet>(delta(1).saved("a"))->spec;
  const auto with = [&](const std::string& session) {
    spec.session = session;
    return refusal(spec);
  };
  for (const char* session : {"7f3a", "a", "a-b", "checkpoint"}) CHECK(with(session) == "");
  for (const std::string& session :
       {std::string(), std::string("-a"), std::string("a-"), std::string("A"), std::string("a b"),
        std::string("a\n"), std::string(33, 'a'), std::string("checkpoint-")})
    CHECK(with(session) == "session must be 1 to 32 lower-case letters, digits and -, with no - at its ends");
  const std::string apart =
      "a session that begins with checkpoint- and the field checkpoint belong together: both are the "
      "operator's";
  CHECK(with(checkpoint_session(7)) == apart);
  spec.checkpoint.emplace();
  CHECK(with("7f3a") == apart);
  CHECK(with(checkpoint_session(7)) == "");
}

TEST_CASE("24 a sequence far ahead is refused, and the history goes on") {
  for (const auto& far : {delta(10'006), snapshot(999'999'999'999)}) {
    History history = history_of({delta(5).saved("a"), far}, 5);
    CHECK(history.newest() == 5);
    CHECK_FALSE(history.gap());
    CHECK(history.refused().front().message.ends_with(" is too far ahead: the newest is 5, so post with 6"));
    history.update({delta(5).saved("a"), delta(6).saved("b"), far}, 5);
    CHECK(sequences(history) == "5 6");
  }
  CHECK(sequences(history_of({delta(5).saved("a"), snapshot(10'005).saved("b")}, 5)) == "5 10005");
}

TEST_CASE("25 a Snapshot ends a gap also for what was posted before it with a later sequence") {
  History history = history_of({delta(1).saved("a"), delta(5'000).saved("x").created(1100)});
  CHECK(history.gap() == 2);
  history.update(
      {delta(1).saved("a"), delta(5'000).saved("x").created(1100), snapshot(2).saved("a").created(1105)}, 1);
  CHECK_FALSE(history.gap());
  CHECK(refused(history) == "5000 Superseded: a newer Snapshot replaces it; ");
}

TEST_CASE("7.5 an unfinished batch is given up 10 minutes after its last part") {
  const Sets sets{delta(1).saved("a").created(1000), delta(2).saved("b").part(1, 3).created(1100),
                  delta(3).saved("c").part(2, 3).created(1200)};
  History history;
  history.update(sets, 0, at(1799));
  CHECK(refused(history) == "");
  CHECK(history.gives_up_at() == at(1800));
  history.update(sets, 0, at(1800));
  const std::string why =
      "Superseded: only a part of its batch was posted, and nothing more for 10 minutes; ";
  CHECK(refused(history) == "2 " + why + "3 " + why);
  CHECK_FALSE(history.gives_up_at());
  history.update({sets[0], delta(2).saved("d")}, 0, at(1900));
  CHECK(sequences(history) == "1 2");
}

TEST_CASE("7.5 what is behind a gap is given up after 10 minutes; the gap stays until a Snapshot") {
  const Sets sets{delta(1).saved("a").created(1000), delta(3).saved("c").created(1100)};
  History history;
  history.update(sets, 0, at(1699));
  CHECK(refused(history) == "");
  history.update(sets, 0, at(1700));
  CHECK(refused(history) == "3 Superseded: sequence 2 before it did not come within 10 minutes; ");
  history.update({sets[0]}, 0, at(1711));
  CHECK(history.gap() == 2);
  CHECK_FALSE(history.gap_since());
  history.update({sets[0], delta(2).saved("b")}, 0, at(1712));
  CHECK(sequences(history) == "1 2");
  CHECK(history.gap() == 2);
  history.update({sets[0], delta(2).saved("b"), snapshot(3).saved("a")}, 0, at(1713));
  CHECK_FALSE(history.gap());
}

TEST_CASE("22 what waits behind a gap is bounded") {
  Sets sets{delta(1).saved("a")};
  for (int i = 0; i < 40; ++i) sets.push_back(delta(3 + i).saved("f", std::string(1 << 20, 'x')));
  const History history = history_of(sets);
  CHECK(history.refused().size() == 9);
  CHECK(history.refused().front().message == "more than 32 MiB wait for sequence 2, which is missing");
}

TEST_CASE("7.3 of two with one sequence the one that was told so stays refused after a restart") {
  ChangeSet told = *std::shared_ptr<const ChangeSet>(delta(1).named("web-aa-000001").saved("a").created(5));
  told.status = {.phase = "Refused", .message = "sequence 1 is already used by another ChangeSet"};
  const History history =
      history_of({std::make_shared<ChangeSet>(told), delta(1).named("web-zz-000001").saved("b").created(5)});
  CHECK(history.all().find("b"));
  CHECK_FALSE(history.all().find("a"));
  CHECK(refused(history) == "1 Refused: sequence 1 is already used by another ChangeSet; ");
}

TEST_CASE("what comes late with a sequence that was passed is refused, and nothing is joined anew") {
  History history = history_of({delta(1).saved("a"), delta(2).saved("a"), delta(3).saved("b")});
  history.update(kept_of({delta(2).saved("a"), delta(3).saved("b")}), 3);
  const Batch* const before = &history.batches().front();
  history.update(kept_of({delta(1).saved("evil").named("by-hand").created(5000), delta(2).saved("a"),
                          delta(3).saved("b")}),
                 3);
  CHECK(refused(history) == "1 Refused: sequence 1 is already used by another ChangeSet; ");
  CHECK(&history.batches().front() == before);
}

TEST_CASE("24 which ChangeSets are of a LiveUpdate that was made anew") {
  const ObjectMeta live_update{.ns = "shop", .name = "web", .uid = "u-2", .created = at(1000)};
  const auto owned = [](const std::string& uid, std::int64_t created) {
    ObjectMeta it{.ns = "shop", .name = "web-7f3a-000001", .created = at(created)};
    if (!uid.empty()) it.owners = {{std::string(kApiVersion), "LiveUpdate", "web", uid}};
    return it;
  };
  CHECK(is_of(live_update, owned("u-2", 1001)));
  CHECK_FALSE(is_of(live_update, owned("u-1", 1001)));
  CHECK(is_of(live_update, owned("", 1000)));
  CHECK_FALSE(is_of(live_update, owned("", 999)));
}

TEST_CASE("18 34 of a refused ChangeSet only its place and the flaw are kept") {
  ChangeSet it = *std::shared_ptr<const ChangeSet>(delta(7).saved("../\x1b[31mx", std::string(1000, 'x')));
  it.meta.annotations["a"] = std::string(200'000, 'x');
  it.meta.owners = std::vector<ObjectMeta::OwnerReference>(1000, {"v1", "LiveUpdate", "web", "u"});
  const ChangeSet small = kept(it);
  CHECK(small.spec.changes.empty());
  CHECK(small.spec.sequence == 7);
  CHECK(small.flaw.find("is not a clean path") != std::string::npos);
  CHECK(small.flaw.find('\x1b') == std::string::npos);
  CHECK(small.meta.annotations.empty());
  CHECK(small.meta.owners.size() == 4);
  CHECK(kept(*std::shared_ptr<const ChangeSet>(delta(1).saved("a", "12345"))).bytes >= 6);
}

TEST_CASE("a ChangeSet is superseded when all it says has been said again and every target has it") {
  const History history =
      history_of({delta(1).saved("a"), delta(2).saved("a").saved("b"), delta(3).saved("a")});
  auto names = [&](std::int64_t confirmed) {
    std::string text;
    for (const ObjectMeta& it : history.superseded(confirmed)) text += it.name + " ";
    return text;
  };
  CHECK(names(0) == "");
  CHECK(names(3) == "web-7f3a-000001 ");
}

TEST_CASE("2.7 a change of mode alone does not supersede the content") {
  const History history = history_of({delta(1).saved("a"), delta(2).mode_of("a", 0755)});
  CHECK(history.superseded(2).empty());
  CHECK(history.all().find("a")->has_content());
}

TEST_CASE("2.7 what came without content does not keep the content of what was before it") {
  const History history = history_of({delta(1).saved("a"), delta(2).mode_of("a", 0644, "other")});
  CHECK(history.superseded(2).size() == 1);
  CHECK_FALSE(history.all().find("a")->has_content());
}

TEST_CASE("5.9 a batch that only brings content says nothing new") {
  const History history =
      history_of({delta(1).mode_of("a", 0644, "x").saved("b", "y"), delta(2).saved("a", "x"),
                  delta(3).saved("a", "x").saved("c"), delta(4).saved("b", "z")});
  std::string only;
  for (const Batch& it : history.batches()) only += it.only_content ? 'y' : 'n';
  CHECK(only == "nynn");
  CHECK(history.says_again_since(1));
  CHECK_FALSE(history.says_again_since(2));
}

TEST_CASE("5.9 content that is not what its ChangeSet says is not held, until a batch brings it") {
  Sets sets{delta(1).saved("a", "x").saved("b", "y"), delta(2).saved("c", "x")};
  History history = history_of(sets);
  const std::string digest = history.all().find("a")->digest;
  history.disbelieve({"a", history.all().find("b")->digest});
  CHECK(history.all().find("a")->has_content());
  history.disbelieve({"a", digest});
  CHECK(history.is_disbelieved("a"));
  CHECK_FALSE(history.all().find("a")->has_content());
  CHECK_FALSE(history.since(0, {2}).find("a")->has_content());
  CHECK(history.all().find("a")->digest == digest);
  CHECK(history.all().find("b")->has_content());
  CHECK(history.all().find("c")->has_content());
  sets.push_back(delta(3).saved("a", "x"));
  history.update(kept_of(sets), 0);
  CHECK(history.all().find("a")->has_content());
  CHECK(history.batches().back().only_content);
  CHECK_FALSE(history.is_disbelieved("a"));
}

TEST_CASE("the newest Snapshot is kept: it is what the history reaches back to") {
  const History history = history_of({snapshot(1).saved("a"), delta(2).saved("a")});
  CHECK(history.superseded(2).empty());
}

namespace {

// A watcher, an API server that takes posts and deletions in any order, and an operator that is restarted now
// and then.
class Scramble {
 public:
  explicit Scramble(unsigned seed) : random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const int what = below(10);
      if (what < 4) save_batch();
      if (what < 8) arrive();
      if (what >= 6) remove_one();
      if (what == 9 && below(4) == 0) restart();
      if (what == 5 && below(5) == 0) post_nonsense();
      look();
    }
    while (!posted_.empty()) arrive();
    look();
  }
  void check() const {
    REQUIRE(history_.newest() == sequence_);
    REQUIRE(history_.lost() == 0);
    REQUIRE_FALSE(history_.gap());
    std::map<std::string, std::string> told;
    for (const Change& it : history_.all().changes()) told[it.path] = it.op == Op::Delete ? "" : it.digest;
    for (const auto& [path, content] : files_) {
      CAPTURE(path);
      REQUIRE(told.contains(path));
      CHECK(told[path] == (content.empty() ? "" : digest_of(content)));
    }
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  void save_batch() {
    const int parts = 1 + below(4);
    for (int part = 1; part <= parts; ++part) {
      ChangeSetBuilder it = delta(++sequence_).part(part, parts);
      for (int i = 0; i < 2; ++i) {
        // Each path is said once in a batch.
        const std::string path = std::to_string(4 * below(5) + part - 1) + (i ? "x" : "");
        const std::string content = below(3) == 0 ? "" : "content " + std::to_string(sequence_);
        content.empty() ? it.deleted(path) : it.saved(path, content);
        files_[path] = content;
      }
      posted_.push_back(it);
    }
  }
  // By hand: a sequence that is used already, or a path that leads out.
  void post_nonsense() {
    if (server_.empty()) return;
    const std::int64_t used = server_[below(static_cast<int>(server_.size()))]->spec.sequence;
    const std::string name = "by-hand-" + std::to_string(++by_hand_);
    server_.push_back(delta(used).saved("../x").named(name).created(5000));
  }
  void arrive() {
    if (posted_.empty()) return;
    const auto at = posted_.begin() + below(std::min(4, static_cast<int>(posted_.size())));
    server_.push_back(*at);
    posted_.erase(at);
  }
  void remove_one() {
    if (deleting_.empty()) return;
    const auto name = std::next(deleting_.begin(), below(static_cast<int>(deleting_.size())));
    std::erase_if(server_, [&](const auto& it) { return it->meta.name == *name; });
    deleting_.erase(name);
  }
  void restart() {
    const std::int64_t accepted = history_.newest();
    history_ = History();
    deleting_.clear();
    history_.update(kept_of(server_), accepted);
  }
  void look() {
    history_.update(kept_of(server_), history_.newest());
    confirmed_ = std::max<std::int64_t>(confirmed_, history_.newest() - below(6));
    for (const ObjectMeta& it : history_.superseded(confirmed_)) deleting_.insert(it.name);
    as_joined_anew();
  }
  // What was kept up step by step is what would come of it all at once.
  void as_joined_anew() const {
    History anew;
    anew.update(kept_of(server_), history_.newest());
    CHECK(sequences(history_) == sequences(anew));
    CHECK(history_.gap() == anew.gap());
    CHECK(history_.lost() == anew.lost());
    CHECK(names_of(history_.refused()) == names_of(anew.refused()));
    if (!history_.gap()) CHECK(paths(history_.all()) == paths(anew.all()));
    CHECK(paths(history_.since(confirmed_)) == paths(anew.since(confirmed_)));
  }
  static std::set<std::string> names_of(const std::vector<Refused>& refused) {
    std::set<std::string> names;
    for (const Refused& it : refused) names.insert(it.meta.name + " " + it.message);
    return names;
  }

  std::mt19937 random_;
  std::int64_t sequence_ = 0, confirmed_ = 0, by_hand_ = 0;
  std::map<std::string, std::string> files_;  // empty: deleted
  Sets posted_, server_;
  std::set<std::string> deleting_;
  History history_;
};

}  // namespace

TEST_CASE("5.3 posts and deletions in any order, with restarts, lose nothing") {
  for (unsigned seed = 1; seed <= 15; ++seed) {
    CAPTURE(seed);
    Scramble scramble(seed);
    scramble.run(100);
    scramble.check();
  }
}

TEST_CASE(
    "7.6 a Snapshot deletes nothing of what it does not know, and its word is not the last about that") {
  const Sets sets{delta(1).saved("a").saved("secret").saved("dir/d").saved("gone"),
                  delta(2).saved("big", "v2"),
                  snapshot(3).saved("a", "v3").unknown("secret").unknown("dir", true).unknown("big"),
                  delta(4).saved("a", "v4")};
  const History history = history_of(sets);
  CHECK(paths(history.all()) == "+a +big +dir/d -gone +secret");
  CHECK(history.all().find("secret")->has_content());  // a new container gets it
  CHECK(history.superseded(4).empty());                // 1 and 2 hold what nobody else has
  CHECK(paths(history.since(0)) == "+a +big +dir/d -gone +secret");
  CHECK(paths(history.since(1)) == "+a +big -gone");
  CHECK(paths(history.since(2)) ==
        "+a -gone");  // it was told of all the others, and they are left as they are
  // After a restart, too, and when what was superseded has gone.
  History later =
      history_of({sets[0], sets[1], sets[2], sets[3], delta(5).saved("secret").saved("dir/d")}, 5);
  CHECK(later.superseded(5).empty());  // only 1 names what the Snapshot has deleted
  const Sets more{sets[1], sets[2], sets[3], delta(5).saved("secret").saved("dir/d"),
                  delta(6).deleted("gone")};
  Sets all = more;
  all.push_back(sets[0]);
  later.update(all, 6);
  const auto superseded = later.superseded(6);
  REQUIRE(superseded.size() == 1);
  CHECK(superseded[0].name == "web-7f3a-000001");
  later.update(more, 6);
  CHECK(later.lost() == 0);
  CHECK(later.all().find("big")->digest == digest_of("v2"));
}

TEST_CASE("4.3 unknown paths that lead out of the root are refused; the root itself may be unknown") {
  CHECK(history_of({snapshot(1).saved("a").unknown(".", true)}).batches().size() == 1);
  const History history = history_of({snapshot(1).saved("a").unknown("../b")});
  CHECK(history.batches().empty());
  REQUIRE(history.refused().size() == 1);
}

TEST_CASE("7.3 a sequence that is used already can be told from other refusals") {
  const History history = history_of({delta(1).saved("a"), delta(1).named("web-other-000001").saved("b")});
  CHECK(is_sequence_used({.phase = "Refused", .message = history.refused().front().message}));
  CHECK_FALSE(is_sequence_used({.phase = "Refused", .message = "sequence must be 1 or more"}));
  CHECK_FALSE(is_sequence_used({.phase = "Applied"}));
}

TEST_CASE("7.5 the needed sequences as ranges, and back") {
  const History history =
      history_of({delta(1).saved("a"), delta(2).saved("b"), delta(3).saved("a"),
                  delta(4).part(1, 2).saved("c"), delta(5).part(2, 2).saved("d"), delta(6).saved("e")});
  CHECK(history.needed() == "2-6");
  CHECK(History().needed().empty());
  std::string text;
  for (const SequenceRange& it : ranges_from("3 7-9 x 5-4 -2 12-"))
    text += std::to_string(it.first) + ".." + std::to_string(it.last) + " ";
  CHECK(text == "3..3 7..9 ");
}

TEST_CASE("7.5 a status that claims what cannot be costs nothing") {
  History history;
  history.expect("1-9000000000000000000");
  history.update({delta(1).saved("a")}, 1);
  CHECK(history.lost() == 1);
}

TEST_CASE(
    "what has changed since is what a tree of the batches since then has, and the whole tree tells it") {
  std::mt19937 random(9);
  const auto any = [&](const std::vector<std::string>& of) { return of[random() % of.size()]; };
  const std::vector<std::string> paths{"a", "a/b", "a/b/c", "a/d", "e", "e/f", "g"};
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    std::vector<std::shared_ptr<const ChangeSet>> all;
    for (std::int64_t sequence = 1; sequence <= 8; ++sequence) {
      ChangeSetBuilder builder = random() % 12 == 0 ? snapshot(sequence) : delta(sequence);
      std::set<std::string> named;
      for (int i = 0; i < 3; ++i)
        if (const std::string path = any(paths); named.insert(path).second)
          random() % 3 == 0 ? builder.deleted(path) : builder.saved(path, std::to_string(random() % 3));
      all.push_back(builder);
    }
    History history;
    history.update(all, 0);
    for (std::int64_t since = 0; since <= 8; ++since) {
      const Tree tree = history.since(since);
      const auto changed = history.changed_since(since);
      REQUIRE(changed.size() == tree.entries().size());
      for (const PathChange& it : changed) {
        const Entry* entry = tree.find_any(*it.path);
        REQUIRE(entry);
        CHECK(it.op == (entry->deleted ? Op::Delete : Op::Write));
        CHECK(it.type == entry->type);
        CHECK(*history.all().find_any(*it.path) == *entry);
      }
    }
  }
}

TEST_CASE("7.6 what a Snapshot does not know, and a container was told before, is left as it is") {
  History history;
  history.update({delta(1).saved("link/a", "old").saved("b"), snapshot(3).saved("b").unknown("link", true)},
                 2);
  const auto names = [&](std::int64_t since) {
    std::string text;
    for (const PathChange& it : history.changed_since(since)) text += *it.path + " ";
    return text;
  };
  CHECK(names(2) == "b ");  // a newer word of it may be lost
  CHECK(names(0) == "b link/a ");
}

TEST_CASE("7.1 what another operator has accepted counts once its newest ChangeSet is here") {
  std::vector<std::shared_ptr<const ChangeSet>> here{delta(4).saved("a")};
  CHECK(accepted_here(5, 4, here) == 4);
  here.push_back(delta(5).saved("b"));
  CHECK(accepted_here(5, 4, here) == 5);
  CHECK(accepted_here(3, 4, here) == 4);
}
