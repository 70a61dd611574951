// `source.deletes: Mirror` (rule 4.5): what goes that only a container has, what stays, and when nothing is looked for.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/api/conditions.h"
#include "core/base/path.h"
#include "core/desired/kept.h"
#include "core/desired/mirror_sweep.h"
#include "core/rules/rules_mark.h"
#include "test/unit/reconcile/reconcile_world.h"

using namespace live_update;

namespace {

// What a container has, by absolute path.
class Files {
 public:
  Files(std::initializer_list<const char*> files) {
    for (const char* file : files) add(file, FoundKind::File);
  }
  Files& add(const std::string& path, FoundKind kind) {
    kinds_[path] = kind;
    for (auto up = std::string(parent_path(path)); up.size() > 1; up = parent_path(up))
      kinds_.emplace(up, FoundKind::Directory);
    return *this;
  }
  Files& unreadable(const std::string& folder) {
    add(folder, FoundKind::Directory);
    unreadable_.push_back(folder);
    return *this;
  }
  // Whatever is asked is noted.
  void list(MirrorSweep& sweep, const MirrorSweep::Question& question) {
    for (std::size_t i = 0; i < question.folders.size(); ++i) {
      const std::string folder = join_path(question.root, question.folders[i]);
      const std::size_t number = question.numbers[i];
      listed.push_back(folder);
      if (std::ranges::find(unreadable_, folder) != unreadable_.end())
        sweep.unlisted(number);
      else if (!kinds_.contains(folder))
        sweep.unlisted(number, true);
      else
        for (const auto& [path, kind] : kinds_)
          if (parent_path(path) == folder) sweep.found(number, std::string(base_name(path)), kind);
      sweep.answered(number);
    }
  }
  std::vector<std::string> listed;

 private:
  std::map<std::string, FoundKind> kinds_;
  std::vector<std::string> unreadable_;
};

MirrorFindings look_through(const Delivery& delivery, Files& files, std::uint64_t budget = 10'000'000) {
  REQUIRE(delivery.mirror);
  MirrorSweep sweep(delivery.mirror);
  while (!sweep.complete()) {
    if (const auto question = sweep.ask(1000)) files.list(sweep, *question);
    for (WorkBudget piece{budget}; !sweep.work(piece);) piece = WorkBudget{budget};
  }
  return sweep.findings();
}

// "-/app/a -/app/b/", folders with a slash.
std::string text_of(const MirrorFindings& found) {
  std::vector<std::string> all;
  for (const RemoteDelete& it : found.deletes)
    all.push_back("-" + it.to + (it.type == FileType::Directory ? "/" : ""));
  std::ranges::sort(all);
  std::string text;
  for (const std::string& it : all) text += (text.empty() ? "" : " ") + it;
  return text;
}

// A World in which `src` goes to /app, and what only containers have goes.
class MirrorWorld : public World {
 public:
  explicit MirrorWorld(std::vector<Step> steps = {Sync{"src", "/app"}}) {
    lu.spec.steps = std::move(steps);
    lu.spec.source.deletes = DeletePolicy::Mirror;
    pod("a", "c1");
  }
  ChangeSetBuilder all(std::int64_t sequence, const std::string& patterns = "") {
    return snapshot(sequence).ignores(patterns).reach(reach_mark(lu.spec));
  }
  // What would be deleted in a container that has these files and is compared.
  std::string goes(Files files) {
    const Decision decision = look();
    REQUIRE(decision.deliveries.size() == 1);
    return text_of(look_through(*decision.deliveries[0].delivery, files));
  }
};

}  // namespace

TEST_SUITE_BEGIN("reconcile: Mirror");

TEST_CASE("4.5 what only the container has goes, with folders that are empty then") {
  MirrorWorld world;
  world.post(world.all(1).saved("src/x.py").folder("src/empty").saved("docs/readme"));
  CHECK(world.goes({"/app/x.py", "/app/old.py", "/app/gone/deep/y", "/app/empty/z", "/elsewhere/q"}) ==
        "-/app/empty/z -/app/gone/ -/app/gone/deep/ -/app/gone/deep/y -/app/old.py");
}

