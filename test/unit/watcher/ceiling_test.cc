#include "watcher/ceiling.h"

#include <doctest/doctest.h>

#include "test/fakes/temp_tree.h"
#include "test/unit/rules/rules_fixture.h"
#include "watcher/consent.h"
#include "watcher/links.h"

using namespace live_update;

namespace {

LiveUpdateSpec syncing(const std::string& from) { return without_context(spec_with({sync(from, "/app")})); }

std::string text_of(const std::vector<FieldError>& errors) {
  std::string out;
  for (const FieldError& it : errors) out += (out.empty() ? "" : "; ") + it.field + ": " + it.message;
  return out;
}
std::string text_of(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + '\n';
  return out;
}

struct Given {
  TempTree state;
  std::string said;
  AcceptedSpec accepted(const std::string& name = "web", const std::string& root = "/r") const {
    return {state.root(), {"https://a", "shop", name, root}};
  }
  std::string beyond(Ceiling& ceiling, const LiveUpdateSpec& spec) {
    return text_of(ceiling.beyond(spec, [this](const std::string& line) { said += line + '\n'; }));
  }
};

}  // namespace

TEST_CASE("8.1 where nothing was accepted everything reaches further; what was accepted is remembered") {
  Given g;
  Ceiling ceiling(g.accepted());
  CHECK_FALSE(ceiling.spec());
  CHECK(g.beyond(ceiling, syncing("src")) ==
        "spec.steps: \"src\" is watched, which is outside of nothing; "
        "spec.steps[0].sync.from: \"src\" is sent, which is outside of nothing");
  LiveUpdateSpec only_runs = in({"."}, spec_with({always("make", {"**/*.c"})}));
  only_runs.source.context.reset();
  CHECK(g.beyond(ceiling, only_runs) == "spec: nothing was accepted on this machine yet");
  REQUIRE(ceiling.accept(syncing("src")));
  CHECK(g.beyond(ceiling, syncing("src")) == "");
  CHECK(g.beyond(ceiling, syncing("src/a")) == "");
  Ceiling later(g.accepted());
  CHECK(g.beyond(later, syncing("src")) == "");
  CHECK_FALSE(g.beyond(later, syncing("docs")).empty());
  CHECK_FALSE(Ceiling(g.accepted("other")).spec());
  CHECK_FALSE(Ceiling(g.accepted("web", "/elsewhere")).spec());
}

TEST_CASE("8.1 notes that are damaged or of another object count for nothing") {
  Given g;
  REQUIRE(g.accepted().store(syncing("src")));
  const std::string path = g.accepted().path().substr(g.state.root().size() + 1);
  g.state.write(path, g.state.read(path) + " ");
  CHECK_FALSE(g.accepted().load());
  REQUIRE(g.accepted("other").store(syncing(".")));
  g.state.write(path, g.state.read(g.accepted("other").path().substr(g.state.root().size() + 1)));
  CHECK_FALSE(g.accepted().load());
  CHECK_FALSE(AcceptedSpec("", g.accepted().key()).load());
}

TEST_CASE("8.1 without a file the cluster's credentials count for nothing, and are no reason to ask") {
  Given g;
  Ceiling ceiling(g.accepted());
  LiveUpdateSpec spec = syncing("src");
  spec.source.credentials = {"**"};
  REQUIRE(ceiling.accept(spec));
  CHECK(ceiling.spec()->source.credentials.empty());
  CHECK(g.beyond(ceiling, spec) == "");
}

TEST_CASE("8.1 what a file says is accepted, and a start by name knows it") {
  Given g;
  LiveUpdateSpec spec = syncing("src");
  spec.source.credentials = {".env"};
  Ceiling ceiling(g.accepted(), "-", spec);
  CHECK(g.beyond(ceiling, spec) == "");
  CHECK(ceiling.spec()->source.credentials == std::vector<std::string>{".env"});
  Ceiling by_name(g.accepted());
  CHECK(g.beyond(by_name, syncing("src")) == "");
  CHECK(by_name.spec()->source.credentials.empty());
}

TEST_CASE("8.2 credentials that the cluster adds to a file are tolerated when accepted, and stay in") {
  Given g;
  Ceiling ceiling(g.accepted(), "-", syncing("src"));
  LiveUpdateSpec spec = syncing("src");
  spec.source.credentials = {"**"};
  CHECK(g.beyond(ceiling, spec) == "spec.source.credentials[0]: \"**\" lets credentials out");
  REQUIRE(ceiling.accept(spec));
  CHECK(g.beyond(ceiling, spec) == "");
  CHECK(ceiling.spec()->source.credentials.empty());
}

TEST_CASE("8.1 the question says what would leave, and takes no field manager for proof of who changed it") {
  LiveUpdate web;
  web.spec = ignoring({"**/*.pyc"}, in({"src", "conf"}, syncing("src")));
  web.spec.source.ignore_file = "ignored";
  web.writer = {"kubectl-patch", *parse_time("2026-01-01T00:00:00Z")};
  CHECK(text_of(say_reach(web, {"https://a", "shop", "web", "/home/ada/web"})) ==
        "LiveUpdate shop/web was not accepted on this machine yet. Of what is below /home/ada/web it\n"
        "  sends       src\n"
        "  watches     conf, src\n"
        "  leaves out  **/*.pyc, and what ignored says\n"
        "It was last changed at 2026-01-01T00:00:00Z, by a program that calls itself kubectl-patch, which "
        "proves nothing of who it was.\n");
}

TEST_CASE("3.3 where links lead: inside the root, out of it, to nothing") {
  TempTree disk, elsewhere;
  const std::string root = std::filesystem::canonical(disk.root());
  const auto where = [&](const std::string& path) {
    const LinkEnd end = link_end(root, path);
    return std::string(end.where == LinkEnd::Inside    ? "in "
                       : end.where == LinkEnd::Outside ? "out "
                                                       : "nowhere ") +
           end.path;
  };
  disk.write("real/a/x", "1");
  disk.link("relative", "real");
  disk.link("absolute", root + "/real/a");
  disk.link("chain", "relative");
  disk.link("up", "real/../real");
  disk.link("real/back", "../..");
  disk.link("itself", ".");
  disk.link("out", elsewhere.root());
  disk.link("out_by_chain", "out");
  disk.link("out_by_dots", "../" + std::string(std::filesystem::path(elsewhere.root()).filename()));
  disk.link("beside", root + "-not");
  disk.link("gone", "nothing");
  disk.link("loop", "loop");
  elsewhere.write("x", "1");
  elsewhere.link("home", root);
  CHECK(where("") == "in ");
  CHECK(where("real/a") == "in real/a");
  CHECK(where("relative") == "in real");
  CHECK(where("absolute") == "in real/a");
  CHECK(where("chain/a/x") == "in real/a/x");
  CHECK(where("up") == "in real");
  CHECK(where("itself") == "in ");
  CHECK(where("out").starts_with("out /"));
  CHECK(where("out/x").starts_with("out /"));
  CHECK(where("out_by_chain").starts_with("out /"));
  CHECK(where("out_by_dots").starts_with("out /"));
  CHECK(where("out/home/real") == "in real");  // it ends inside
  CHECK(where("real/back").starts_with("out /"));
  CHECK(where("beside") == "nowhere ");
  CHECK(where("gone") == "nowhere ");
  CHECK(where("loop") == "nowhere ");
}
