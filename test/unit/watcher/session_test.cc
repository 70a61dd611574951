#include "watcher/session.h"

#include <doctest/doctest.h>

#include "test/unit/watcher/session_world.h"

using namespace live_update;
using Given = SessionWorld;

TEST_CASE("a saved file becomes a ChangeSet, and its status a line") {
  Given g;
  g.start();
  CHECK(g.sent() == Texts{});
  g.disk.write("src/a.py", "print()");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: +src/a.py"});
  const ChangeSet posted = g.posted()[0];
  CHECK(posted.meta.name == "web-s1-000001");
  CHECK(posted.spec.user == "ada");
  CHECK(posted.spec.observed_at);
  const Change& change = posted.spec.changes[0];
  CHECK(change.digest == sha256("print()"));
  CHECK(change.mode == 0644);
  CHECK(decode_content(change.encoding, *change.content, 100) == "print()");
  g.set_status(posted, R"({"phase":"Applied","containers":3,"targets":3})");
  g.until([&] { return g.console.said.size() == 2; });
  CHECK(g.console.said[1].starts_with("src/a.py -> 3/3 pods in "));
}

TEST_CASE("4.7 each save that fails has its line, also if all fail alike") {
  Given g;
  g.start();
  for (std::size_t saves : {1, 2}) {
    g.disk.write("src/a", std::to_string(saves));
    g.until([&] { return g.posted().size() == saves; });
    g.set_status(g.posted().back(), R"({"phase":"Failed","containers":1,"targets":1,"message":"boom"})");
    g.until([&] { return g.console.problems.size() == saves; });
    CHECK(g.console.problems.back() == "src/a -> 1/1 pods, failed: boom");
  }
}

TEST_CASE("2.7 a touch is nothing, a chmod the mode, a rename a delete and a write") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.disk.write("src/a", "1");
  g.settle();
  CHECK(g.sent() == Texts{});
  g.disk.chmod("src/a", 0755);
  g.until([&] { return g.posted().size() == 1; });
  g.disk.rename("src/a", "src/b");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent() == Texts{"1: *src/a", "2: -src/a +src/b"});
  CHECK(g.posted()[0].spec.changes[0].mode == 0755);
}

TEST_CASE("2.1 what is ignored or outside the context does not exist") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"ignore":["**/*.pyc"]})");
  g.disk.write(".dockerignore", "src/out\n");
  g.start();
  for (const char* path : {"src/a.pyc", "other.txt", "src/out/x", "src/.git/HEAD", "src/a~"})
    g.disk.write(path, "1");
  g.disk.write("src/a", "1");
  g.until([&] { return !g.posted().empty(); });
  g.settle();
  CHECK(g.sent() == Texts{"1: +src/a"});
}

TEST_CASE("2.4 the ignore file is read again; malformed, the old rules stay and the error is shown") {
  Given g;
  g.disk.write("src/out/x", "1");
  g.start();
  g.disk.write(".dockerignore", "src/out\n");
  g.until([&] { return g.console.said.size() == 2; });
  g.disk.write("src/out/x", "2");
  g.settle();
  CHECK(g.sent() == Texts{});
  g.disk.write(".dockerignore", "src/[a\n");
  g.until([&] { return !g.console.problems.empty(); });
  CHECK(g.console.problems[0].find(".dockerignore:1") != std::string::npos);
  CHECK(g.console.problems[0].ends_with("the rules from before stay in force until this is repaired"));
  g.disk.remove(".dockerignore");
  g.until([&] { return !g.posted().empty(); });
  CHECK(g.sent() == Texts{"1: +src/out/x"});
}

TEST_CASE("7.2 a start posts what happened since the last run") {
  Given g;
  for (const char* path : {"src/a", "src/b", "src/c"}) g.disk.write(path, "1");
  g.start();
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 1; });
  g.stop();
  g.disk.write("src/a", "3");
  g.disk.remove("src/b");
  g.disk.write("src/new", "1");
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/a -src/b +src/new");
  CHECK(g.posted()[1].spec.session == "s2");
  g.stop();
  g.start();
  g.settle();
  CHECK(g.posted().size() == 2);
}