TEST_CASE("4.5 what is ignored stays, and what it lies in") {
  MirrorWorld world({Sync{".", "/app"}});
  world.lu.spec.source.ignore = {"*.log", "build", "!build/keep"};
  world.post(world.all(1, "node_modules\ncache/**\n").saved("x.py"));
  Files files{"/app/x.py",
              "/app/old",
              "/app/a.log",
              "/app/node_modules/m/index.js",
              "/app/cache/one",
              "/app/.git/HEAD",
              "/app/.env",
              "/app/deep/.ssh/id",
              "/app/deep/old",
              "/app/.x.py.swp",
              "/app/build/1",
              "/app/build/keep/2",
              "/app/.live-update-1-2-3-4.swp",
              "/app/.live-update-agent-00ff",
              "/app/\xff\xfe"};
  const Decision decision = world.look();
  CHECK(text_of(look_through(*decision.deliveries[0].delivery, files)) ==
        "-/app/build/keep/ -/app/build/keep/2 -/app/deep/old -/app/old");
  // Not even looked into.
  for (const char* folder : {"/app/node_modules", "/app/.git", "/app/deep/.ssh"})
    CHECK(std::ranges::find(files.listed, folder) == files.listed.end());
}

TEST_CASE("4.5 mounts, devices and what cannot be listed stay, and the folders that lead there") {
  MirrorWorld world;
  world.post(world.all(1).saved("src/x.py"));
  Files files{"/app/x.py", "/app/old/1", "/app/data/old"};
  files.add("/app/data/volume", FoundKind::Mount).add("/app/run/socket", FoundKind::Other);
  files.add("/app/link", FoundKind::Symlink).unreadable("/app/closed");
  const Decision decision = world.look();
  const MirrorFindings found = look_through(*decision.deliveries[0].delivery, files);
  CHECK(text_of(found) == "-/app/data/old -/app/link -/app/old/ -/app/old/1");
  CHECK(found.note ==
        "spec.source.deletes: Mirror: /app/closed cannot be listed, so what only this container has there "
        "stays");
}

TEST_CASE("7.6 what a Snapshot does not know stays") {
  MirrorWorld world;
  world.post(world.all(1).saved("src/x.py").unknown("src/closed", true).unknown("src/d/large.bin"));
  CHECK(world.goes({"/app/x.py", "/app/closed/1", "/app/d/large.bin", "/app/d/old"}) == "-/app/d/old");
}

TEST_CASE("4.5 the roots of other syncs are not touched") {
  SUBCASE("of the same LiveUpdate: each is mirrored by itself") {
    MirrorWorld world(
        {Sync{"src", "/app"}, Sync{"static", "/app/deep/static"}, Sync{"conf.yaml", "/app/conf/conf.yaml"}});
    world.post(world.all(1).saved("src/x.py").saved("static/a.css"));
    CHECK(world.goes({"/app/x.py", "/app/old", "/app/deep/old", "/app/deep/static/a.css",
                      "/app/deep/static/old", "/app/conf/conf.yaml"}) ==
          "-/app/deep/old -/app/deep/static/old -/app/old");
  }
  SUBCASE("a folder that goes elsewhere on the machine is left alone") {
    MirrorWorld world({Sync{"src/gen", "/gen"}, Sync{"src", "/app"}});
    world.post(world.all(1).saved("src/x.py").saved("src/gen/y"));
    CHECK(world.goes({"/app/x.py", "/app/gen/z", "/gen/y", "/gen/old"}) == "-/gen/old");
  }
  SUBCASE("of another LiveUpdate, below ours") {
    MirrorWorld world;
    world.other_roots = {"/app/theirs/root"};
    world.post(world.all(1).saved("src/x.py"));
    CHECK(world.goes({"/app/x.py", "/app/old", "/app/theirs/root/1", "/app/theirs/old"}) ==
          "-/app/old -/app/theirs/old");
  }
  SUBCASE("of another LiveUpdate, above ours: whose a file is cannot be told") {
    MirrorWorld world({Sync{"src", "/app/src"}, Sync{"lib", "/lib/mine"}});
    world.other_roots = {"/app"};
    world.post(world.all(1).saved("src/x.py").saved("lib/y"));
    const Decision decision = world.look();
    Files files{"/app/src/x.py", "/app/src/old", "/lib/mine/y", "/lib/mine/old"};
    CHECK(text_of(look_through(*decision.deliveries[0].delivery, files)) == "-/lib/mine/old");
    CHECK(decision.deliveries[0].delivery->notes ==
          std::vector<std::string>{
              "spec.source.deletes: Mirror: what only containers have in /app/src stays, as another "
              "LiveUpdate's sync leads there, too"});
  }
}

