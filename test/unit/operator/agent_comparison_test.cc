// What an agent is asked about a batch and what is sent of it, without a session: order, pauses, and answers
// that the batch itself makes wrong.
#include "operator/agent/agent_comparison.h"

#include <doctest/doctest.h>

#include <deque>

#include "core/base/path.h"
#include "operator/agent/agent_frames.h"
#include "run/content.h"

using namespace live_update;
using Due = AgentComparison::Due;

namespace {

DeliveryWrite file(const std::string& to, const std::string& text, std::uint32_t mode = 0644) {
  DeliveryWrite write{to, "/app", FileType::File, mode, {}, text.size(), sha256(text), "", {}};
  if (!text.empty()) write.pieces.push_back({0, Encoding::Identity, std::make_shared<std::string>(text)});
  return write;
}
DeliveryWrite directory(const std::string& to) {
  return {to, "/app", FileType::Directory, 0755, {}, 0, "", "", {}};
}
DeliveryWrite link_to(const std::string& to, const std::string& target) {
  return {to, "/app", FileType::Symlink, 0777, {}, 0, "", target, {}};
}
RemoteDelete gone(const std::string& to, FileType type = FileType::File) { return {to, to, type, "/app"}; }

// A container that is asked, and answers when the test says so.
class Container {
 public:
  void has(const DeliveryWrite& it) { there_[it.to] = it; }
  void hears(agent::Have question) { questions_.push_back(std::move(question)); }
  agent::HaveResult answers() {
    const agent::Have question = std::move(questions_.front());
    questions_.pop_front();
    agent::HaveResult result{question.request, {}, true};
    for (const auto& wanted : question.paths) result.entries.push_back(entry(question.root, wanted));
    return result;
  }

 private:
  agent::HaveEntry entry(const std::string& root, const agent::Wanted& wanted) const {
    agent::HaveEntry entry{.path = wanted.path};
    const auto found = there_.find(join_path(root, wanted.path));
    if (found == there_.end()) return entry;
    const DeliveryWrite& it = found->second;
    entry.kind = it.type == FileType::File        ? agent::Kind::File
                 : it.type == FileType::Directory ? agent::Kind::Directory
                                                  : agent::Kind::Symlink;
    entry.mode = static_cast<std::uint16_t>(it.mode);
    entry.size = it.size;
    if (it.type == FileType::File && it.size == wanted.size) entry.digest = agent::digest_from(it.digest);
    entry.target = it.target;
    return entry;
  }

  std::map<std::string, DeliveryWrite> there_;
  std::deque<agent::Have> questions_;
};

// A delivery that is compared with a container, and the frames that are sent of it.
class World {
 public:
  World& remove(RemoteDelete it) { return delivery_.deletes.push_back(std::move(it)), *this; }
  World& save(DeliveryWrite it) { return delivery_.writes.push_back(std::move(it)), *this; }
  World& there(const DeliveryWrite& it) { return container.has(it), *this; }
  // Only this container has it, and it is to go.
  World& has_extra(RemoteDelete it) { return extra.push_back(std::move(it)), *this; }

  void begin() {
    delivery_.compare = true;
    batch.emplace(std::make_shared<Delivery>(delivery_));
    comparison.emplace(*batch);
    frames.emplace(*batch, &*comparison, extra, 1, agent::Gate{}, writer);
  }
  void ask() {
    while (comparison->curious()) container.hears(comparison->ask(++request));
  }
  // What can be sent now: "mkdir d", "rm a", "a: text", "touch a", "begin", "commit".
  std::string sent() {
    std::string lines;
    for (auto more = AgentFrames::Made::More; more == AgentFrames::Made::More;) {
      const auto piece = frames->next();
      REQUIRE(piece);
      lines += told(piece->frames);
      more = piece->then;
    }
    return lines;
  }
  std::string told(const std::string& piece) {
    std::string lines;
    reader.feed(piece);
    for (auto frame = reader.next(); frame && *frame; frame = reader.next())
      lines += line(*agent::decode_request(**frame));
    return lines;
  }
  // All of it, answers coming as soon as they are due.
  std::string all() {
    begin();
    std::string lines;
    for (ask(); !frames->ended(); ask()) {
      if (!comparison->curious() && request > answered) comparison->hear(container.answers()), ++answered;
      lines += sent();
    }
    return lines;
  }

  std::vector<RemoteDelete> extra;
  Container container;
  std::optional<AgentBatch> batch;
  std::optional<AgentComparison> comparison;
  std::optional<AgentFrames> frames;
  std::uint32_t request = 1, answered = 1;

