#include "watcher/console.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/base/text.h"

namespace live_update {

void print(std::FILE* to, std::string_view text) {
  const std::string safe = printable(text);
  std::fwrite(safe.data(), 1, safe.size(), to);
  std::fflush(to);
}

TerminalConsole::TerminalConsole() : colour_(isatty(STDERR_FILENO) && !std::getenv("NO_COLOR")) {}

void TerminalConsole::say(const std::string& line) { print(stdout, line + '\n'); }

void TerminalConsole::problem(const std::string& line) {
  if (colour_) std::fputs("\033[33m", stderr);
  print(stderr, line);
  std::fputs(colour_ ? "\033[0m\n" : "\n", stderr);
}

}  // namespace live_update
