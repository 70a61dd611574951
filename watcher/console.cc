#include "watcher/console.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace live_update {

TerminalConsole::TerminalConsole() : colour_(isatty(STDERR_FILENO) && !std::getenv("NO_COLOR")) {}

void TerminalConsole::say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void TerminalConsole::problem(const std::string& line) {
  std::fprintf(stderr, colour_ ? "\033[33m%s\033[0m\n" : "%s\n", line.c_str());
}

}  // namespace live_update