TEST_CASE("4.5 where another LiveUpdate leads to the very same folder nothing of it is deleted") {
  MirrorWorld world;
  world.other_roots = {"/app"};
  world.post(world.all(1).saved("src/x.py"));
  const auto delivery = world.look().deliveries[0].delivery;
  CHECK_FALSE(delivery->mirror);
  CHECK(delivery->notes.size() == 1);
}

TEST_CASE("4.5 a folder of the system is never mirrored, nor one whose whole source is gone") {
  MirrorWorld world({Sync{"etc", "/etc"}, Sync{"gone", "/gone"}, Sync{".", "/"}});
  world.post(world.all(1).saved("etc/x"));
  const auto delivery = world.look().deliveries[0].delivery;
  CHECK_FALSE(delivery->mirror);
  CHECK(delivery->notes.size() == 2);
  CHECK(delivery->notes[0] ==
        "spec.source.deletes: Mirror: what only containers have in /etc stays, as that folder is the "
        "system's; let the "
        "sync lead to a folder of its own");
}

TEST_CASE("4.5 more than maxDeletes: none of it goes, the files arrive, and the condition lists five") {
  MirrorWorld world;
  world.lu.spec.source.max_deletes = 5;
  world.post(world.all(1).saved("src/x.py"));
  Files files{"/app/x.py", "/app/1", "/app/2", "/app/3", "/app/4", "/app/5"};
  const auto delivery = world.look().deliveries[0].delivery;
  CHECK(look_through(*delivery, files).deletes.size() == 5);
  files.add("/app/6", FoundKind::File);
  const MirrorFindings found = look_through(*delivery, files);
  CHECK(found.deletes.empty());
  const std::string said =
      "nothing that only this container has was deleted, as that would be more than spec.source.maxDeletes "
      "(5): /app/1, "
      "/app/2, /app/3, /app/4, /app/5 and more; ignore what is to stay (spec.source.ignore or the ignore "
      "file), or raise "
      "maxDeletes";
  CHECK(found.held == said);
  world.outcome("c1", Delivered{.transport = "Agent", .held = found.held});
  const Decision after = world.look();
  CHECK(phase_of(after, "web-7f3a-000001") == "Applied");
  CHECK(world.state("c1") == "Waiting");
  CHECK(world.condition("Synced").status == false);
  CHECK(world.condition("Stalled").reason == reason::kTooManyDeletes);
  CHECK(world.condition("Stalled").message == "pod a, container app: " + said);

  SUBCASE("it stays so with later saves") {
    world.post(delta(2).saved("src/y.py"));
    CHECK(world.settle_all() == "c1@2: +/app/y.py; ");
    CHECK(world.condition("Stalled").reason == reason::kTooManyDeletes);
  }
  SUBCASE("another operator looks again") {
    world.restart_operator();
    CHECK(world.look().deliveries.size() == 1);
    world.outcome("c1", Delivered{.transport = "Agent"});
    world.look();
    CHECK(world.condition("Synced").status);
  }
  SUBCASE("another maxDeletes lets it look again") {
    world.lu.spec.source.max_deletes = 6;
    ++world.lu.meta.generation;
    const Decision again = world.look();
    REQUIRE(again.deliveries.size() == 1);
    CHECK(look_through(*again.deliveries[0].delivery, files).deletes.size() == 6);
    world.outcome("c1", Delivered{.transport = "Agent"});
    world.look();
    CHECK(world.condition("Synced").status);
  }
}