TEST_CASE("7.2 without its notes, a start goes by what ChangeSets say") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 1; });
  g.stop();
  g.state.remove("");
  g.disk.write("src/a", "3");
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: S *src +src/a");
}

TEST_CASE("7.3 the API server is away: said once, and what waits goes as one batch when it is back") {
  Given g;
  g.start();
  g.api.set_away(true);
  g.disk.write("src/a", "1");
  const auto says_waiting = [](const std::string& p) {
    return p.find("waiting to be sent") != std::string::npos;
  };
  g.until([&] { return std::ranges::any_of(g.console.problems, says_waiting); });
  g.disk.write("src/a", "2");
  g.disk.write("src/b", "1");
  g.settle();
  g.disk.write("src/b", "2");
  g.settle();
  g.api.set_away(false);
  g.until([&] { return g.posted().size() == 2; });
  g.settle();
  CHECK(g.sent() == Texts{"1: +src/a", "2: +src/a +src/b"});
  CHECK(std::ranges::count_if(g.console.problems, says_waiting) == 1);
}

TEST_CASE("initialSync: the first thing posted is a Snapshot, once") {
  Given g(R"({"initialSync":{}},{"sync":{"from":"src","to":"/app"}})");
  g.disk.write("src/a", "1");
  g.disk.write("src/d/b", "1");
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a *src/d +src/d/b"});
  g.stop();
  g.start();
  g.settle();
  CHECK(g.posted().size() == 1);
}

TEST_CASE("the operator asks for a Snapshot") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.apply(
      R"({"sync":{"from":"src","to":"/app"}})", "",
      R"({"conditions":[{"type":"SnapshotNeeded","status":"True","reason":"HistoryLost","message":"gone"}]})");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
}

TEST_CASE("5.9 content that the operator lacks is sent, once; what no sync maps is not") {
  const std::string steps = R"({"sync":{"from":"src","to":"/app"}},{"sync":{"from":"docs","to":"/docs"}})";
  const std::string context = R"(,"source":{"context":["."],"onUnmatched":"Ignore"})";
  Given g(steps, context);
  g.apply(R"({"sync":{"from":"src","to":"/app"}})", context);
  g.disk.mkdir("docs");
  g.disk.write("docs/x", "text");
  g.disk.write("other", "text");
  g.start();
  const auto wanted = [](const std::string& path, const std::string& text) {
    return R"({"path":")" + path + R"(","digest":")" + sha256(text) + R"("})";
  };
  const std::string two = wanted("docs/x", "text") + "," + wanted("other", "text");
  g.apply(steps, context, R"({"wanted":[)" + two + "]}");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: +docs/x"});
  g.apply(steps, context, R"({"sequence":1,"wanted":[)" + two + "]}");
  g.settle();
  CHECK(g.posted().size() == 1);
  g.apply(steps, context, R"({"sequence":2})");
  g.settle();
  g.apply(steps, context, R"({"sequence":3,"wanted":[)" + two + "]}");
  g.until([&] { return g.posted().size() == 2; });
  g.apply(steps, context, R"({"sequence":4,"wanted":[)" + wanted("docs/y", "gone") + "]}");
  g.settle();
  CHECK(g.posted().size() == 2);
}

TEST_CASE("5.9 content that was sent in what a Snapshot of digests replaced is sent again") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  const std::string steps = R"({"sync":{"from":"src","to":"/app"}})";
  const std::string wanted = R"({"wanted":[{"path":"src/a","digest":")" + sha256("1") + R"("}])";
  g.apply(steps, "", wanted + "}");
  g.until([&] { return g.posted().size() == 1; });
  g.apply(
      steps, "",
      wanted +
          R"(,"conditions":[{"type":"SnapshotNeeded","status":"True","reason":"RulesChanged","message":""}]})");
  g.until([&] { return g.posted().size() == 2; });
  g.set_status(g.posted()[0], R"({"phase":"Superseded","message":"a newer Snapshot replaces it"})");
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent() == Texts{"1: +src/a", "2: S *src *src/a", "3: +src/a"});
}

