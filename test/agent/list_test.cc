// List: what is in folders, by name and kind, without leaving the root's mount (rule 4.5).
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "test/agent/agent_process.h"
#include "test/agent/mounts.h"
#include "test/fakes/temp_tree.h"

namespace live_update::agent {
namespace {

constexpr std::uint32_t kPlenty = 100'000;

struct Told {
  std::vector<ListEntry> entries;
  int answers = 0;
  std::string failure;
};

Told list(AgentProcess& agent, List request) {
  agent.send({request});
  Told told;
  for (;;) {
    const auto answer = agent.answer_to(request.request);
    const auto* part = std::get_if<Listing>(&answer);
    if (!part) return {{}, 0, failure_of(answer)};
    ++told.answers;
    told.entries.insert(told.entries.end(), part->entries.begin(), part->entries.end());
    if (part->last) return told;
  }
}

char letter(Listed kind) {
  constexpr std::string_view kLetters = "fdloMUA";
  return kLetters[static_cast<std::size_t>(kind)];
}

// "0:fname 1:U", sorted.
std::string text_of(const Told& told) {
  std::vector<std::string> all;
  for (const auto& it : told.entries)
    all.push_back(std::to_string(it.folder) + ':' + letter(it.kind) + it.name);
  std::ranges::sort(all);
  std::string text;
  for (const auto& it : all) text += (text.empty() ? "" : " ") + it;
  return text;
}

TEST_SUITE_BEGIN("agent: List");

TEST_CASE("4.5 names and kinds of each folder, one level") {
  TempTree container;
  container.write("app/a", "1");
  container.write("app/d/deep/x", "2");
  container.write("app/d/b", "3");
  container.write("app/.live-update-1-2-3-4.swp", "staged");
  container.write("app/.live-update-agent-00ff", "the agent");
  REQUIRE(symlink("d", container.at("app/l").c_str()) == 0);
  REQUIRE(mkfifo(container.at("app/pipe").c_str(), 0600) == 0);
  AgentProcess agent;
  const auto told = list(agent, {7, container.at("app"), kPlenty, {"", "d", "d/none", "a"}});
  CHECK(text_of(told) == "0:dd 0:fa 0:ll 0:opipe 1:ddeep 1:fb 2:A 3:A");
  CHECK(told.answers == 1);
}

TEST_CASE("4.5 names with any bytes come as they are") {
  TempTree container;
  const std::vector<std::string> names = {"a\nb", "-rf",      "* ?",      "\xff\xfe",
                                          " ",    "'\"$(x)`", "\x1b[31m", "\\"};
  for (const auto& name : names) container.write("app/" + name, "1");
  AgentProcess agent;
  const auto told = list(agent, {1, container.at("app"), kPlenty, {""}});
  CHECK(told.entries.size() == names.size());
  for (const auto& name : names)
    CHECK(std::ranges::count(told.entries, ListEntry{0, name, Listed::File}) == 1);
}

TEST_CASE("4.3 no link is followed below the root; the root itself may be reached by one") {
  TempTree container;
  container.write("srv/app/x", "1");
  container.write("secret/y", "2");
  REQUIRE(symlink("srv/app", container.at("app").c_str()) == 0);
  REQUIRE(symlink("../../secret", container.at("srv/app/out").c_str()) == 0);
  for (const int error : {0, 38}) {
    AgentProcess agent({.openat2_error = error});
    CHECK(text_of(list(agent, {1, container.at("app"), kPlenty, {"", "out"}})) == "0:fx 0:lout 1:A");
  }
}

TEST_CASE("4.5 what breaks the rules is refused") {
  TempTree container;
  container.write("app/x", "1");
  AgentProcess agent;
  CHECK(list(agent, {1, container.at("app"), kPlenty, {"../x"}}).failure.starts_with("BadRequest"));
  CHECK(list(agent, {2, "app", kPlenty, {""}}).failure.starts_with("BadRequest"));
  CHECK(text_of(list(agent, {3, container.at("app"), kPlenty, {""}})) == "0:fx");
}

TEST_CASE("4.5 a folder with more than may be told is unreadable") {
  TempTree container;
  for (int i = 0; i < 10; ++i) container.write("app/a/" + std::to_string(i), "");
  container.write("app/b/x", "");
  AgentProcess agent;
  const auto told = list(agent, {1, container.at("app"), 5, {"a", "b"}});
  CHECK(std::ranges::count(told.entries, ListEntry{0, "", Listed::Unreadable}) == 1);
  CHECK(std::ranges::count(told.entries, ListEntry{1, "", Listed::Unreadable}) == 1);
  CHECK(told.entries.size() == 7);
}

TEST_CASE("4.5 many names come in several answers, and other frames go on meanwhile") {
  TempTree container;
  const int many = kSanitized ? 2000 : 5000;
  const std::string longer(100, 'n');
  for (int i = 0; i < many; ++i) container.write("app/" + longer + std::to_string(i), "");
  container.mkdir("other");
  AgentProcess agent;
  agent.send({List{9, container.at("app"), kPlenty, {""}}});
  agent.send(std::vector<Request>{Begin{1, {.fresh = true}, 1, {container.at("other")}}} +
             file("saved", "text") + std::vector<Request>{Commit{1}});
  int answers = 0, names = 0;
  bool saved_first = false, saved = false;
  for (bool last = false; !last || !saved;) {
    const Received received = agent.next();
    saved = saved || std::holds_alternative<Confirmed>(received.answer);
    REQUIRE_FALSE(std::holds_alternative<Failed>(received.answer));
    const auto* part = std::get_if<Listing>(&received.answer);
    if (!part) continue;
    ++answers;
    names += static_cast<int>(part->entries.size());
    last = part->last;
    saved_first = saved_first || (saved && last);
  }
  CHECK(names == many);
  CHECK(answers > 1);
  CHECK(saved_first);
}

TEST_CASE("4.5 what is mounted is told, binds of the same device too, and not looked into") {
  if (!can_mount()) return;
  TempTree container;
  for (const char* folder : {"app/bound/in", "app/tmp", "app/deep/er", "elsewhere"}) container.mkdir(folder);
  container.write("elsewhere/precious", "1");
  container.write("app/config", "");
  container.write("elsewhere/file", "2");
  const Mounted bound(container.at("elsewhere").c_str(), nullptr, container.at("app/bound"), MS_BIND);
  const Mounted one_file(container.at("elsewhere/file").c_str(), nullptr, container.at("app/config"),
                         MS_BIND);
  const Mounted disk("none", "tmpfs", container.at("app/tmp"), 0);
  container.mkdir("app/tmp/inside");
  container.mkdir("app/deep/er/a b");
  const Mounted spaced(container.at("elsewhere").c_str(), nullptr, container.at("app/deep/er/a b"), MS_BIND);
  AgentProcess agent;
  CHECK(
      text_of(list(
          agent,
          {1, container.at("app"), kPlenty, {"", "bound", "tmp", "tmp/inside", "deep/er", "deep/er/a b"}})) ==
      "0:Mbound 0:Mconfig 0:Mtmp 0:ddeep 1:U 2:U 3:U 4:Ma b 5:U");
  SUBCASE("the root may be a mount itself, and be reached by a link") {
    CHECK(text_of(list(agent, {2, container.at("app/bound"), kPlenty, {""}})) == "0:ffile 0:fprecious");
    REQUIRE(symlink("app", container.at("way").c_str()) == 0);
    CHECK(text_of(list(agent, {3, container.at("way"), kPlenty, {"", "bound"}})) ==
          "0:Mbound 0:Mconfig 0:Mtmp 0:ddeep 1:U");
  }
}

TEST_CASE("4.5 a folder that may not be read is unreadable") {
  if (geteuid() != 0) return;
  TempTree container;
  REQUIRE(chmod(container.root().c_str(), 0755) == 0);
  container.write("app/closed/x", "1");
  container.write("app/open/y", "1");
  REQUIRE(chmod(container.at("app/closed").c_str(), 0700) == 0);
  AgentProcess agent({.uid = 65534});
  CHECK(text_of(list(agent, {1, container.at("app"), kPlenty, {"closed", "open"}})) == "0:U 1:fy");
}

TEST_SUITE_END();

}  // namespace
}  // namespace live_update::agent
