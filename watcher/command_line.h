// The command line of `live-update` (also `kubectl live-update`): from words to one command as a value.
// Prints and does nothing.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "kube/kubeconfig.h"

namespace live_update {

struct WatchCommand {
  std::vector<std::string> names;  // of LiveUpdates; none: the only one of the namespace
  std::string file;                // -f: applied first; "-" is standard input; empty: not given
  std::string root;                // --root; empty: the file's folder, else the current one
  bool allow_deletes = false;      // rule 7.4
  bool accept_spec = false;        // rule 8.1
  bool timings = false;            // --timings
  bool operator==(const WatchCommand&) const = default;
};
struct PushCommand {
  std::vector<std::string> names;
  std::string file, root;
  bool allow_deletes = false;
  bool accept_spec = false;
  int timeout_seconds = 300;
  bool operator==(const PushCommand&) const = default;
};
struct StatusCommand {
  std::vector<std::string> names;  // none: all of the namespace
  bool watch = false;
  std::string output;  // "", wide, json, yaml
  bool operator==(const StatusCommand&) const = default;
};
struct ExplainCommand {
  std::string file = "liveupdate.yaml", root;
  std::vector<std::string> changed, deleted;
  std::string output;  // "" or json
  bool operator==(const ExplainCommand&) const = default;
};
struct ValidateCommand {
  std::string file = "liveupdate.yaml", root;
  bool operator==(const ValidateCommand&) const = default;
};
using Command = std::variant<WatchCommand, PushCommand, StatusCommand, ExplainCommand, ValidateCommand>;

struct CommandLine {
  KubeOptions kube;  // -n, --context, --kubeconfig
  Command command;
};

// There is nothing to do but to say this: help and the version (0, on standard output), or a wrong use (2, on
// standard error).
struct EarlyExit {
  int code = 0;
  std::string text;
};

// `arguments` begins with the program's name: one that begins with kubectl- makes the help speak of `kubectl
// live-update`.
std::variant<CommandLine, EarlyExit> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace live_update