TEST_CASE("5.6 the annotation asks for a Snapshot") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.api.objects.set(
      kApi + "liveupdates/web",
      R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","metadata":{"namespace":"shop","name":"web","uid":"u-1",)"
      R"("annotations":{"liveupdate.dev/sync-requested-at":"now"}},"spec":{"steps":[{"sync":{"from":"src","to":"/app"}}],)"
      R"("target":{"workload":{"kind":"Deployment","name":"web"}}}})");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
}

TEST_CASE("the spec changes while watching: a new sync is sent, the rest is taken as it is") {
  Given g(R"({"sync":{"from":"src","to":"/app"}},{"sync":{"from":"static","to":"/static"}})");
  g.apply(R"({"sync":{"from":"src","to":"/app"}})");
  g.disk.write("src/a", "1");
  g.disk.write("static/s", "1");
  g.start();
  g.apply(R"({"sync":{"from":"src","to":"/app"}},{"sync":{"from":"static","to":"/static"}})");
  g.until([&] { return g.posted().size() == 1; });
  g.disk.write("static/s", "2");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent() == Texts{"1: *static +static/s", "2: +static/s"});
}

TEST_CASE("7.4 the root is gone for good") {
  Given g;
  g.disk.write("src/a", "1");
  g.start();
  g.disk.remove("");
  g.until([&] { return g.exit_code.has_value(); });
  CHECK(g.sent() == Texts{});
  CHECK(g.console.problems.at(0).find("is gone. Was that meant, or is a disk not mounted?") !=
        std::string::npos);
}

TEST_CASE("3.3 a delete that uncovers another file for the same place is completed by that file") {
  Given g(R"({"sync":{"from":"src","to":"/app"}},{"sync":{"from":"base","to":"/app"}})");
  g.disk.write("src/a", "1");
  g.disk.write("base/a", "2");
  g.start();
  g.disk.remove("src/a");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: -src/a +base/a"});
}

TEST_CASE("24 a ChangeSet far ahead, a refused one, and one of an older LiveUpdate move nobody's numbers") {
  Given g;
  g.disk.write("src/a", "1");
  const auto post = [&](std::int64_t sequence, const std::string& uid, const std::string& phase) {
    ChangeSet it;
    it.meta = {"shop", change_set_name("web", "other", sequence)};
    it.meta.owners = {{std::string(kApiVersion), "LiveUpdate", "web", uid}};
    it.spec = {"web", "other", "eve", sequence, ChangeSetType::Snapshot};
    it.status.phase = phase;
    g.api.objects.set(kApi + "changesets/" + it.meta.name, encode_change_set(it));
  };
  post(999'999'999'999, "u-1", "");
  post(300, "u-1", "Refused");
  post(400, "u-0", "Applied");
  g.start();
  post(999'999'999'998, "u-1", "");
  post(301, "u-1", "Refused");
  g.settle();
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 6; });
  CHECK(g.sent()[0] == "1: +src/a");
}

TEST_CASE("a LiveUpdate that is deleted and made again gets a new session") {
  Given g;
  g.start();
  g.disk.write("src/a", "1");
  g.until([&] { return g.posted().size() == 1; });
  REQUIRE(g.api.objects.remove(*parse_resource_path(kApi + "liveupdates/web")));
  g.until([&] { return g.console.said.back().find("was deleted") != std::string::npos; });
  g.disk.write("src/b", "1");
  g.settle();
  CHECK(g.posted().size() == 1);
  g.apply(R"({"sync":{"from":"src","to":"/app"}})", "", "{}", "u-2");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: S *src +src/a +src/b");  // src/b was saved while it was away
  g.disk.write("src/c", "1");
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "3: +src/c");
}