TEST_CASE("4.5 it acts in comparisons: a new container and a Snapshot, not a save") {
  MirrorWorld world;
  world.post(world.all(1).saved("src/x.py"));
  CHECK(world.look().deliveries[0].delivery->mirror);
  world.outcome("c1");
  world.post(delta(2).saved("src/y.py"));
  CHECK_FALSE(world.look().deliveries[0].delivery->mirror);
  world.outcome("c1");
  world.post(world.all(3).saved("src/x.py").saved("src/y.py"));
  CHECK(world.look().deliveries[0].delivery->mirror);
  world.outcome("c1");
  world.later_pod("b", "c2");
  CHECK(world.look().deliveries[0].delivery->mirror);
}

TEST_CASE("4.5 below a folder that was deleted it acts at once") {
  MirrorWorld world;
  world.post(world.all(1, "**/*.db").saved("src/x.py").folder("src/d").saved("src/d/y.py"));
  world.settle_all();
  world.post(delta(2).deleted("src/d/y.py").deleted("src/d", FileType::Directory));
  CHECK(world.goes({"/app/x.py", "/app/old", "/app/d/y.py", "/app/d/__pycache__/y.pyc", "/app/d/my.db"}) ==
        "-/app/d/__pycache__/ -/app/d/__pycache__/y.pyc");
}

TEST_CASE("4.5 it acts only where all that the machine has is known, and says so else") {
  const std::string mirror = "; spec.source.deletes: Mirror: nothing is deleted that only containers have";
  MirrorWorld world;
  const auto note = [&] {
    CHECK_FALSE(world.look().deliveries.at(0).delivery->mirror);
    world.outcome("c1");
    world.look();
    CHECK(world.condition("Synced").status);
    const std::string& message = world.condition("Synced").message;
    return message.substr(message.find(';'));
  };
  SUBCASE("no Snapshot") {
    world.post(delta(1).saved("src/x.py"));
    CHECK(note() ==
          mirror + " before the machine has named all that it has: run live-update watch or push there");
  }
  SUBCASE("by an older watcher") {
    world.post(snapshot(1).saved("src/x.py").reach(reach_mark(world.lu.spec)));
    CHECK(
        note() ==
        mirror +
            ", as the Snapshot of sequence 1 does not say what the machine ignores: run live-update watch or "
            "push there, of version " LIVE_UPDATE_VERSION " or newer");
  }
  SUBCASE("a machine that cannot tell it all") {
    world.post(snapshot(1)
                   .saved("src/x.py")
                   .ignores("", "its ignore file is not UTF-8")
                   .reach(reach_mark(world.lu.spec)));
    CHECK(note() ==
          mirror + ", as the machine cannot tell all that it ignores: its ignore file is not UTF-8");
  }
  SUBCASE("more patterns than it reads") {
    world.post(world.all(1, std::string(HostIgnores::kMostBytes + 1, 'x')).saved("src/x.py"));
    CHECK(note() ==
          mirror +
              ", as the machine cannot tell all that it ignores: its ignore file has more than 1,000 "
              "patterns or 32 KiB");
  }
}

TEST_CASE("4.5 a pattern that is malformed: nothing goes, and the container says so") {
  MirrorWorld world;
  world.post(world.all(1, "a\n[\n").saved("src/x.py"));
  const auto delivery = world.look().deliveries[0].delivery;
  CHECK_FALSE(delivery->mirror);
  REQUIRE(delivery->notes.size() == 1);
  CHECK(delivery->notes[0].starts_with(
      "spec.source.deletes: Mirror: nothing is deleted that only containers have: the ignore file:2 "));
  world.outcome("c1");
  world.look();
  CHECK(world.lu.status.containers[0].message == delivery->notes[0]);
}

