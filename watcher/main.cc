// live-update: the program on the developer's machine. One file per subcommand; this one chooses.
#include <cstdio>
#include <iostream>

#include "run/memory.h"
#include "watcher/command_line.h"
#include "watcher/explain.h"
#include "watcher/status.h"
#include "watcher/validate.h"
#include "watcher/watch.h"

namespace live_update {
namespace {

struct Run {
  const KubeOptions& kube;
  int operator()(const WatchCommand& command) const { return run_watch(kube, command); }
  int operator()(const PushCommand& command) const { return run_push(kube, command); }
  int operator()(const StatusCommand& command) const { return run_status(kube, command); }
  int operator()(const ExplainCommand& command) const {
    return explain(command, PosixFileSystem(root_of(command.file, command.root)), std::cout, std::cerr);
  }
  int operator()(const ValidateCommand& command) const {
    return validate(command, PosixFileSystem(root_of(command.file, command.root)), std::cout, std::cerr);
  }
};

int run(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  if (const auto* exit = std::get_if<EarlyExit>(&parsed)) {
    std::fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  const auto& line = std::get<CommandLine>(parsed);
  return std::visit(Run{line.kube}, line.command);
}

}  // namespace
}  // namespace live_update

int main(int argc, char** argv) {
  live_update::share_one_heap();
  return live_update::run({argv, argv + argc});
}
