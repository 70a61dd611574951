// ChangeBuffer: file events in, batches of paths out.
//
// Leading edge: a batch is due when nothing has happened for the quiet time (5 ms), and no later than the cap
// (100 ms) after its first event, so that one saved file leaves at once and a branch switch leaves as one. A
// file that somebody is still writing is held back until it is closed, by itself and no longer than the cap,
// so that half a file is rarely sent. Events are hints (rule 7.2): what a path is now is read from the disk
// when the batch is taken. Pure: the time is an argument. Not thread-safe: it belongs to the loop's thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

struct FileEvent {
  enum class Kind {
    Changed,     // the path is something else now, or gone: look at it
    Writing,     // somebody has it open and writes
    Closed,      // they are done
    Attributes,  // mode, times or links: look at it, but it may still be written
    Rescan,      // doubt: look at everything below the path, too ("" is the root)
  };
  std::string path;
  Kind kind = Kind::Changed;
  bool operator==(const FileEvent&) const = default;
};

// What to look at, as one batch.
struct DirtyPaths {
  std::vector<std::string> paths;     // sorted, each once; none of them below one of `subtrees`
  std::vector<std::string> subtrees;  // sorted, none below another
  // When the first of their events came, on both clocks: latency counts from it. Both or none.
  std::optional<Time> observed_at;
  std::optional<std::chrono::steady_clock::time_point> first;
  bool empty() const { return paths.empty() && subtrees.empty(); }
};

class ChangeBuffer {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  explicit ChangeBuffer(Debounce debounce) : debounce_(debounce) {}

  // `now` and `wall` are the same moment on two clocks.
  void add(const FileEvent& event, Instant now, Time wall);

  // When to call `take`; nothing: there is nothing to wait for.
  std::optional<Instant> due() const;

  // What is due at `now`; files still being written stay. Empty before `due`.
  DirtyPaths take(Instant now);

  bool empty() const { return pending_.empty(); }
  void set_debounce(Debounce debounce) { debounce_ = debounce; }

 private:
  struct Pending {
    Instant first, last;
    Time wall;
    bool subtree = false, writing = false;
  };
  using Map = std::map<std::string, Pending>;

  Instant due(const Pending& pending) const;
  DirtyPaths extract(const std::vector<Map::iterator>& ready);

  Debounce debounce_;
  Map pending_;
};

}  // namespace live_update