TEST_CASE("4.5 a container that waits for a redeploy is not mirrored") {
  MirrorWorld world({FallBackOn{{"Dockerfile"}}, Sync{"src", "/app"}});
  world.post(world.all(1).saved("src/x.py"));
  world.settle_all();
  world.post(delta(2).saved("Dockerfile").saved("src/new.py"));
  world.look();
  world.lu.spec.source.max_deletes = 7;  // it is compared again, without what it waits for
  ++world.lu.meta.generation;
  const Decision decision = world.look();
  REQUIRE(decision.deliveries.size() == 1);
  CHECK_FALSE(decision.deliveries[0].delivery->mirror);
}

TEST_CASE("4.5 what is wanted in another shape is replaced, not mirrored") {
  MirrorWorld world;
  world.post(world.all(1).saved("src/a").saved("src/b/c").linked("src/l", "a"));
  Files files{"/app/a/inner", "/app/b"};
  files.add("/app/l", FoundKind::File);
  CHECK(world.goes(files).empty());
}

TEST_CASE("4.5 looking through is bounded, and goes on piece by piece") {
  MirrorWorld world;
  world.post(world.all(1).saved("src/x.py"));
  const auto delivery = world.look().deliveries[0].delivery;
  SUBCASE("in small pieces it finds the same") {
    Files files{"/app/x.py", "/app/old/1", "/app/2"};
    CHECK(text_of(look_through(*delivery, files, 1)) == "-/app/2 -/app/old/ -/app/old/1");
  }
  SUBCASE("a piece ends when its budget does") {
    MirrorSweep sweep(delivery->mirror);
    const auto question = sweep.ask(1000);
    REQUIRE(question);
    for (int i = 0; i < 100; ++i)
      sweep.found(question->numbers[0], "file" + std::to_string(i), FoundKind::File);
    WorkBudget one{1};
    CHECK_FALSE(sweep.work(one));
    CHECK_FALSE(sweep.complete());
  }
  SUBCASE("too much to look at") {
    MirrorSweep sweep(delivery->mirror);
    const auto question = sweep.ask(1000);
    REQUIRE(question);
    for (std::size_t i = 0; i <= MirrorSweep::kMostFound; ++i)
      sweep.found(question->numbers[0], "f" + std::to_string(i), FoundKind::File);
    sweep.answered(question->numbers[0]);
    WorkBudget budget;
    CHECK(sweep.work(budget));
    CHECK(sweep.complete());
    CHECK(sweep.findings().deletes.empty());
    CHECK(sweep.findings().note ==
          "spec.source.deletes: Mirror: nothing that only this container has was deleted: more than 200,000 "
          "files and "
          "folders are to be looked at; ignore folders that need not be");
  }
  SUBCASE("names that are none") {
    for (const char* name : {"", ".", "..", "a/b"}) {
      MirrorSweep sweep(delivery->mirror);
      const auto question = sweep.ask(1000);
      sweep.found(question->numbers[0], name, FoundKind::File);
      sweep.answered(question->numbers[0]);
      WorkBudget budget;
      sweep.work(budget);
      CHECK(sweep.findings().deletes.empty());
    }
  }
}

TEST_CASE("4.5 a Checkpoint keeps what the machine ignores and does not know") {
  MirrorWorld world;
  world.post(world.all(1, "**/*.db").saved("src/x.py").unknown("src/big"));
  world.post(delta(2).saved("src/y.py"));
  world.settle_all();
  const auto parts = make_checkpoint(world.history, 2, {.live_update = "web", .session = "checkpoint-1"}, {});
  world.change_sets.clear();
  for (const ChangeSetSpec& spec : parts) {
    ChangeSet it;
    it.meta = {"shop", change_set_name("web", spec.session, spec.sequence), "uid"};
    it.meta.created = Time(std::chrono::seconds(1010));
    it.spec = spec;
    world.post(std::make_shared<ChangeSet>(kept(it)));
  }
  world.later_pod("b", "c2");
  CHECK(world.goes({"/app/x.py", "/app/y.py", "/app/my.db", "/app/big", "/app/old"}) == "-/app/old");
}

TEST_SUITE_END();
