#include "operator/exec/stdin_feed.h"

#include <doctest/doctest.h>

#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"
#include "test/fakes/turns.h"

using namespace live_update;

namespace {

// A command that gets what the feed sends.
struct Fed {
  Fed() {
    api.on_exec = [this](FakeExec& it) { exec = it; };
    session = api.exec({"shop", "web-1", "web", {"cat"}, true}, {});
    feed.attach(*session);
  }
  // These pieces, and how often it was asked for one.
  void stream(std::vector<Result<Chunk>> pieces) {
    feed.stream([this, pieces = std::move(pieces)]() -> Result<Chunk> { return pieces.at(asked++); });
    turn(loop);
  }
  std::string told() const { return exec->input(); }

  UvLoop loop;
  FakeApiServer api{loop};
  std::optional<FakeExec> exec;
  std::size_t asked = 0;
  int ends = 0;
  std::string broken;
  StdinFeed feed{
      [this](Millis delay, Callback work) { return loop.after(delay, std::move(work)); },
      {.on_end = [this] { ++ends; }, .on_broken = [this](Error error) { broken = error.message; }}};
  std::unique_ptr<ExecSession> session;
};

}  // namespace

TEST_CASE("the end of a stream is what says so, whatever the sizes") {
  const std::string large(300'000, 'x');
  for (const auto& last : {std::string(), std::string("z"), large}) {
    Fed fed;
    fed.stream({Chunk{"a"}, Chunk{""}, Chunk{large}, Chunk{""}, Chunk{"b"}, Chunk{last, Chunk::End}});
    CHECK(fed.told() == "a" + large + "b" + last);
    CHECK(fed.asked == 6);
    CHECK(fed.ends == 1);
  }
}

TEST_CASE("one source after the other, and what is said meanwhile between two pieces") {
  Fed fed;
  fed.feed.stream([&]() -> Result<Chunk> {
    fed.feed.stream([] { return Chunk{"second", Chunk::End}; });
    return Chunk{"first ", Chunk::End};
  });
  fed.feed.send(" word");
  turn(fed.loop);
  CHECK(fed.told() == "first second word");
  CHECK(fed.ends == 2);
}

TEST_CASE("a piece that is empty has its source asked again on a later turn only") {
  Fed fed;
  int asked = 0;
  fed.feed.stream([&]() -> Result<Chunk> { return Chunk{"", ++asked < 5 ? Chunk::More : Chunk::End}; });
  CHECK(asked == 1);
  turn(fed.loop);
  CHECK(asked == 5);
}

TEST_CASE("no more than 256 KiB, and the piece that fills it, are under way") {
  Fed fed;
  std::size_t asked = 0;
  fed.feed.stream([&]() -> Result<Chunk> {
    return Chunk{std::string(100'000, 'x'), ++asked == 100 ? Chunk::End : Chunk::More};
  });
  CHECK(asked == 3);
  turn(fed.loop, 400);
  CHECK(asked == 100);
  CHECK(fed.told().size() == 10'000'000);
}

TEST_CASE("a source that fails is said once, and none is asked any more") {
  Fed fed;
  fed.feed.stream([] { return Chunk{std::string(100'000, 'x')}; });
  fed.feed.stop();
  turn(fed.loop);
  Fed other;
  other.stream({Chunk{"a"}, fail(ErrorKind::Invalid, "no digest"), Chunk{"b", Chunk::End}});
  CHECK(other.broken == "no digest");
  CHECK(other.told() == "a");
  CHECK(other.asked == 2);
  CHECK(other.ends == 0);
}