TEST_CASE("a file above the limit is refused with a clear message, and the rest goes on") {
  Given g;
  g.start();
  g.disk.write("src/big", "");
  REQUIRE(truncate(g.disk.at("src/big").c_str(), static_cast<off_t>(Limits().file + 1)) == 0);
  g.disk.write("src/a", "1");
  g.until([&] { return !g.posted().empty() && !g.console.problems.empty(); });
  g.settle();
  CHECK(g.console.problems[0] ==
        "src/big: not synced: it has 32.0 MB, and files above 32 MB are refused; ignore it");
  for (const ChangeSet& it : g.posted())
    for (const Change& change : it.spec.changes) CHECK(change.path == "src/a");
}

TEST_CASE("rules that are broken end the start, each on a line") {
  Given g(R"({"sync":{"from":"../x","to":"app"}})");
  g.start();
  CHECK(g.exit_code == 1);
  CHECK(g.console.problems.at(0).find("spec.steps[0].sync.from") != std::string::npos);
  CHECK(g.console.problems.at(0).find("spec.steps[0].sync.to") != std::string::npos);
}

TEST_CASE("push: one Snapshot, and the exit code says what became of it") {
  Given g;
  g.disk.write("src/a", "1");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: S *src +src/a"});
  g.set_status(g.posted()[0], R"({"phase":"Applied","containers":1,"targets":1})");
  g.settle();
  CHECK_FALSE(g.exit_code);  // the LiveUpdate does not say so yet
  g.apply(
      R"({"sync":{"from":"src","to":"/app"}})", "",
      R"({"sequence":1,"conditions":[{"type":"Synced","status":"True","reason":"Synced","message":""}]})");
  g.until([&] { return g.exit_code.has_value(); });
  CHECK(*g.exit_code == 0);
}

TEST_CASE("push: what failed ends it at once") {
  Given g;
  g.disk.write("src/a", "1");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 1; });
  g.set_status(g.posted()[0], R"({"phase":"Failed","containers":0,"targets":1,"message":"boom"})");
  g.until([&] { return g.exit_code.has_value(); });
  CHECK(*g.exit_code == 1);
}

TEST_CASE("8.2 a spec that was widened for others sends nothing from here, and says so") {
  Given g(R"({"sync":{"from":"static","to":"/srv"}})");
  for (const char* path : {"static/a", ".env", ".ssh/id_rsa", "notes"}) g.disk.write(path, "1");
  g.start();
  const std::string all = R"({"sync":{"from":".","to":"/srv/all"}})";
  g.apply(all);
  g.until([&] { return !g.console.problems.empty(); });
  g.disk.write("static/a", "2");
  g.disk.write("notes", "2");
  g.settle();
  CHECK(g.sent() == Texts{});
  CHECK(
      Texts(g.console.problems.begin(), g.console.problems.end()) ==
      Texts{"the LiveUpdate in the cluster reaches further into this machine than was accepted here:",
            "  spec.steps: \".\" is watched, which is outside of static",
            "  spec.steps[0].sync.from: \".\" is sent, which is outside of static",
            "nothing is sent until that changes: if it is meant, start again with --accept-spec, or give its "
            "file with -f"});
  CHECK_FALSE(g.exit_code);

  g.apply(R"({"sync":{"from":"static","to":"/elsewhere"}})");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: +static/a"});
  CHECK(std::ranges::count(g.console.said, "the LiveUpdate reaches no further than it may: going on") == 1);
  g.apply(all);  // the second time is said, too
  g.until([&] { return g.console.problems.size() == 8; });
}

TEST_CASE("8.2 fewer ignores, another ignore file, a wider context, each alone") {
  const std::string steps = R"({"sync":{"from":"src","to":"/app"}})";
  const std::string narrow = R"(,"source":{"context":["src"],"ignore":["src/secret","src/a*"]})";
  for (const char* wide :
       {R"(,"source":{"context":["src"],"ignore":["src/secret"]})",
        R"(,"source":{"context":["src"],"ignore":["src/secret","src/a*","!src/ab"]})",
        R"(,"source":{"context":["src","notes"],"ignore":["src/secret","src/a*"]})",
        R"(,"source":{"context":["src"],"ignore":["src/secret","src/a*"],"ignoreFile":"none"})"}) {
    CAPTURE(wide);
    Given g(steps, narrow);
    g.disk.write("none", "");
    g.disk.write(".dockerignore", "src/private\n");
    g.start();
    g.apply(steps, wide);
    g.until([&] { return !g.console.problems.empty(); });
    for (const char* path : {"src/ab", "src/secret", "src/private", "src/b", "notes"})
      g.disk.write(path, "1");
    g.settle();
    CHECK(g.sent() == Texts{});
    g.apply(steps, narrow);
    g.until([&] { return !g.posted().empty(); });
    CHECK(g.sent() == Texts{"1: +src/b"});
  }
}

