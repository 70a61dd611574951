#include "watcher/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "core/base/json.h"
#include "watcher/command_line_help.h"

namespace live_update {
namespace {

constexpr const char* kAbout =
    "Save a file, and it is in every matching container of the cluster: copied, built and restarted as a "
    "LiveUpdate says.";

constexpr const char* kMore =
    "First steps:\n"
    "  live-update validate -f liveupdate.yaml      is it correct?\n"
    "  live-update watch -f liveupdate.yaml         apply it and keep the containers up to date\n"
    "  live-update explain --changed src/main.py    why does this file (not) sync?\n"
    "\n"
    "Exit codes: 0 fine, 1 failed, 2 wrong use of the command line.";

// The place of one subcommand on the command line, and its value.
class Parser {
 public:
  explicit Parser(const std::string& program) : app_(kAbout, program) {
    app_.formatter(std::make_shared<HelpFormatter>());
    app_.footer(kMore);
    app_.set_help_flag("-h,--help", "Say this, or with a command what it does, and exit");
    app_.set_version_flag("--version", std::string("live-update ") + LIVE_UPDATE_VERSION,
                          "Say the version and exit");
    app_.require_subcommand(1);
    auto* kube = app_.add_option_group("Cluster")->group("Options for the cluster, as kubectl has them");
    kube->set_help_flag();
    kube->add_option("-n,--namespace", out_.kube.ns, "The namespace; default: that of the context")
        ->type_name("NAME");
    kube->add_option("--context", out_.kube.context,
                     "The context of the kubeconfig; default: the current one")
        ->type_name("NAME");
    kube->add_option("--kubeconfig", out_.kube.kubeconfig,
                     "The kubeconfig; default: $KUBECONFIG, ~/.kube/config")
        ->type_name("FILE");
    add_watch();
    add_push();
    add_status();
    add_explain();
    add_validate();
  }

  std::variant<CommandLine, EarlyExit> parse(std::vector<std::string> words) {
    if (words.empty()) return EarlyExit{2, app_.help()};
    for (const std::string& word : words) {
      if (word.starts_with("--") && word.ends_with('='))
        return wrong_use(word.substr(0, word.size() - 1) + " needs a value");
    }
    std::ranges::reverse(words);  // CLI11 takes them from the back
    try {
      app_.parse(words);
      return out_;
    } catch (const CLI::CallForVersion& version) {
      return EarlyExit{0, std::string(version.what()) + "\n"};
    } catch (const CLI::CallForHelp&) {
      return EarlyExit{0, app_.help()};
    } catch (const CLI::RequiredError&) {
      return wrong_use(no_command());
    } catch (const CLI::ExcludesError&) {
      return wrong_use("NAME and --filename cannot both be given");
    } catch (const CLI::ExtrasError&) {
      return wrong_use(unexpected());
    } catch (const CLI::ParseError& error) {
      return wrong_use(error.what());
    }
  }

 private:
  // A command whose value becomes `command` when it is the one that was given.
  template <typename T>
  CLI::App* add(const char* name, const char* about, T& command) {
    CLI::App* sub = app_.add_subcommand(name, about);
    sub->footer("");
    sub->fallthrough();  // -n and the like may follow the command
    sub->callback([this, &command] { out_.command = command; });
    return sub;
  }

  static void add_names(CLI::App* sub, std::vector<std::string>& names, const char* about) {
    sub->add_option("NAME", names, about)->type_name("");
  }

  // One value for each time it is given; --changed=-x takes names that begin with a dash.
  static void add_paths(CLI::App* sub, const char* name, std::vector<std::string>& paths, const char* about) {
    sub->add_option(name, paths, about)->type_name("PATH")->allow_extra_args(false)->take_all();
  }

  static void add_file(CLI::App* sub, std::string& file, const char* about) {
    sub->add_option("-f,--filename", file, about)->type_name("FILE");
  }

  static void add_root(CLI::App* sub, std::string& root) {
    sub->add_option(
           "--root", root,
           "The folder that host paths are relative to; default: the file's folder, else the current one")
        ->type_name("FOLDER");
  }

  static void add_allow_deletes(CLI::App* sub, bool& allow) {
    sub->add_flag("--allow-deletes", allow, "Delete even more than spec.source.maxDeletes paths at once");
  }

  static void add_accept_spec(CLI::App* sub, bool& accept) {
    sub->add_flag(
        "--accept-spec", accept,
        "Accept the LiveUpdate as the cluster has it now, however far it reaches into this machine");
  }

  static void add_output(CLI::App* sub, std::string& output, const std::vector<std::string>& formats) {
    std::string list;
    for (const std::string& format : formats) list += (list.empty() ? "" : "|") + format;
    sub->add_option("-o,--output", output, "The format; default: text for people")
        ->type_name(list)
        ->check(CLI::IsMember(formats).description(""));
  }

