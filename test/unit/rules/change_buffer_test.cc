#include "core/rules/change_buffer.h"

#include <doctest/doctest.h>

using namespace live_update;
using std::chrono::milliseconds;

namespace {

// Drives a buffer with milliseconds since its begin on both clocks.
struct Driver {
  ChangeBuffer buffer{Debounce{}};
  void at(int ms, FileEvent::Kind kind, std::string path) {
    buffer.add({std::move(path), kind}, instant(ms), Time(milliseconds(1000 + ms)));
  }
  void changed(int ms, std::string path) { at(ms, FileEvent::Kind::Changed, std::move(path)); }
  void writing(int ms, std::string path) { at(ms, FileEvent::Kind::Writing, std::move(path)); }
  void closed(int ms, std::string path) { at(ms, FileEvent::Kind::Closed, std::move(path)); }
  void rescan(int ms, std::string path) { at(ms, FileEvent::Kind::Rescan, std::move(path)); }
  // -1: nothing to wait for.
  int due() const {
    const auto time = buffer.due();
    return time ? static_cast<int>((*time - ChangeBuffer::Instant{}) / milliseconds(1)) : -1;
  }
  // "a b sub/*"
  std::string take(int ms) {
    const DirtyPaths dirty = buffer.take(instant(ms));
    std::string text;
    for (const auto& path : dirty.paths) text += (text.empty() ? "" : " ") + path;
    for (const auto& path : dirty.subtrees) text += (text.empty() ? "" : " ") + path + "/*";
    return text;
  }
  static ChangeBuffer::Instant instant(int ms) { return ChangeBuffer::Instant(milliseconds(ms)); }
};

}  // namespace

TEST_CASE("one saved file leaves after the quiet time") {
  Driver d;
  CHECK(d.due() == -1);
  d.writing(0, "a");
  d.closed(1, "a");
  CHECK(d.due() == 6);
  CHECK(d.take(5) == "");
  CHECK(d.take(6) == "a");
  CHECK(d.due() == -1);
  CHECK(d.buffer.empty());
}

TEST_CASE("events of one path are one, and the first event's time is kept") {
  Driver d;
  d.changed(0, "a");
  d.changed(2, "b");
  d.changed(3, "a");
  const DirtyPaths dirty = d.buffer.take(Driver::instant(8));
  CHECK(dirty.paths == std::vector<std::string>{"a", "b"});
  CHECK(dirty.observed_at == Time(milliseconds(1000)));
}

TEST_CASE("a burst without a pause leaves at the cap") {
  Driver d;
  for (int ms = 0; ms < 100; ms += 4) d.changed(ms, "f" + std::to_string(ms));
  CHECK(d.due() == 100);
  CHECK(d.take(99) == "");
  CHECK_FALSE(d.take(100).empty());
}

TEST_CASE("a file that is being written waits until it is closed, the others do not wait for it") {
  Driver d;
  d.writing(0, "big");
  d.changed(1, "a");
  CHECK(d.take(6) == "a");
  CHECK(d.due() == 100);
  d.writing(50, "big");
  d.closed(60, "big");
  CHECK(d.due() == 65);
  CHECK(d.take(65) == "big");
}

TEST_CASE("a file that is never closed leaves at the cap, again and again") {
  Driver d;
  for (int ms = 0; ms <= 100; ms += 10) d.writing(ms, "log");
  CHECK(d.due() == 100);
  CHECK(d.take(100) == "log");
  d.writing(110, "log");
  CHECK(d.due() == 210);
  CHECK(d.take(150) == "");
  CHECK(d.take(210) == "log");
}

TEST_CASE("a name that is replaced while the old file is open does not wait") {
  Driver d;
  d.writing(0, "a");
  d.changed(2, "a");
  CHECK(d.due() == 7);
}

TEST_CASE("a mode change while the file is written does not end the wait") {
  Driver d;
  d.writing(0, "a");
  d.at(1, FileEvent::Kind::Attributes, "a");
  CHECK(d.due() == 100);
}

TEST_CASE("7.2 a subtree in doubt covers what is below it") {
  Driver d;
  d.changed(0, "src/a");
  d.rescan(1, "src");
  d.rescan(1, "src/deep/er");
  d.changed(2, "src-2");
  CHECK(d.take(7) == "src-2 src/*");
  d.changed(10, "a/b");
  d.rescan(10, "");
  CHECK(d.take(15) == "/*");
}

TEST_CASE("ending takes what is not due") {
  Driver d;
  d.writing(0, "a");
  CHECK(d.buffer.take(ChangeBuffer::Instant::max()).paths == std::vector<std::string>{"a"});
  CHECK(d.buffer.empty());
}
