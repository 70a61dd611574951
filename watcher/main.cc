// live-update: the program on the developer's machine. One file per subcommand; this one chooses.
#include <cstdio>
#include <sstream>

#include "run/memory.h"
#include "watcher/command_line.h"
#include "watcher/console.h"
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
  int operator()(const ExplainCommand& command) const { return printed(explain, command); }
  int operator()(const ValidateCommand& command) const { return printed(validate, command); }

 private:
  template <typename Command>
  static int printed(int (*run)(const Command&, const FileSystem&, std::ostream&, std::ostream&),
                     const Command& command) {
    std::ostringstream out, err;
    const int code = run(command, PosixFileSystem(root_of(command.file, command.root)), out, err);
    print(stdout, out.view());
    print(stderr, err.view());
    return code;
  }
};

int run(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  if (const auto* exit = std::get_if<EarlyExit>(&parsed)) {
    print(exit->code == 0 ? stdout : stderr, exit->text);
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
