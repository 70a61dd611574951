// live-update-agent: the small program that the operator puts into a container.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/files/content.h"
#include "agent/place.h"
#include "agent/run/supervise.h"
#include "agent/session.h"
#include "agent/system/fd.h"
#include "agent/version.h"

namespace live_update::agent {
namespace {

constexpr std::string_view kUsage =
    "usage: live-update-agent serve                             one session with the operator on stdin and "
    "stdout\n"
    "       live-update-agent supervise [--keep] [--signal TERM] -- COMMAND...\n"
    "                                                           a container's entry point: runs COMMAND, "
    "which the\n"
    "                                                           step `restart: process` then can restart\n"
    "       live-update-agent install FILE                      copies this program there, for supervise in "
    "another image\n"
    "       live-update-agent place [--process PID | --container ID] [--user UID] [--report FILE] "
    "DIRECTORY...\n"
    "                                                           copies this program into the container that "
    "the process\n"
    "                                                           belongs to: the first directory that takes "
    "it\n"
    "       live-update-agent digest [FILE...]                  sha256 of files, or of this program\n"
    "       live-update-agent --version\n";

int usage(const std::string& wrong) {
  print(2, "live-update-agent: " + wrong + "\n" + std::string(kUsage));
  return 2;
}

std::optional<unsigned> number_in(std::string_view text) {
  unsigned number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  return number;
}

// "TERM", "SIGTERM" or "15".
int signal_from(std::string_view name) {
  if (const auto number = number_in(name))
    return *number >= 1 && *number <= 64 ? static_cast<int>(*number) : 0;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int i = 1; i < NSIG; ++i) {
    const char* known = sigabbrev_np(i);
    if (known && name == known) return i;
  }
  return 0;
}

int digest(std::vector<std::string> files) {
  if (files.empty()) files.emplace_back("/proc/self/exe");
  for (const auto& file : files) {
    const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const auto found = fd ? digest_of(fd.get()) : std::expected<Digest, int>(std::unexpected(errno));
    if (!found) {
      print(2, "live-update-agent: cannot read " + file + ": " + errno_text(found.error()) + "\n");
      return 1;
    }
    print(1, digest_text(*found) + "  " + file + "\n");
  }
  return 0;
}

// "--process PID" or "--container ID", "--user UID", "--report FILE", then directories.
int place_with(const std::vector<std::string>& arguments) {
  Placing placing;
  auto at = arguments.begin();
  for (; at != arguments.end() && at->starts_with('-'); ++at) {
    const std::string& option = *at;
    if (option == "--") {
      ++at;
      break;
    }
    if (++at == arguments.end()) return usage(option + " needs a value");
    if (option == "--process" || option == "--user") {
      const auto number = number_in(*at);
      if (!number) return usage(option + ": " + *at + " is no number");
      if (option == "--user") placing.user = *number;
      if (option == "--process") placing.process = static_cast<pid_t>(*number);
    } else if (option == "--container") {
      placing.container = *at;
    } else if (option == "--report") {
      placing.report = *at;
    } else {
      return usage("place does not know " + option);
    }
  }
  placing.directories.assign(at, arguments.end());
  const bool relative =
      std::ranges::any_of(placing.directories, [](auto& it) { return !it.starts_with('/'); });
  if (placing.process < 1) return usage("--process: a process has a number from 1");
  if (placing.directories.empty() || relative) return usage("place needs absolute directories");
  return place(placing);
}

int supervise_with(const std::vector<std::string>& arguments) {
  SuperviseOptions options;
  auto at = arguments.begin();
  for (; at != arguments.end() && at->starts_with('-'); ++at) {
    if (*at == "--") {
      ++at;
      break;
    }
    if (*at == "--keep") {
      options.keep = true;
    } else if (*at == "--signal" && at + 1 != arguments.end()) {
      options.signal = signal_from(*++at);
      if (options.signal == 0) return usage("there is no signal " + *at);
    } else {
      return usage("supervise does not know " + *at);
    }
  }
  options.command.assign(at, arguments.end());
  if (options.command.empty()) return usage("supervise needs a command");
  return supervise(options);
}

int run(std::vector<std::string> arguments) {
  if (arguments.empty()) return usage("a command is missing");
  const auto command = std::move(arguments.front());
  arguments.erase(arguments.begin());
  if (command == "serve" && arguments.empty()) return Session(0, 1).run();
  if (command == "supervise") return supervise_with(arguments);
  if (command == "install" && arguments.size() == 1) return install(arguments[0]);
  if (command == "place") return place_with(arguments);
  if (command == "digest") return digest(std::move(arguments));
  if (command == "--version" || command == "--help") {
    print(1, command == "--help" ? std::string(kUsage) : std::string(kProgram) + "\n");
    return 0;
  }
  return usage("unknown command " + command);
}

}  // namespace
}  // namespace live_update::agent

int main(int count, char** words) { return live_update::agent::run({words + 1, words + count}); }