  void add_watch() {
    auto* sub =
        add("watch", "Watch the source tree and keep containers up to date until interrupted", watch_);
    add_names(sub, watch_.names, "The LiveUpdates to watch for; default: the only one of the namespace");
    add_file(sub, watch_.file, "Apply this file first, and watch for what is in it; - is standard input");
    add_root(sub, watch_.root);
    add_allow_deletes(sub, watch_.allow_deletes);
    add_accept_spec(sub, watch_.accept_spec);
    sub->add_flag("--timings", watch_.timings,
                  "Say behind each line when the save reached each stage of its way, in ms");
    sub->get_option("--filename")->excludes(sub->get_option("NAME"));
  }

  void add_push() {
    auto* sub = add(
        "push", "Send everything once, wait until it has arrived everywhere, and exit; for scripts", push_);
    add_names(sub, push_.names, "The LiveUpdates to send to; default: the only one of the namespace");
    add_file(sub, push_.file, "Apply this file first, and send to what is in it; - is standard input");
    add_root(sub, push_.root);
    add_allow_deletes(sub, push_.allow_deletes);
    add_accept_spec(sub, push_.accept_spec);
    sub->add_option("--timeout", push_.timeout_seconds, "Give up after so many seconds; default: 300")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 86'400).description(""));
    sub->get_option("--filename")->excludes(sub->get_option("NAME"));
  }

  void add_status() {
    auto* sub = add("status", "Show what the operator says: synced or not, and why", status_);
    add_names(sub, status_.names, "The LiveUpdates to show; default: all of the namespace");
    sub->add_flag("-w,--watch", status_.watch, "Show it again whenever something changes, until interrupted");
    add_output(sub, status_.output, {"wide", "json", "yaml"});
  }

  void add_explain() {
    auto* sub = add("explain", "Say what would happen to changed files, and by which rule; needs no cluster",
                    explain_);
    sub->group(kOffline);
    add_file(sub, explain_.file, "The LiveUpdate; default: liveupdate.yaml, - is standard input");
    add_root(sub, explain_.root);
    add_paths(sub, "--changed", explain_.changed,
              "A path that was written, relative to the root; may be given again");
    add_paths(sub, "--deleted", explain_.deleted, "A path that was deleted; may be given again");
    add_output(sub, explain_.output, {"json"});
    sub->footer(
        "The exit code is 1 if the LiveUpdate is invalid. A path that begins with - is given as "
        "--changed=-name.");
  }

  void add_validate() {
    auto* sub =
        add("validate", "Check a LiveUpdate file: every fault with its line and field; needs no cluster",
            validate_);
    sub->group(kOffline);
    add_file(sub, validate_.file, "The LiveUpdate; default: liveupdate.yaml, - is standard input");
    add_root(sub, validate_.root);
  }

  EarlyExit wrong_use(const std::string& what) {
    const auto given = app_.get_subcommands();
    const std::string command = app_.get_name() + (given.empty() ? "" : " " + given.front()->get_name());
    return {2, "error: " + what + "\n`" + command + " --help` says how it is used.\n"};
  }

  // What stands where the command should be.
  std::string no_command() {
    const auto words = app_.remaining();
    if (words.empty()) return "no command is given";
    const std::vector<std::string_view> known = {"watch", "push", "status", "explain", "validate"};
    const std::string_view meant = nearest(words.front(), known);
    return "unknown command " + words.front() +
           (meant.empty() ? "" : ", did you mean " + std::string(meant) + "?");
  }

  std::string unexpected() {
    const auto words = app_.remaining(true);
    const auto option =
        std::ranges::find_if(words, [](const std::string& word) { return word.starts_with('-'); });
    if (option == words.end()) return "unexpected word " + (words.empty() ? "" : words.front());
    const std::string name = option->substr(0, option->find('='));
    std::vector<std::string> known;
    for (const CLI::Option* it : app_.get_subcommands().front()->get_options())
      known.push_back(it->get_name());
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    const std::string_view meant = name.size() > 2 ? nearest(name, candidates) : "";
    return "unknown option " + name + (meant.empty() ? "" : ", did you mean " + std::string(meant) + "?");
  }

  CLI::App app_;
  CommandLine out_;
  WatchCommand watch_;
  PushCommand push_;
  StatusCommand status_;
  ExplainCommand explain_;
  ValidateCommand validate_;
};

std::string program_name(const std::string& path) {
  return std::filesystem::path(path).filename().string().starts_with("kubectl-") ? "kubectl live-update"
                                                                                 : "live-update";
}

}  // namespace

std::variant<CommandLine, EarlyExit> parse_command_line(const std::vector<std::string>& arguments) {
  const std::string program = arguments.empty() ? "" : arguments.front();
  return Parser(program_name(program))
      .parse({arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end()});
}

}  // namespace live_update