TEST_CASE("8.2 the file is read again first: whoever edited it is not asked") {
  Given g;
  const std::string narrow = R"({"sync":{"from":"src","to":"/app"}})";
  const std::string wide = narrow + R"(,{"sync":{"from":"static","to":"/static"}})";
  g.give_file(narrow);
  g.read_file();
  g.disk.write("static/s", "1");
  g.start();
  g.give_file(wide);
  g.apply(wide);
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: *static +static/s"});
  CHECK(g.console.problems.empty());
}

TEST_CASE(
    "8.2 it goes on when the file comes to agree; what is malformed or missing meanwhile is said once") {
  Given g;
  const std::string narrow = R"({"sync":{"from":"src","to":"/app"}})";
  const std::string wide = narrow + R"(,{"sync":{"from":"static","to":"/static"}})";
  g.give_file(narrow);
  g.read_file();
  g.disk.write("static/s", "1");
  g.start();
  g.apply(wide);
  g.until([&] { return g.console.problems.size() == 4; });
  CHECK(g.console.problems[3] == "nothing is sent until that changes: if it is meant, put it into " +
                                     g.disk.at("liveupdate.yaml") + ", or start again with --accept-spec");
  g.disk.write("liveupdate.yaml", "spec: [");
  g.until([&] { return g.console.problems.size() == 5; });
  CHECK(g.console.problems[4].ends_with("\nwhat " + g.disk.at("liveupdate.yaml") +
                                        " said before stays in force"));
  g.disk.remove("liveupdate.yaml");
  g.disk.write("src/a", "1");
  g.settle();
  CHECK(g.console.problems.size() == 5);
  CHECK(g.sent() == Texts{});
  g.give_file(wide);
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: +src/a *static +static/s"});
}

TEST_CASE("8.2 the developer is asked, and yes is remembered") {
  Given g;
  Person person;
  g.options.consent = &person;
  g.disk.write("docs/d", "1");
  g.start();
  g.apply(R"({"sync":{"from":"docs","to":"/docs"}})");
  g.until([&] { return !person.question.empty(); });
  CHECK(person.question == "Let LiveUpdate shop/web reach that far?");
  person.answer(false);
  g.settle();
  CHECK(g.sent() == Texts{});
  person.answer(true);
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: *docs +docs/d"});
  CHECK(Ceiling(g.accepted()).spec() == g.ceiling->spec());
}

TEST_CASE("2.8 credentials are named at the start, the first five, and when they are saved") {
  Given g;
  g.read_only_file();
  for (const char* path :
       {"src/.env", "src/a.pem", "src/b.pem", "src/c.pem", "src/d.pem", "src/e.pem", "src/.ssh/x", ".env"})
    g.disk.write(path, "1");
  g.start();
  const std::string field =
      "; what may leave this machine all the same is listed in spec.source.credentials of " +
      g.disk.at("liveupdate.yaml");
  REQUIRE(g.console.problems.size() == 1);
  CHECK(g.console.problems[0] ==
        "src/.env, src/.ssh, src/a.pem, src/b.pem, src/c.pem and 2 more: held back, as they look "
        "like credentials" +
            field);
  for (const char* text : {"2", "3"}) {
    g.disk.write("src/.env", text);
    g.settle();
  }
  CHECK(g.console.problems.size() == 3);
  CHECK(g.console.problems[2] == "src/.env: held back, as it looks like a credential" + field);
  g.disk.remove("src/.env");
  g.settle();
  CHECK(g.console.problems.size() == 3);
  CHECK(g.sent() == Texts{});
}

