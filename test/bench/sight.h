// Sees when files arrive in containers, without disturbing those who bring them: sleeps in inotify on the
// containers' own directories (host and containers share the kernel), and looks at a file only when its name
// was touched. Every 10 ms it looks anyway, for what inotify does not tell.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace live_update::bench {

using Clock = std::chrono::steady_clock;

// What one path of the containers should be after a save.
struct Expected {
  std::string remote;                  // absolute, as the container has it
  std::optional<std::string> content;  // none: the path is gone
};

// Milliseconds after the save; the first and the last container, and the line in the log if one was awaited.
struct Seen {
  double first = 0, last = 0, said = 0;
};

class Sight {
 public:
  Sight();
  ~Sight();
  Sight(const Sight&) = delete;

  // The containers, each as /proc/PID/root. Forgets those from before.
  void roots(std::vector<std::string> roots);
  // Ends a trial only when this file, from its present end on, has this text, too.
  void await_line(const std::string& log, const std::string& text);
  // Before the save: what it will lead to.
  void arm(std::vector<Expected> expected);
  // After the save: until all of it is everywhere. None after `patience`: lost, and lost() says what.
  std::optional<Seen> wait(Clock::time_point saved, Clock::duration patience);
  const std::string& lost() const { return lost_; }
  // Whether what the last trial expected is still so.
  bool still() const;

 private:
  struct Watch {
    std::size_t root;
    std::set<std::string> names;
  };
  bool holds(std::size_t root, const Expected& expected) const;
  void watch(std::size_t root, const std::string& remote);
  void look(std::size_t root, Clock::time_point saved, Seen& seen);
  std::set<std::size_t> sleep();  // the roots to look at
  bool line_is_there();

  int inotify_;
  std::vector<std::string> roots_;
  std::vector<Expected> expected_;
  std::vector<std::size_t> arrived_;  // by root: how many of `expected_`, in order
  std::unordered_map<int, Watch> watches_;
  std::string log_, line_, lost_;
  std::size_t log_size_ = 0;
  int log_watch_ = -1;
};

}  // namespace live_update::bench