 private:
  static std::string line(const agent::Request& it) {
    if (std::holds_alternative<agent::Begin>(it)) return "begin\n";
    if (std::holds_alternative<agent::Commit>(it)) return "commit\n";
    if (const auto* gone = std::get_if<agent::Delete>(&it)) return "rm " + gone->path + "\n";
    if (const auto* made = std::get_if<agent::Directory>(&it)) return "mkdir " + made->path + "\n";
    if (const auto* link = std::get_if<agent::Symlink>(&it)) return "ln " + link->path + "\n";
    if (const auto* saved = std::get_if<agent::File>(&it))
      return (saved->content == agent::Content::Kept ? "touch " : "save ") + saved->path + "\n";
    if (const auto* data = std::get_if<agent::Data>(&it))
      return data->bytes.size() > 20 ? "" : "= " + std::string(data->bytes) + "\n";
    return "?\n";
  }

  Delivery delivery_;
  agent::FrameWriter writer;
  agent::FrameReader reader{0};
};

}  // namespace

TEST_CASE("5.3 what is there is left out, a mode alone is set, and the rest is sent") {
  World world;
  world.remove(gone("/app/old")).remove(gone("/app/never")).there(file("/app/old", "x"));
  world.save(directory("/app/d")).there(directory("/app/d"));
  world.save(file("/app/d/same", "1")).there(file("/app/d/same", "1"));
  world.save(file("/app/d/mode", "2", 0755)).there(file("/app/d/mode", "2"));
  world.save(file("/app/d/text", "3")).there(file("/app/d/text", "4"));
  world.save(file("/app/d/size", "5")).there(file("/app/d/size", "55"));
  world.save(file("/app/d/new", "6"));
  world.save(link_to("/app/link", "d")).there(link_to("/app/link", "d"));
  world.save(link_to("/app/other", "d")).there(link_to("/app/other", "e"));
  CHECK(
      world.all() ==
      "begin\nrm old\ntouch d/mode\nsave d/text\n= 3\nsave d/size\n= 5\nsave d/new\n= 6\nln other\ncommit\n");
  CHECK(world.comparison->touches("/app/d/mode"));
  CHECK_FALSE(world.comparison->touches("/app/d/text"));
}

TEST_CASE("5.3 questions come in the order of sending, and what is known is sent before the next answer") {
  World world;
  world.save(file("/app/b/2", "2")).save(file("/app/b/1", "1"));
  world.save(directory("/app/b")).save(directory("/app/a"));
  world.remove(gone("/app/z"));
  DeliveryWrite elsewhere = file("/etc/x", "x");
  elsewhere.root = "/etc";
  world.save(elsewhere).there(file("/app/z", "z"));
  world.begin();
  CHECK(world.sent() == "begin\n");
  world.ask();
  CHECK(world.request == 3);  // a question for each root
  CHECK(world.sent().empty());
  world.comparison->hear(world.container.answers());
  CHECK(world.sent() == "rm z\nmkdir a\nmkdir b\nsave b/2\n= 2\nsave b/1\n= 1\n");
  CHECK_FALSE(world.frames->ended());
  world.comparison->hear(world.container.answers());
  CHECK(world.sent() == "save x\n= x\ncommit\n");
  CHECK(world.frames->ended());
}

TEST_CASE("5.3 a part of an answer is enough to go on") {
  World world;
  for (const char* name : {"a", "b", "c"}) world.save(file(std::string("/app/") + name, name));
  world.begin();
  world.ask();
  agent::HaveResult whole = world.container.answers(), first = whole;
  first.last = false;
  first.entries.resize(1);
  whole.entries.erase(whole.entries.begin());
  world.comparison->hear(first);
  CHECK(world.sent() == "begin\nsave a\n= a\n");
  world.comparison->hear(whole);
  CHECK(world.sent() == "save b\n= b\nsave c\n= c\ncommit\n");
}

