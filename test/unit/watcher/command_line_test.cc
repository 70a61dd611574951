#include "watcher/command_line.h"

#include <doctest/doctest.h>

using namespace live_update;

namespace {

std::variant<CommandLine, EarlyExit> parse(std::vector<std::string> words,
                                           const std::string& program = "/usr/bin/live-update") {
  words.insert(words.begin(), program);
  return parse_command_line(words);
}

CommandLine parsed(const std::vector<std::string>& words) {
  const auto line = parse(words);
  if (const auto* exit = std::get_if<EarlyExit>(&line)) FAIL(exit->text);
  return std::get<CommandLine>(line);
}

// The first line of the complaint about a wrong use.
std::string refused(const std::vector<std::string>& words) {
  const auto line = parse(words);
  REQUIRE(std::holds_alternative<EarlyExit>(line));
  const EarlyExit exit = std::get<EarlyExit>(line);
  CHECK(exit.code == 2);
  return exit.text.substr(0, exit.text.find('\n'));
}

}  // namespace

TEST_CASE("command line: options of the cluster before and after the command") {
  const CommandLine before = parsed({"-n", "shop", "--context=kind", "status", "web"});
  CHECK(before.kube.ns == "shop");
  CHECK(before.kube.context == "kind");
  CHECK(before.command == Command(StatusCommand{.names = {"web"}}));
  const CommandLine after = parsed({"status", "-w", "-o", "wide", "--kubeconfig", "f", "--namespace=shop"});
  CHECK(after.kube.ns == "shop");
  CHECK(after.kube.kubeconfig == "f");
  CHECK(after.command == Command(StatusCommand{.watch = true, .output = "wide"}));
}

TEST_CASE("command line: each command") {
  CHECK(parsed({"watch"}).command == Command(WatchCommand{}));
  CHECK(parsed({"watch", "web", "api", "--root", "."}).command ==
        Command(WatchCommand{.names = {"web", "api"}, .root = "."}));
  CHECK(parsed({"watch", "web", "--accept-spec"}).command ==
        Command(WatchCommand{.names = {"web"}, .accept_spec = true}));
  CHECK(parsed({"push", "--accept-spec"}).command == Command(PushCommand{.accept_spec = true}));
  CHECK(parsed({"watch", "-f", "-", "--allow-deletes"}).command ==
        Command(WatchCommand{.file = "-", .allow_deletes = true}));
  CHECK(parsed({"push", "web", "--timeout", "5"}).command ==
        Command(PushCommand{.names = {"web"}, .timeout_seconds = 5}));
  CHECK(parsed({"validate"}).command == Command(ValidateCommand{.file = "liveupdate.yaml"}));
  CHECK(parsed({"validate", "-f", "x.yaml", "--root", "src"}).command ==
        Command(ValidateCommand{"x.yaml", "src"}));
  CHECK(parsed({"explain", "-o", "json"}).command == Command(ExplainCommand{.output = "json"}));
}

TEST_CASE("command line: any path can be named to explain") {
  const auto paths = [](const std::vector<std::string>& words) {
    return std::get<ExplainCommand>(parsed(words).command).changed;
  };
  CHECK(paths({"explain", "--changed", "./src", "--changed", "src/", "--changed=-x",
               "--changed=--changed=y"}) == std::vector<std::string>{"./src", "src/", "-x", "--changed=y"});
  CHECK(paths({"explain", "--changed", "a,b", "--changed=a=b", "--changed", "[a]", "--changed", "{}",
               "--changed", "with space"}) ==
        std::vector<std::string>{"a,b", "a=b", "[a]", "{}", "with space"});
}

TEST_CASE("command line: a wrong use is refused with 2 and says what is wrong") {
  CHECK(refused({"nonsense"}) == "error: unknown command nonsense");
  CHECK(refused({"exlpain"}) == "error: unknown command exlpain, did you mean explain?");
  CHECK(refused({"-n", "x"}) == "error: no command is given");
  CHECK(refused({"explain", "--chnged", "a"}) == "error: unknown option --chnged, did you mean --changed?");
  CHECK(refused({"explain", "--changed", "a", "b"}) == "error: unexpected word b");
  CHECK(refused({"status", "-x"}) == "error: unknown option -x");
  CHECK(refused({"status", "--frobnicate=1"}) == "error: unknown option --frobnicate");
  CHECK(refused({"explain", "--changed="}) == "error: --changed needs a value");
  CHECK(refused({"explain", "-f"}) == "error: --filename: 1 required FILE missing");
  CHECK(refused({"explain", "-o", "xml"}) == "error: --output: xml not in {json}");
  CHECK(refused({"watch", "web", "-f", "x"}) == "error: NAME and --filename cannot both be given");
  CHECK(refused({"push", "--timeout", "0"}) == "error: --timeout: Value 0 not in range 1 to 86400");
  CHECK(refused({"push", "--timeout", "soon"}).starts_with("error: "));
  CHECK(refused({"watch", "explain", "--changed", "x"}).starts_with("error: "));
  CHECK(refused({}).starts_with("Save a file"));
}

TEST_CASE("command line: help and version are no failures") {
  const auto help = std::get<EarlyExit>(parse({"--help"}));
  CHECK(help.code == 0);
  CHECK(help.text.contains("\n  live-update COMMAND [options]\n"));
  CHECK(help.text.contains("\n  validate                Check a LiveUpdate file"));
  CHECK(help.text.contains("\n  -n, --namespace NAME    The namespace; default: that of the context\n"));
  const auto explain = std::get<EarlyExit>(parse({"explain", "-h"}));
  CHECK(explain.code == 0);
  CHECK(explain.text.contains("\n  live-update explain [options]\n"));
  CHECK_FALSE(explain.text.contains("--kubeconfig"));
  CHECK(std::get<EarlyExit>(parse({"watch", "--help"})).text.contains("--kubeconfig"));
  CHECK(std::get<EarlyExit>(parse({"--version"})).text == "live-update " LIVE_UPDATE_VERSION "\n");
  for (std::size_t begin = 0, end; (end = help.text.find('\n', begin)) != std::string::npos; begin = end + 1)
    CHECK(end - begin <= 120);
}

TEST_CASE("command line: as a plugin of kubectl") {
  const auto help = std::get<EarlyExit>(parse({"watch", "--help"}, "/home/ada/bin/kubectl-live_update"));
  CHECK(help.text.contains("\n  kubectl live-update watch [NAME...] [options]\n"));
}
