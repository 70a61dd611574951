// What programs that watch the container's directories are told while a batch is applied (rule 4.2).
#include <doctest/doctest.h>

#include <algorithm>

#include "test/agent/agent_process.h"
#include "test/agent/mounts.h"
#include "test/fakes/temp_tree.h"
#include "test/fakes/watched.h"

namespace live_update::agent {
namespace {

TEST_SUITE_BEGIN("agent: seen by watchers");

constexpr auto kGone = Watched::kGone;

bool ours(const std::string& name) { return name.starts_with(".live-update-"); }

// Old contents go when nobody waits any more: what is staged is there and away again.
bool cleaned(const TempTree& container) {
  return soon([&] {
    return std::ranges::none_of(tree_of(container.at("app")), ours, [](auto& entry) { return entry.first; });
  });
}

// Of names that exist the last word is never that they are gone; of others it is, if it was said at all.
void check_last_words(Watched& watched, const TempTree& container) {
  const auto tree = tree_of(container.at("app"));
  for (const auto& [name, mask] : watched.last()) {
    CAPTURE(name);
    CAPTURE(mask);
    CHECK(tree.contains(name) == ((mask & kGone) == 0));
  }
}

TEST_CASE("4.2 the last that watchers hear of a saved file is that it came, not that it went") {
  for (const int exchange_error : {0, EINVAL}) {
    CAPTURE(exchange_error);
    TempTree container;
    container.write("app/a.py", "old");
    AgentProcess agent({.exchange_error = exchange_error});
    Watched watched(container.at("app"));
    for (int save = 1; save <= 5; ++save) {
      REQUIRE(confirmed(agent.apply({container.at("app")}, file("a.py", "save " + std::to_string(save)))));
      REQUIRE(cleaned(container));
      CHECK((watched.last()["a.py"] & kGone) == 0);
    }
    check_last_words(watched, container);
  }
}

TEST_CASE("4.2 4.3 the same for many files, links, and what was something else before") {
  for (const int exchange_error : {0, EINVAL}) {
    CAPTURE(exchange_error);
    TempTree container;
    std::vector<Request> batch;
    for (int i = 0; i < 300; ++i) {
      const auto name = "f" + std::to_string(i);
      container.write("app/" + name, "old");
      batch = std::move(batch) + file(name, "new");
    }
    container.write("app/gone", "x");
    container.write("app/to-dir", "x");
    container.write("app/to-file/x", "x");
    container.link("app/link", "f1");
    container.link("app/was-link", "f1");
    batch = std::vector<Request>{Delete{0, "gone"}, Delete{0, "to-dir"}} + std::move(batch) +
            std::vector<Request>{Symlink{0, "link", "f2", {}}} + file("was-link", "a file") +
            file("to-dir/x", "x") + file("to-file", "x") + file("new", "new");
    AgentProcess agent({.exchange_error = exchange_error});
    Watched watched(container.at("app"));
    REQUIRE(failure_of(agent.apply({container.at("app")}, batch)) == "");
    REQUIRE(cleaned(container));
    check_last_words(watched, container);
    CHECK(watched.last().contains("f299"));
    CHECK((watched.last()["gone"] & kGone) != 0);
  }
}

TEST_CASE("4.2 what is put back has come, too") {
  if (!can_mount()) return;
  for (const int exchange_error : {0, EINVAL}) {
    CAPTURE(exchange_error);
    TempTree container;
    container.write("app/a", "old");
    container.write("app/gone", "here");
    container.write("app/dir/x", "x");
    container.mkdir("app/mounted");
    const Mounted busy("tmpfs", "tmpfs", container.at("app/mounted"), 0, nullptr);
    AgentProcess agent({.exchange_error = exchange_error});
    Watched watched(container.at("app"));
    const auto answer =
        agent.apply({container.at("app")}, std::vector<Request>{Delete{0, "gone"}} + file("a", "new") +
                                               file("dir", "now a file") + file("mounted", "impossible"));
    CHECK(failure_of(answer) != "");
    REQUIRE(cleaned(container));
    CHECK(container.read("app/a") == "old");
    CHECK((watched.last()["a"] & kGone) == 0);
    check_last_words(watched, container);
  }
}

TEST_CASE("our own names are such as programs that rebuild on changes ignore") {
  TempTree container;
  container.write("app/a", "old");
  AgentProcess agent;
  Watched watched(container.at("app"));
  REQUIRE(confirmed(agent.apply({container.at("app")}, file("a", "new") + file("b", "new"))));
  REQUIRE(cleaned(container));
  std::size_t names = 0;
  for (const auto& event : watched.events()) {
    if (event.name == "a" || event.name == "b") continue;
    CAPTURE(event.name);
    CHECK(ours(event.name));
    CHECK(event.name.ends_with(".swp"));
    ++names;
  }
  CHECK(names > 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
