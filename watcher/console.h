// Where the watcher tells people what happens: one line per batch, problems with their remedy.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace live_update {

// The one place where text for people leaves the program. Whatever others wrote got into it, only characters that
// a terminal shows, newlines and tabs get out: the rest is escaped (rule 8.4). Flushed at once.
void print(std::FILE* to, std::string_view text);

class Console {
 public:
  virtual ~Console() = default;
  // What was done: "src/a.py -> 3/3 pods in 11 ms".
  virtual void say(const std::string& line) = 0;
  // What somebody should look at, as long as it lasts.
  virtual void problem(const std::string& line) = 0;
  // How a save ended, badly: "src/a.py -> 3/3 pods, failed: ...".
  virtual void failure(const std::string& line) = 0;
};

// Standard output and standard error; in colour on a terminal unless NO_COLOR is set. Lines are flushed at
// once.
class TerminalConsole : public Console {
 public:
  TerminalConsole();
  void say(const std::string& line) override;
  void problem(const std::string& line) override;
  void failure(const std::string& line) override { problem(line); }

 private:
  bool colour_;
};

// Several LiveUpdates on one console: each line begins with the name. Without a name nothing is added. What is
// said once, and until when, is for those to know who say it.
class NamedConsole : public Console {
 public:
  NamedConsole(Console& to, std::string name) : to_(to), prefix_(name.empty() ? "" : name + ": ") {}
  void say(const std::string& line) override { to_.say(prefix_ + line); }
  void problem(const std::string& line) override { to_.problem(prefix_ + line); }
  void failure(const std::string& line) override { to_.failure(prefix_ + line); }

 private:
  Console& to_;
  const std::string prefix_;
};

}  // namespace live_update