TEST_CASE(
    "5.3 the first questions are small, there are 8 at a time, and all leave room in a session's window") {
  World world;
  for (int i = 0; i < 50'000; ++i)
    world.save(file("/app/a directory with a long name/" + std::to_string(i), "x"));
  world.begin();
  std::vector<std::size_t> sizes;
  agent::FrameWriter writer;
  std::string frames;
  while (world.comparison->curious()) {
    const auto question = world.comparison->ask(++world.request);
    sizes.push_back(question.paths.size());
    writer.append(frames, agent::Request(question));
  }
  REQUIRE(sizes.size() == 8);
  CHECK(sizes[0] < 30);
  CHECK(sizes[1] > sizes[0]);
  CHECK(sizes[7] > 10 * sizes[0]);
  CHECK(frames.size() < 128 * 1024);

  World large;
  for (int i = 0; i < 100; ++i) large.save(file("/app/" + std::to_string(i), std::string(600'000, 'x')));
  large.begin();
  sizes.clear();
  while (large.comparison->curious()) sizes.push_back(large.comparison->ask(++large.request).paths.size());
  CHECK(sizes == std::vector<std::size_t>{2, 4, 7, 14, 28, 28, 17});  // from 1 to 16 MiB to be read
}

TEST_CASE("5.3 a question that the agent cannot answer means: send it") {
  World world;
  world.save(file("/app/a", "a")).save(file("/app/b", "b")).there(file("/app/a", "a"));
  world.begin();
  world.ask();
  world.comparison->give_up(world.request);
  world.comparison->give_up(77);
  CHECK(world.sent() == "begin\nsave a\n= a\nsave b\n= b\ncommit\n");
}

TEST_CASE(
    "5.3 what is left out of an answer or comes out of order is sent; what was not asked for is nobody's") {
  World world;
  for (const char* name : {"a", "b", "c"})
    world.save(file(std::string("/app/") + name, name)).there(file(std::string("/app/") + name, name));
  world.begin();
  world.ask();
  auto answer = world.container.answers();
  std::swap(answer.entries[1], answer.entries[2]);
  answer.entries.insert(answer.entries.begin(), {.path = "x"});
  answer.entries.push_back(answer.entries.back());
  world.comparison->hear({99, answer.entries, true});
  world.comparison->hear(answer);
  CHECK(world.sent() == "begin\nsave c\n= c\ncommit\n");
}

TEST_CASE("5.3 nothing counts as there already at or below what the batch deletes") {
  for (const std::string deleted : {"/app/d", "/app/d/e", "/app/d/e/f"}) {
    CAPTURE(deleted);
    World world;
    world.remove(gone(deleted, FileType::Directory)).there(directory(deleted));
    world.save(file("/app/d/e/f", "f")).there(file("/app/d/e/f", "f"));
    world.save(file("/app/de", "g")).there(file("/app/de", "g"));
    CHECK(world.all() == "begin\nrm " + deleted.substr(5) + "\nsave d/e/f\n= f\ncommit\n");
  }
}

TEST_CASE("4.5 what only this container has goes with the batch") {
  World world;
  world.save(file("/app/a", "text")).has_extra(gone("/app/old/x", FileType::File));
  world.has_extra(gone("/app/old", FileType::Directory));
  CHECK(world.all() == "begin\nsave a\n= text\nrm old/x\nrm old\ncommit\n");
}

TEST_CASE("5.3 nothing counts as there already below what becomes another thing") {
  SUBCASE("a directory in the place of a symlink to one, through which a sync leads") {
    World world;
    world.save(directory("/app/d")).there(link_to("/app/d", "v1"));
    DeliveryWrite inner = file("/app/d/f", "f");
    inner.root = "/app/d";
    world.save(inner).there(inner);
    CHECK(world.all() == "begin\nmkdir d\nsave f\n= f\ncommit\n");
  }
  SUBCASE("a symlink that leads elsewhere from now on") {
    World world;
    DeliveryWrite inner = file("/app/d/f", "f");
    inner.root = "/app/d";
    world.save(inner).there(inner).save(link_to("/app/d", "v2")).there(link_to("/app/d", "v1"));
    CHECK(world.all() == "begin\nsave f\n= f\nln d\ncommit\n");
  }
}

TEST_CASE("4.2 of a batch that was refused only the end is sent") {
  World world;
  world.save(file("/app/a", std::string(200'000, 'x'))).save(file("/app/b", "b")).save(file("/app/c", "c"));
  world.begin();
  world.ask();
  world.comparison->hear(world.container.answers());
  const auto piece = world.frames->next();
  CHECK(piece->frames.size() >= kAgentPiece);
  CHECK(piece->frames.size() < 2 * kAgentPiece);
  CHECK(piece->then == AgentFrames::Made::More);
  world.frames->cut_short();
  CHECK(world.told(piece->frames) == "begin\nsave a\n");
  CHECK(world.sent() == "commit\n");
  CHECK(world.frames->ended());
}
