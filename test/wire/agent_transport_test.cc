// Transport Agent with the real agent: put into a directory by the machine's own shells, on real files.
#include "operator/agent/agent_transport.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "operator/tar/tar_transport.h"
#include "run/content.h"
#include "run/uv_loop.h"
#include "test/fakes/local_exec.h"
#include "test/fakes/mirrors.h"
#include "test/fakes/temp_tree.h"
#include "test/fakes/turns.h"

using namespace live_update;
namespace fs = std::filesystem;

namespace {

constexpr unsigned kNobody = 65534;

AgentPrograms real_agent() {
  const TempTree place;
  REQUIRE(std::system(("strip -o " + place.at("agent") + " " AGENT_PROGRAM).c_str()) == 0);
  std::ifstream file(place.at("agent"), std::ios::binary);
  auto bytes =
      std::make_shared<std::string>(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  REQUIRE_FALSE(bytes->empty());
  const std::string machine = sizeof(void*) == 8 && __x86_64__ ? "amd64" : "arm64";
  return {{machine, {machine, bytes, *agent::digest_from(sha256(*bytes))}}};
}

// A container: a directory for its files, one for the agent, and only these tools.
class Container {
 public:
  explicit Container(std::vector<std::string> tools = {"chmod", "mv", "rm", "uname", "head", "cat", "sleep",
                                                       "yes", "mkdir"},
                     const std::string& shell = "/bin/dash") {
    fs::permissions(tree.root(), fs::perms(0755));
    for (const char* directory : {"bin", "app", "tmp"}) tree.mkdir(directory);
    fs::create_symlink(shell, tree.at("bin/sh"));
    for (const auto& tool : tools) fs::create_symlink("/usr/bin/" + tool, tree.at("bin/" + tool));
  }
  std::string agent() const {
    for (const auto& entry : fs::directory_iterator(tree.at("tmp")))
      if (entry.path().filename().string().starts_with(".live-update-agent-")) return entry.path();
    return "";
  }
  ContainerRef ref() const { return {"shop", "web-1", "web", "containerd://" + tree.root(), {}, shared}; }
  std::vector<std::string> shared;
  TempTree tree;
};

class World {
 public:
  explicit World(const Container& container, unsigned uid = 0, std::vector<std::string> places = {})
      : container_(container), exec(loop, {container.tree.at("bin"), uid}) {
    options.directories = places.empty() ? std::vector<std::string>{container.tree.at("tmp")} : places;
  }

  AgentTransport& transport() {
    if (!agent_) {
      const After after = [this](Millis delay, Callback work) { return loop.after(delay, std::move(work)); };
      tar_ = std::make_unique<TarTransport>(exec, after, [this] { return loop.wall_clock(); });
      placer_ = std::make_unique<AgentPlacer>(exec, after, programs, AgentPlacer::Options());
      agent_ = std::make_unique<AgentTransport>(
          exec, after, [this] { return loop.exact_wall_clock(); }, programs, *placer_, *tar_, options,
          [this](const ContainerRef&, const std::string& what) { notes += what + "\n"; });
    }
    return *agent_;
  }
  Delivery& delivery() { return next_; }
  World& save(const std::string& path, const std::string& text, std::uint32_t mode = 0644) {
    DeliveryWrite write{at(path), at("app"), FileType::File, mode, {}, text.size(), sha256(text), "", {}};
    if (!text.empty()) write.pieces.push_back({0, Encoding::Identity, std::make_shared<std::string>(text)});
    next_.writes.push_back(std::move(write));
    return *this;
  }
  World& remove(const std::string& path, FileType type = FileType::File) {
    next_.deletes.push_back({path, at(path), type, at("app")});
    return *this;
  }
  World& run(const std::string& shell, RunPhase phase = RunPhase::AfterSync,
             OnFailure on_failure = OnFailure::Stop, int timeout = 60) {
    auto& runs = phase == RunPhase::AfterSync ? next_.after_sync : next_.before_sync;
    runs.push_back({steps_++, {"/bin/sh", "-c", shell}, "", timeout, on_failure});
    return *this;
  }
  std::string at(const std::string& path) const { return container_.tree.at(path); }
  std::string text(const std::string& path) const { return container_.tree.read(path); }

  std::string deliver() {
    std::string told;
    next_.sequence = ++sequence_;
    const Handle job = transport().deliver(
        container_.ref(), std::make_shared<Delivery>(std::exchange(next_, {})),
        [&](DeliveryOutcome it) {
          outcome = std::move(it);
          told = tell();
          loop.stop();
        },
        [this](int step, std::string_view bytes) { printed[step] += bytes; });
    const Handle limit = loop.after(Millis(20'000), [&] { loop.stop(); });
    loop.run();
    return told;
  }
  std::string tell() const {
    if (const auto* problem = std::get_if<NotDelivered>(&outcome))
      return problem->reason + (problem->curable ? ", curable: " : ": ") + problem->message;
    const auto& delivered = std::get<Delivered>(outcome);
    std::string text = "by " + delivered.transport;
    for (const auto& it : delivered.failures)
      text += "; run " + std::to_string(it.step) + (it.timed_out ? " timed out " : " ") +
              std::to_string(it.exit_code) + " " + it.tail;
    for (const int it : delivered.skipped) text += "; skipped " + std::to_string(it);
    if (delivered.replace_pod) text += "; replace the pod";
    return text;
  }

  const Container& container_;
  UvLoop loop;
  LocalExec exec;
  AgentPrograms programs = real_agent();
  AgentTransport::Options options;
  std::string notes;
  std::map<int, std::string> printed;  // by runs
  DeliveryOutcome outcome;

 private:
  std::unique_ptr<TarTransport> tar_;
  std::unique_ptr<AgentPlacer> placer_;
  std::unique_ptr<AgentTransport> agent_;
  Delivery next_;
  std::int64_t sequence_ = 0;
  int steps_ = 0;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string random_text(std::size_t size) {
  std::string text(size, ' ');
  unsigned state = 1;
  for (char& c : text) c = static_cast<char>('a' + ((state = state * 1664525 + 1013904223) >> 24) % 26);
  return text;
}

}  // namespace

TEST_CASE("the first delivery puts the agent there, the next ones need no exec") {
  const Container container;
  World world(container);
  CHECK(world.save("app/a", "one").save("app/d/b", "two", 0755).deliver() == "by Agent");
  CHECK(world.text("app/a") == "one");
  CHECK(std::get<Delivered>(world.outcome).sent);
  CHECK(world.text("app/d/b") == "two");
  CHECK(fs::status(world.at("app/d/b")).permissions() == fs::perms(0755));
  CHECK(world.save("app/a", "three").remove("app/d/b").remove("app/d", FileType::Directory).deliver() ==
        "by Agent");
  CHECK(world.text("app/a") == "three");
  CHECK_FALSE(fs::exists(world.at("app/d")));
  CHECK(world.exec.execs == 1);
  CHECK(world.transport().sessions() == 1);
}

TEST_CASE("its file is used again by a later session") {
  const Container container;
  {
    World world(container);
    CHECK(world.save("app/a", "one").deliver() == "by Agent");
  }
  struct stat before{}, after{};
  REQUIRE(stat(container.agent().c_str(), &before) == 0);
  World world(container);
  CHECK(world.save("app/a", "two").deliver() == "by Agent");
  REQUIRE(stat(container.agent().c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
}

TEST_CASE("every shell can put it there, also without head and uname") {
  for (const std::string shell : {"/bin/dash", "/bin/bash", "/bin/busybox"}) {
    if (!fs::exists(shell)) continue;
    CAPTURE(shell);
    const Container container({"chmod", "mv", "rm"}, shell);
    World world(container);
    CHECK(world.save("app/a", "one").deliver() == "by Agent");
    CHECK(world.text("app/a") == "one");
  }
}

TEST_CASE("what lies under its name and is not the agent is replaced before use") {
  const Container container;
  for (const std::string text : {"#!/bin/sh\necho I am the agent\n", "#!/bin/sh\nexit 3\n",
                                 "\x7f"
                                 "ELF nonsense"}) {
    World world(container);
    const std::string file = container.tree.at("tmp/" + world.programs.begin()->second.file_name());
    fs::remove(file);
    std::ofstream(file) << text;
    fs::permissions(file, fs::perms(0755));
    CHECK(world.save("app/a", text).deliver() == "by Agent");
    CHECK(world.text("app/a") == text);
    CHECK(world.exec.execs == 2);
  }
}

// Says that it was executed, and then does nothing.
void plant(const Container& container, const std::string& file) {
  std::ofstream(file) << "#!/bin/sh\necho planted >" + container.tree.at("executed") + "\n";
  fs::permissions(file, fs::perms(0755));
}

TEST_CASE("where another container of the pod can write, nothing that lies there is executed") {
  for (const std::string shell : {"/bin/dash", "/bin/bash", "/bin/busybox"}) {
    if (!fs::exists(shell)) continue;
    CAPTURE(shell);
    Container container({"chmod", "mv", "rm", "mkdir", "uname", "head", "ls"}, shell);
    container.tree.mkdir("volume/tmp");
    container.tree.link("link", "volume/tmp");
    container.shared = {container.tree.at("volume")};
    for (const std::string place : {"volume", "link"}) {
      World world(container, 0, {container.tree.at(place)});
      const std::string file = container.tree.at(place + "/" + world.programs.begin()->second.file_name());
      plant(container, file);
      CHECK(world.save("app/a", place).deliver() == "by Agent");
      CHECK(world.text("app/a") == place);
      CHECK_FALSE(fs::exists(container.tree.at("executed")));
      // Nothing of ours stays there to be exchanged.
      const auto left = fs::directory_iterator(container.tree.at(place));
      CHECK(std::ranges::count_if(left, [](const auto& it) {
              return it.path().filename().string().starts_with(".live-update");
            }) == 1);
    }
    // Another place is better, whatever the order.
    World world(container, 0, {container.tree.at("volume"), container.tree.at("tmp")});
    CHECK(world.save("app/a", "again").deliver() == "by Agent");
    CHECK(container.agent() != "");
    CHECK_FALSE(fs::exists(container.tree.at("executed")));
  }
}

TEST_CASE("what others in the container can change is not executed: by its mode, for root by its directory") {
  if (geteuid() != 0) return;
  Container container({"chmod", "mv", "rm", "mkdir", "uname", "head", "ls"});
  World probe(container);
  const std::string name = probe.programs.begin()->second.file_name();
  // Root's, but for everybody to write: a hard link puts such a file under any name.
  plant(container, container.tree.at("tmp/" + name));
  fs::permissions(container.tree.at("tmp/" + name), fs::perms(0777));
  CHECK(probe.save("app/a", "one").deliver() == "by Agent");
  CHECK_FALSE(fs::exists(container.tree.at("executed")));
  // In a directory where everybody may rename everything.
  container.tree.mkdir("open");
  fs::permissions(container.tree.at("open"), fs::perms(0777));
  World open(container, 0, {container.tree.at("open")});
  plant(container, container.tree.at("open/" + name));
  CHECK(open.save("app/a", "two").deliver() == "by Agent");
  CHECK(open.text("app/a") == "two");
  CHECK_FALSE(fs::exists(container.tree.at("executed")));
}

TEST_CASE("where there can be no agent, Tar takes over, and says why") {
  const Container container({"chmod", "mv", "rm", "uname", "head", "tar", "mkdir", "rmdir", "id"});
  World world(container);
  AgentProgram other = world.programs.begin()->second;
  other.machine = "riscv64";
  world.programs = {{"riscv64", other}};
  world.delivery().transport = Transport::Agent;
  const std::string told = world.save("app/a", "one").deliver();
  CHECK(contains(told, "AgentUnavailable: shop/web-1, container web: no agent can run in the container ("));
  CHECK(contains(told, ": there is no agent for this machine)"));
  CHECK(world.save("app/a", "one").deliver() == "by Tar");
  CHECK(world.text("app/a") == "one");
  CHECK(contains(std::get<Delivered>(world.outcome).warnings.at(0), "transport Tar is used"));
  CHECK(contains(world.save("../a", "one").deliver(), "there is no agent for this machine"));
}

TEST_CASE("the agent goes to an emptyDir or a sync root where nothing else can be written") {
  const Container container;
  fs::permissions(container.tree.at("app"), fs::perms(0777));
  World world(container, kNobody);
  CHECK(world.save("app/a", "one").deliver() == "by Agent");
  // Who posts ChangeSets can write there: it does not stay to be exchanged.
  CHECK_FALSE(fs::exists(world.at("app/" + world.programs.begin()->second.file_name())));
}

TEST_CASE("an agent that a ChangeSet has put into a sync root is not executed") {
  Container container;
  World first(container);
  const std::string name = first.programs.begin()->second.file_name();
  CHECK(first.save("app/" + name, "#!/bin/sh\necho planted >" + container.tree.at("executed") + "\n", 0755)
            .deliver() == "by Agent");
  World world(container, 0, {container.tree.at("app")});
  CHECK(world.save("app/a", "one").deliver() == "by Agent");
  CHECK(world.text("app/a") == "one");
  CHECK_FALSE(fs::exists(container.tree.at("executed")));
}

TEST_CASE("without a shell there is no agent, and the message says so") {
  Container container;
  container.tree.remove("bin/sh");
  World world(container);
  world.delivery().transport = Transport::Agent;
  CHECK(contains(world.save("app/a", "one").deliver(), "sh: the image has none"));
}

TEST_CASE("4.1 4.7 runs before and after, in order; a failure ends the rest") {
  const Container container;
  World world(container);
  const std::string log = " >>" + container.tree.at("log");
  CHECK(world.run("echo before" + log, RunPhase::BeforeSync)
            .save("app/a", "one")
            .run("cat " + world.at("app/a") + log + "; echo \"$LIVE_UPDATE_SEQUENCE $LIVE_UPDATE_CHANGED\"" +
                 log)
            .run("echo to the user; exit 7")
            .run("echo never" + log)
            .deliver() == "by Agent; run 2 7 to the user; skipped 3");
  CHECK(world.printed[2] == "to the user\n");
  CHECK(world.text("log") == "before\none1 " + world.at("app/a") + "\n");
}

TEST_CASE("4.1 4.6 each run behind a large batch runs once, and can have all of its paths") {
  const Container container({"chmod", "mv", "rm", "uname", "head", "cat", "stat", "grep"});
  for (const auto phase : {RunPhase::AfterSync, RunPhase::BeforeSync}) {
    World world(container);
    const std::string log = container.tree.at("log" + std::to_string(static_cast<int>(phase)));
    for (int i = 0; i < 1000; ++i)
      world.save("app/src/module/some_python_module_number_" + std::to_string(1000 + i) + ".py", "x = 1");
    const std::string count =
        "; echo $LIVE_UPDATE_CHANGED_COUNT $(grep -c ^/ \"$LIVE_UPDATE_CHANGED_FILE\") >>" + log;
    CHECK(world.run("echo r1 >>" + log + count, phase)
              .run("echo r2 >>" + log + count + "; echo \"$LIVE_UPDATE_CHANGED_FILE\" >" +
                       container.tree.at("file"),
                   phase)
              .deliver() == "by Agent");
    CHECK(container.tree.read(log.substr(container.tree.root().size() + 1)) ==
          "r1\n1000 1000\nr2\n1000 1000\n");
    const std::string file = world.text("file");
    CHECK(file.starts_with(container.tree.at("tmp/.live-update-")));
    CHECK(world.save("app/one", "1")
              .run("echo \"$LIVE_UPDATE_CHANGED_COUNT ${LIVE_UPDATE_CHANGED_FILE-none}\"", phase)
              .deliver() == "by Agent");
    CHECK(world.printed[2] == "1 none\n");
    CHECK_FALSE(fs::exists(fs::path(file.substr(0, file.size() - 1)).parent_path()));
    CHECK(world.exec.execs == 1);
  }
}

TEST_CASE("4.7 a failed run before the sync keeps the later ones, not the files") {
  const Container container;
  World world(container);
  CHECK(world.run("exit 1", RunPhase::BeforeSync).save("app/a", "one").run("true").deliver() ==
        "by Agent; run 0 1 ; skipped 1");
  CHECK(world.text("app/a") == "one");
  CHECK(world.run("exit 1", RunPhase::AfterSync, OnFailure::Continue).run("true").deliver() ==
        "by Agent; run 2 1 ");
}

TEST_CASE("4.6 a timeout, a missing program and megabytes of output") {
  const Container container;
  World world(container);
  CHECK(contains(world.run("sleep 60", RunPhase::AfterSync, OnFailure::Stop, 1).deliver(), "timed out"));
  world.delivery().after_sync.push_back({9, {"/no/such/program"}, "", 60, OnFailure::Stop});
  CHECK(contains(world.deliver(), "run 9 127 "));
  const std::string told = world.run("yes | head -c 20000000; echo the end; exit 3").deliver();
  CHECK(contains(told, "3 "));
  CHECK(contains(told, "the end"));
  CHECK(told.size() < 10'000);
}

TEST_CASE("4.3 a symlink that leads out is refused, with the path") {
  const Container container;
  container.tree.mkdir("elsewhere");
  container.tree.link("app/link", container.tree.at("elsewhere"));
  World world(container);
  const std::string told = world.save("app/link/a", "one").deliver();
  CHECK(contains(told, "PathEscapes: shop/web-1, container web: "));
  CHECK(contains(told, world.at("app/link")));
  CHECK_FALSE(fs::exists(world.at("elsewhere/a")));
}

TEST_CASE("4.2 content with another digest changes nothing") {
  const Container container;
  World world(container);
  world.save("app/a", "one").save("app/b", "two");
  world.delivery().writes.back().digest = sha256("three");
  CHECK(contains(world.deliver(), "DigestMismatch"));
  CHECK_FALSE(fs::exists(world.at("app/a")));
}

TEST_CASE("4.2 a batch that is refused while it is still being sent leaves the session usable") {
  const Container container;
  World world(container);
  CHECK(world.save("app/first", "one").deliver() == "by Agent");
  world.save("app/bad", "two");
  world.delivery().writes.back().digest = sha256("three");
  world.save("app/large", random_text(5'000'000)).run("touch " + world.at("ran"));
  CHECK(contains(world.deliver(), "DigestMismatch"));
  CHECK_FALSE(fs::exists(world.at("app/large")));
  CHECK_FALSE(fs::exists(world.at("ran")));
  CHECK(world.save("app/first", "two").deliver() == "by Agent");
  CHECK(world.exec.execs == 1);
}

TEST_CASE("5.3 what is there already is not sent again") {
  const Container container;
  World world(container);
  for (int i = 0; i < 50; ++i) world.save("app/" + std::to_string(i), "text " + std::to_string(i));
  CHECK(world.deliver() == "by Agent");
  struct stat before{}, after{}, changed{};
  REQUIRE(stat(world.at("app/7").c_str(), &before) == 0);
  std::ofstream(world.at("app/8")) << "spoiled";
  fs::permissions(world.at("app/9"), fs::perms(0600));
  world.delivery().compare = true;
  for (int i = 0; i < 50; ++i) world.save("app/" + std::to_string(i), "text " + std::to_string(i));
  world.remove("app/never");
  CHECK(world.deliver() == "by Agent");
  REQUIRE(stat(world.at("app/7").c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  CHECK(world.text("app/8") == "text 8");
  REQUIRE(stat(world.at("app/9").c_str(), &changed) == 0);
  CHECK((changed.st_mode & 07777) == 0644);
}

TEST_CASE("4.1 5.3 what the runs before the sync have changed is compared after them") {
  const Container container;
  World world(container);
  const auto save_all = [&] {
    for (int i = 0; i < 50; ++i) world.save("app/" + std::to_string(i), "text " + std::to_string(i));
  };
  save_all();
  CHECK(world.deliver() == "by Agent");
  save_all();
  world.delivery().compare = true;
  CHECK(world.run("echo spoiled >" + world.at("app/8"), RunPhase::BeforeSync).deliver() == "by Agent");
  CHECK(world.text("app/8") == "text 8");
}

TEST_CASE("5.3 what the batch itself deletes is sent again, whatever was there before") {
  const Container container;
  World world(container);
  const auto save_all = [&] {
    for (int i = 0; i < 50; ++i) world.save("app/d/" + std::to_string(i), "text " + std::to_string(i));
  };
  save_all();
  CHECK(world.deliver() == "by Agent");
  save_all();
  world.delivery().compare = true;
  CHECK(world.remove("app/d", FileType::Directory).deliver() == "by Agent");
  int wrong = 0;
  for (int i = 0; i < 50; ++i)
    wrong += world.text("app/d/" + std::to_string(i)) != "text " + std::to_string(i);
  CHECK(wrong == 0);
}

TEST_CASE(
    "4.5 Mirror: what only the container has goes in the same batch, what is ignored or not meant stays") {
  const Container container;
  World world(container);
  for (const char* path : {"app/old", "app/gone/deep/x", "app/line\nbreak", "app/kept/log", "app/d/a.log",
                           "elsewhere/y", "app/.git/HEAD"})
    container.tree.write(path, "left");
  fs::create_symlink("../elsewhere", world.at("app/link"));
  world.save("app/a", "one").save("app/d/b", "two");
  mirror(world.delivery(), world.at("app"), "**/kept\n**/*.log\n");
  CHECK(world.deliver() == "by Agent");
  CHECK(std::get<Delivered>(world.outcome).warnings.empty());
  for (const char* path : {"app/old", "app/gone", "app/line\nbreak", "app/link"})
    CHECK_FALSE(fs::exists(fs::symlink_status(world.at(path))));
  for (const char* path : {"app/kept/log", "app/d/a.log", "elsewhere/y", "app/.git/HEAD", "app/a", "app/d/b"})
    CHECK(fs::exists(world.at(path)));
}

TEST_CASE("4.5 Mirror: more than maxDeletes stay, and the files arrive; many folders are looked through") {
  const Container container;
  World world(container);
  for (int i = 0; i < 3000; ++i)
    container.tree.write("app/d" + std::to_string(i % 300) + "/" + std::to_string(i), "left");
  world.save("app/a", "one");
  mirror(world.delivery(), world.at("app"), "", 3299);
  CHECK(world.deliver() == "by Agent");
  CHECK(std::get<Delivered>(world.outcome).held.contains("maxDeletes (3299): " + world.at("app/d0") + ", "));
  CHECK(world.text("app/a") == "one");
  CHECK(fs::exists(world.at("app/d7/7")));
  world.save("app/a", "one");
  mirror(world.delivery(), world.at("app"), "", 3300);
  CHECK(world.deliver() == "by Agent");
  CHECK(std::get<Delivered>(world.outcome).held.empty());
  CHECK(std::distance(fs::directory_iterator(world.at("app")), fs::directory_iterator()) == 1);
}

TEST_CASE("5.3 of many files the agent computes digests while others are being sent") {
  const Container container;
  World world(container);
  const int many = 3000;
  const auto name = [](int i) { return "app/d" + std::to_string(i % 20) + "/" + std::to_string(i); };
  const auto text = [](int i) { return random_text(static_cast<std::size_t>(i) * 7) + std::to_string(i); };
  for (int i = 0; i < many; i += 2) world.save(name(i), text(i));
  CHECK(world.deliver() == "by Agent");
  struct stat before{}, after{};
  REQUIRE(stat(world.at(name(2998)).c_str(), &before) == 0);
  std::ofstream(world.at(name(2000))) << "spoiled";
  for (int i = 0; i < many; ++i) world.save(name(i), text(i));
  world.delivery().compare = true;
  CHECK(world.run("test -e " + world.at(name(2999))).deliver() == "by Agent");
  int wrong = 0;
  for (int i = 0; i < many; ++i) wrong += world.text(name(i)) != text(i);
  CHECK(wrong == 0);
  REQUIRE(stat(world.at(name(2998)).c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  CHECK(world.exec.execs == 1);
}

TEST_CASE("4.2 5.3 a batch that is refused during the comparison leaves the session usable") {
  const Container container;
  World world(container);
  const auto save_all = [&] {
    for (int i = 0; i < 3000; ++i) world.save("app/" + std::to_string(i), "text " + std::to_string(i));
    world.delivery().compare = true;
  };
  save_all();
  world.delivery().writes[3].digest = sha256("another");
  CHECK(contains(world.run("touch " + world.at("ran")).deliver(), "DigestMismatch"));
  CHECK(fs::is_empty(world.at("app")));
  CHECK_FALSE(fs::exists(world.at("ran")));
  save_all();
  CHECK(world.deliver() == "by Agent");
  CHECK(world.text("app/2999") == "text 2999");
  CHECK(world.exec.execs == 1);
}

TEST_CASE("contents of many megabytes, in pieces, plain and zstd") {
  const Container container;
  World world(container);
  const std::string text = random_text(9'000'000);
  world.save("app/big", text);
  auto& pieces = world.delivery().writes.back().pieces;
  pieces.clear();
  for (std::size_t at = 0; at < text.size(); at += 1'000'000) {
    const auto encoded = encode_content(std::string_view(text).substr(at, 1'000'000));
    CHECK(encoded.encoding == Encoding::Zstd);
    pieces.push_back({at, encoded.encoding, std::make_shared<std::string>(encoded.bytes)});
  }
  CHECK(world.save("app/plain", text).deliver() == "by Agent");
  CHECK(world.text("app/big") == text);
  CHECK(world.text("app/plain") == text);
}

TEST_CASE("4.9 an agent that was killed: the delivery is curable, and the next one has a new session") {
  const Container container;
  World world(container);
  CHECK(contains(world.run("kill -9 $PPID; sleep 5").deliver(), "curable"));
  CHECK(world.save("app/a", "one").deliver() == "by Agent");
  CHECK(world.exec.execs == 2);
}

TEST_CASE("a session that has nothing to do is closed, and opened again") {
  const Container container;
  World world(container);
  world.options.idle = Millis(50);
  CHECK(world.save("app/a", "one").deliver() == "by Agent");
  turn_for(world.loop, Millis(120));
  CHECK(world.transport().sessions() == 0);
  CHECK(contains(world.notes, "is closed until the next change"));
  CHECK(world.save("app/a", "two").deliver() == "by Agent");
  CHECK(world.text("app/a") == "two");
}

TEST_CASE("a session can be opened before there is anything to deliver") {
  const Container container;
  World world(container);
  world.transport().expect(container.ref(), {"web", {}});
  while (world.transport().sessions() == 0) turn_for(world.loop, Millis(10));
  CHECK(world.save("app/a", "one").deliver() == "by Agent");
  CHECK(world.exec.execs == 1);
}

TEST_CASE("a shell profile that prints does not confuse the handshake") {
  Container container;
  container.tree.remove("bin/sh");
  container.tree.write(
      "bin/sh", "#!/bin/sh\necho Welcome to the container\necho and to stderr >&2\nexec /bin/dash \"$@\"\n");
  container.tree.chmod("bin/sh", 0755);
  World world(container);
  CHECK(world.save("app/a", "one").deliver() == "by Agent");
  CHECK(contains(world.notes, "Welcome to the container"));
}

TEST_CASE("4.8 restarts: a signal, and what cannot be restarted from inside") {
  const Container container;
  World world(container);
  world.delivery().restart = Restart{RestartSignal{"NOPE"}};
  CHECK(world.save("app/a", "one").deliver() ==
        "RestartFailed: shop/web-1, container web: there is no signal NOPE");
  world.delivery().restart = Restart{RestartProcess{}};
  CHECK(contains(world.save("app/a", "two").deliver(), "shop/web-1, container web: "));
  CHECK(world.text("app/a") == "two");
}

TEST_CASE("a delivery that is abandoned leaves the container free for the next one") {
  const Container container;
  World world(container);
  Delivery slow;
  slow.after_sync.push_back({0, {"/bin/sh", "-c", "sleep 30"}, "", 60, OnFailure::Stop});
  Handle job = world.transport().deliver(
      container.ref(), std::make_shared<Delivery>(slow), [](DeliveryOutcome) { FAIL("it was abandoned"); },
      nullptr);
  turn_for(world.loop, Millis(300));
  job.reset();
  CHECK(world.save("app/a", "one").deliver() == "by Agent");
}
