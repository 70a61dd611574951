// Two sessions that send changes for one LiveUpdate at once (rule 7.3).
#include <doctest/doctest.h>

#include "test/unit/watcher/session_world.h"
#include "watcher/session_id.h"

using namespace live_update;
using Given = SessionWorld;

namespace {

// Takes each sequence once: of two that have it, the watcher's.
class Operator {
 public:
  explicit Operator(Given& given) : g_(given) {}

  void judge() {
    auto all = g_.posted();
    std::ranges::stable_sort(all, {}, [](const ChangeSet& it) {
      return std::pair(it.spec.sequence, it.spec.session.starts_with("s") ? 0 : 1);
    });
    for (const ChangeSet& it : all) {
      if (!it.status.phase.empty()) continue;
      const bool next = it.spec.sequence == accepted_ + 1 || it.spec.type == ChangeSetType::Snapshot;
      if (it.spec.sequence <= accepted_) {
        ++refused[it.spec.session];
        g_.set_status(it, R"({"phase":"Refused","message":"sequence )" + std::to_string(it.spec.sequence) +
                              R"( is already used by another ChangeSet"})");
      } else if (next) {
        accepted_ = it.spec.sequence;
        taken.push_back(it);
        g_.set_status(it, R"({"phase":"Applied","containers":1,"targets":1})");
      }
    }
  }
  std::map<std::string, int> refused;
  std::vector<ChangeSet> taken;

 private:
  Given& g_;
  std::int64_t accepted_ = 0;
};

// Another machine, whose way to the API server is so slow that the watcher's next save is always there first.
struct Slow {
  TempTree disk;
  LocalHost host{std::filesystem::canonical(disk.root())};
  Lines console;
  std::optional<int> exit_code;
  std::unique_ptr<Feed> feed;

  Slow(Given& g, bool push) {
    disk.write("src/a", "1");
    g.api.interceptor = [this](const Request& it) -> std::optional<Error> {
      const bool ours = it.method == Method::Post && it.body.find(R"("session":"other")") != it.body.npos;
      if (!ours || !tried_.insert(it.body.substr(0, it.body.find("\"observedAt\""))).second) return {};
      return Error{ErrorKind::Unavailable, "slow"};
    };
    SessionOptions options = g.options;
    options.root = std::filesystem::canonical(disk.root());
    options.state_directory.clear();
    options.id = "other";
    options.once = push;
    feed = std::make_unique<Feed>(g.loop, g.api, host, console, ObjectKey{"shop", "web"}, options,
                                  [this](int code) { exit_code = code; });
    feed->start();
  }

 private:
  std::set<std::string> tried_;
};

bool from_other(const ChangeSet& it) { return it.spec.session == "other"; }

// A watcher that never rests, beside another session: that one's batch is taken, and then the watcher's again.
void both_have_their_turn(Given& g, Slow& other) {
  Operator op(g);
  int saves = 0;
  const Handle saving = g.loop.every(Millis(5), [&] { g.disk.write("src/s", std::to_string(++saves)); });
  const Handle judging = g.loop.every(Millis(3), [&] { op.judge(); });
  g.until([&] { return other.exit_code || std::ranges::any_of(op.taken, from_other); });
  CHECK_FALSE(other.exit_code);
  CHECK(op.refused["other"] <= 2);
  const auto before = op.taken.size();
  g.until([&] { return op.taken.size() >= before + 3; });
  CHECK(op.refused["s1"] <= 2);
}

}  // namespace

TEST_CASE("7.3 a push beside a watcher that never rests has its turn, and no save is lost") {
  Given g;
  g.start();
  Slow push(g, true);
  both_have_their_turn(g, push);
}

TEST_CASE("8.3 another watcher is warned of, but not one that sends from the same root") {
  Given g;
  g.session_id = make_session_id("laptop", "/home/ada/shop", 1);
  g.start();
  const auto warnings = [&] {
    return std::ranges::count_if(g.console.problems,
                                 [](const auto& it) { return it.contains("another watcher sends changes"); });
  };
  const auto sends = [&](const std::string& session, std::int64_t sequence) {
    ChangeSet it;
    it.meta = {"shop", change_set_name("web", session, sequence)};
    it.meta.owners = {{std::string(kApiVersion), "LiveUpdate", "web", "u-1"}};
    it.spec = {"web", session, "ada", sequence, ChangeSetType::Snapshot};
    g.api.objects.set(kApi + "changesets/" + it.meta.name, encode_change_set(it));
    g.settle();
  };
  sends(make_session_id("laptop", "/home/ada/shop", 2), 1);
  CHECK(warnings() == 0);
  sends(make_session_id("laptop", "/home/ada/other", 3), 2);
  CHECK(warnings() == 1);
  sends(make_session_id("desktop", "/home/ada/shop", 4), 3);
  CHECK(warnings() == 2);
}

TEST_CASE("8.3 the name of a session tells the root, and nothing of an older watcher's") {
  const std::string one = make_session_id("laptop", "/r", 7),
                    two = make_session_id("laptop", "/r", 0xffffffff);
  CHECK(one != two);
  CHECK(one.find_first_not_of("0123456789abcdef") == one.npos);
  CHECK(from_one_root(one, two));
  CHECK_FALSE(from_one_root(one, make_session_id("laptop", "/q", 7)));
  CHECK_FALSE(from_one_root(one, one.substr(0, 8)));
  CHECK_FALSE(from_one_root("s1", "s1"));
}

TEST_CASE("7.3 so has a slower watcher") {
  Given g;
  g.start();
  Slow watcher(g, false);
  g.until([&] { return !watcher.console.said.empty(); });
  watcher.disk.write("src/a", "2");
  both_have_their_turn(g, watcher);
  CHECK(watcher.console.said.front().starts_with("watching "));
}