TEST_CASE("2.8 what was sent before it was held back is not deleted; what may leave and is gone is") {
  const std::string steps = R"({"sync":{"from":"src","to":"/app"}})";
  const std::string out = R"(,"source":{"credentials":["**/.env"]})";
  Given g(steps, out);
  g.give_file(steps, out);
  g.read_file();
  g.disk.write("src/a", "1");
  g.start();
  g.disk.write("src/.env", "1");
  g.until([&] { return g.posted().size() == 1; });
  CHECK(g.sent() == Texts{"1: +src/.env"});
  g.stop();
  g.apply(steps);
  g.give_file(steps);
  g.read_file();
  g.start();
  g.disk.write("src/a", "2");
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/a");
  g.stop();
  g.apply(steps, out);
  g.give_file(steps, out);
  g.read_file();
  g.disk.remove("src/.env");
  g.options.once = true;
  g.start();
  g.until([&] { return g.posted().size() == 3; });
  CHECK(g.sent()[2] == "3: S *src +src/a -src/.env");
}

TEST_CASE("8.2 a push of a spec that reaches further sends nothing and fails") {
  Given g;
  g.apply(R"({"sync":{"from":".","to":"/app"}})");
  g.disk.write("src/a", "1");
  g.options.once = true;
  g.start();
  CHECK(g.exit_code == 1);
  CHECK(g.sent() == Texts{});
  CHECK(g.console.problems.back() ==
        "nothing was sent: if it is meant, start again with --accept-spec, or give its file with -f");
}

TEST_CASE("8.1 the cluster narrows: what leaves is what both allow") {
  Given g(R"({"sync":{"from":"src","to":"/app"}})", R"(,"source":{"ignore":["src/secret"]})");
  g.disk.write("src/a/x", "1");
  g.start();
  // A path that fallBackOn names is never ignored, and a sync.from that is a credential is meant: not by us.
  g.apply(R"({"fallBackOn":{"paths":["src/secret"]}},{"sync":{"from":"src/.env","to":"/e"}},)"
          R"({"sync":{"from":"src/a","to":"/app"}})",
          R"(,"source":{"ignore":["src/secret"],"credentials":["**"]})");
  g.until([&] { return g.console.said.back() == "the rules have changed and are in force now"; });
  for (const char* path : {"src/secret", "src/.env", "src/a/.env", "src/b", "src/a/y"})
    g.disk.write(path, "1");
  g.until([&] { return !g.posted().empty(); });
  g.settle();
  CHECK(g.sent() == Texts{"1: +src/a/y"});
}

TEST_CASE("8.1 credentials come from the file alone, and new ones in it wait for a word") {
  const std::string steps = R"({"sync":{"from":"src","to":"/app"}})";
  const std::string out = R"(,"source":{"credentials":["**/.env"]})";
  Given g(steps, out);
  g.disk.write("src/.env", "1");
  g.start();
  g.disk.write("src/.env", "2");
  g.disk.write("src/a", "1");
  g.until([&] { return !g.posted().empty(); });
  CHECK(g.sent() == Texts{"1: +src/a"});  // accepted here, but by no file
  g.stop();

  g.give_file(steps, out);
  g.read_file();
  g.start();
  g.until([&] { return g.posted().size() == 2; });
  CHECK(g.sent()[1] == "2: +src/.env");

  const std::string all = R"(,"source":{"credentials":["**"]})";
  g.disk.write("src/key.pem", "1");
  g.give_file(steps, all);
  g.apply(steps, all);
  g.until([&] { return g.console.problems.size() >= 3; });
  g.settle();
  CHECK(g.posted().size() == 2);
  CHECK(std::ranges::count(g.console.problems,
                           "  spec.source.credentials[0]: \"**\" lets credentials out, as " +
                               g.disk.at("liveupdate.yaml") + " says since this was started") == 1);
}
