#include "watcher/watch.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/base/text.h"
#include "core/rules/validate.h"
#include "kube/io.h"
#include "run/uv_loop.h"
#include "watcher/ceiling.h"
#include "watcher/cluster.h"
#include "watcher/consent.h"
#include "watcher/console.h"
#include "watcher/feed.h"
#include "watcher/followed_file.h"
#include "watcher/host_rules.h"
#include "watcher/manifest_file.h"
#include "watcher/session_id.h"
#include "watcher/validate.h"

namespace live_update {
namespace {

// What watch and push have in common; a push is a watch that ends.
struct WatchOptions {
  KubeOptions kube;
  WatchCommand command;
  bool once = false;
  int timeout_seconds = 0;  // of a push
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// What tells this machine from others.
std::string machine() {
  std::string id;
  std::ifstream("/etc/machine-id") >> id;
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return id + '/' + name;
}

// Rule 8.1: a file in a home folder makes all of that folder the root, which is hardly meant.
Result<> check_breadth(const std::string& root) {
  std::error_code error;
  const std::filesystem::path home = std::filesystem::canonical(environment("HOME"), error);
  const bool holds_home = !error && (home == root || home.string().starts_with(root + '/'));
  if (root != "/" && !holds_home) return {};
  return fail(
      ErrorKind::Invalid,
      fmt::format("the root would be {}, which {}: start in the project's folder, or name the root with "
                  "--root; if all of it is meant, with --root {}",
                  root, root == "/" ? "is the whole machine" : "holds your home folder", root));
}

// The root as the kernel names it, so that a manifest is found whichever way it was given.
Result<std::string> resolve_root(const WatchOptions& options) {
  std::filesystem::path root = options.command.root;
  if (root.empty() && !options.command.file.empty() && options.command.file != "-")
    root = std::filesystem::path(options.command.file).parent_path();
  if (root.empty()) root = ".";
  std::error_code error;
  const auto resolved = std::filesystem::canonical(root, error);
  if (error)
    return fail(ErrorKind::Io, fmt::format("the root {}: {}; give an existing directory with --root",
                                           root.string(), error.message()));
  if (auto narrow = check_breadth(resolved); options.command.root.empty() && !narrow)
    return std::unexpected(narrow.error());
  return resolved.string();
}

// A LiveUpdate to watch for, and how far it may reach here.
struct Chosen {
  LiveUpdate live_update;
  std::unique_ptr<Ceiling> ceiling;
  LiveUpdate file = {};  // as the file has it, if there is one
};

// The LiveUpdates that are meant, as the API server has them.
Result<std::vector<LiveUpdate>> choose(Loop& loop, ApiServer& api, const std::string& ns,
                                       const std::vector<std::string>& names) {
  std::vector<LiveUpdate> chosen;
  for (const std::string& name : names) {
    auto live_update = get_live_update(loop, api, {ns, name});
    if (!live_update) return std::unexpected(live_update.error());
    chosen.push_back(std::move(*live_update));
  }
  if (!names.empty()) return chosen;
  auto all = list_live_updates(loop, api, ns);
  if (!all || all->size() == 1) return all;
  if (all->empty())
    return fail(
        ErrorKind::NotFound,
        fmt::format("there is no LiveUpdate in namespace {}: apply one, or give its file with -f", ns));
  std::string text;
  for (const LiveUpdate& it : *all) text += (text.empty() ? "" : ", ") + it.meta.name;
  return fail(
      ErrorKind::Invalid,
      fmt::format("there are several LiveUpdates in namespace {}: name those you mean of {}", ns, text));
}

// The file's LiveUpdates, checked with the files at hand before anything is posted (rule 1.8).
Result<std::vector<Manifest>> read_file(const WatchCommand& command, const std::string& root) {
  auto manifests = read_manifests(command.file);
  if (!manifests) return fail(manifests.error().kind, visible_lines(manifests.error().message));
  const PosixFileSystem files(root);
  std::string errors;
  for (const Manifest& manifest : *manifests)
    for (const FieldError& error : check_manifest(manifest, files).errors)
      errors += (errors.empty() ? "" : "\n") + line_of(manifest, error);
  if (!errors.empty()) return fail(ErrorKind::Invalid, errors);
  return manifests;
}

// Where it is remembered what was accepted of a LiveUpdate.
AcceptedSpec accepted_spec(const Cluster& cluster, const ObjectKey& key, const std::string& root) {
  return {state_directory(environment("XDG_STATE_HOME"), environment("HOME")),
          {cluster.config.server, key.ns, key.name, root}};
}

// Who only watches may have no right to write: where there is nothing to change, nothing is written.
Result<LiveUpdate> apply_if_needed(Loop& loop, ApiServer& api, const ObjectKey& key,
                                   const Manifest& manifest) {
  auto there = get_live_update(loop, api, key);
  const bool missing = !there && there.error().kind == ErrorKind::NotFound;
  if (there && says_already(*there, manifest.live_update)) return there;
  if (!there && !missing && there.error().retryable()) return there;
  const auto applied = apply_live_update(loop, api, key, manifest.json);
  if (applied) return get_live_update(loop, api, key);
  if (applied.error().kind != ErrorKind::Forbidden) return std::unexpected(applied.error());
  return fail(
      ErrorKind::Forbidden,
      fmt::format("{}: {} {}; have it applied by somebody who may{}", applied.error().message, manifest.file,
                  missing ? "has a LiveUpdate that the cluster does not have"
                          : "says something else than the LiveUpdate in the cluster",
                  missing ? "" : ", or watch that one, without -f"));
}

// The file's LiveUpdates, after they were applied.
Result<std::vector<Chosen>> apply_file(Loop& loop, const Cluster& cluster, const WatchOptions& options,
                                       const std::string& root) {
  const WatchCommand& command = options.command;
  auto manifests = read_file(command, root);
  if (!manifests) return std::unexpected(manifests.error());
  std::vector<Chosen> chosen;
  for (const Manifest& manifest : *manifests) {
    const ObjectMeta& meta = manifest.live_update.meta;
    const ObjectKey key{meta.ns.empty() ? cluster.config.ns : meta.ns, meta.name};
    if (!command.names.empty() && std::ranges::find(command.names, key.name) == command.names.end()) continue;
    if (!options.kube.ns.empty() && key.ns != options.kube.ns)
      return fail(ErrorKind::Invalid,
                  fmt::format("{}: LiveUpdate {} is of namespace {}, but -n says {}: leave one of them out",
                              manifest.file, key.name, key.ns, options.kube.ns));
    auto live_update = apply_if_needed(loop, *cluster.api, key, manifest);
    if (!live_update) return std::unexpected(live_update.error());
    chosen.push_back({std::move(*live_update),
                      std::make_unique<Ceiling>(accepted_spec(cluster, key, root), command.file,
                                                manifest.live_update.spec),
                      manifest.live_update});
  }
  if (chosen.empty()) return fail(ErrorKind::NotFound, "none of the LiveUpdates named is in " + command.file);
  return chosen;
}

// The LiveUpdates to watch; those of a file are applied first.
Result<std::vector<Chosen>> prepare(Loop& loop, const Cluster& cluster, const WatchOptions& options,
                                    const std::string& root) {
  if (!options.command.file.empty()) return apply_file(loop, cluster, options, root);
  auto named = choose(loop, *cluster.api, cluster.config.ns, options.command.names);
  if (!named) return std::unexpected(named.error());
  std::vector<Chosen> chosen;
  for (LiveUpdate& it : *named) {
    auto ceiling = std::make_unique<Ceiling>(accepted_spec(cluster, key_of(it.meta), root));
    chosen.push_back({std::move(it), std::move(ceiling)});
  }
  return chosen;
}

// Rules 8.1 and 8.2 at the start. Where a file is given and nobody can be asked, the others begin, and this one
// waits.
Result<> settle(const Chosen& it, const WatchOptions& options, TerminalConsent& consent,
                TerminalConsole& terminal) {
  Ceiling& ceiling = *it.ceiling;
  const auto further =
      ceiling.beyond(it.live_update.spec, [&](const std::string& line) { terminal.problem(line); });
  if (further.empty()) return {};
  const bool first = !ceiling.spec();
  const auto lines =
      first ? say_reach(it.live_update, ceiling.key()) : say_further(it.live_update, ceiling, further);
  if (!options.command.accept_spec) {
    if (!consent.can_ask() && ceiling.has_file()) return {};
    for (const std::string& line : lines) terminal.problem(line);
    if (!consent.can_ask() || !consent.ask_now("Is that meant?"))
      return fail(ErrorKind::Forbidden,
                  fmt::format("nothing was sent of LiveUpdate {}: {}", to_string(key_of(it.live_update.meta)),
                              say_remedy(ceiling)));
  }
  if (auto kept = ceiling.accept(it.live_update.spec); !kept) terminal.problem(kept.error().message);
  return {};
}

class Watcher {
 public:
  Watcher(Loop& loop, const WatchOptions& options) : loop_(loop), options_(options), consent_(loop) {}

  Result<> start(Cluster& cluster, std::vector<Chosen> chosen, const std::string& root) {
    for (const Chosen& it : chosen)
      if (auto settled = settle(it, options_, consent_, terminal_); !settled) return settled;
    chosen_ = std::move(chosen);
    host_ = std::make_unique<LocalHost>(root);
    auto user = own_name(loop_, *cluster.api, terminal_);
    if (!user) return std::unexpected(user.error());
    SessionOptions session{
        .root = root,
        .server = cluster.config.server,
        .user = std::move(*user),
        .state_directory = state_directory(environment("XDG_STATE_HOME"), environment("HOME")),
        .id = make_session_id(machine(), root, static_cast<std::uint32_t>(loop_.random())),
        .allow_deletes = options_.command.allow_deletes,
        .once = options_.once,
        .timings = options_.command.timings,
        .consent = &consent_};
    for (const Chosen& it : chosen_) {
      const ObjectMeta& meta = it.live_update.meta;
      session.ceiling = it.ceiling.get();
      consoles_.push_back(std::make_unique<NamedConsole>(terminal_, chosen_.size() > 1 ? meta.name : ""));
      feeds_.push_back(std::make_unique<Feed>(loop_, *cluster.api, *host_, *consoles_.back(), key_of(meta),
                                              session, [this](int code) { ended(code); }));
      feeds_.back()->start();
    }
    open_ = feeds_.size();
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
      signals_.push_back(loop_.on_signal(number, [this] { loop_.stop(options_.once ? 1 : 0); }));
    if (options_.once)
      deadline_ = loop_.after(std::chrono::seconds(options_.timeout_seconds), [this] {
        terminal_.problem(
            fmt::format("not everywhere after {} s: live-update status shows what it waits for. What was "
                        "sent stays sent, and "
                        "still arrives when that is over",
                        options_.timeout_seconds));
        loop_.stop(1);
      });
    return {};
  }

  // What is for people, and for the file that they edit. After start.
  void attend(Cluster& cluster, const std::string& root) {
    for (const Chosen& it : chosen_) warn(it.live_update);
    follow_file(cluster, root);
  }

  void end() {
    for (auto& feed : feeds_) feed->end();
  }

 private:
  // What `validate` warns of and nothing here would ever answer: a kind that nobody knows (rule 5.1), a folder
  // that is not there.
  void warn(const LiveUpdate& live_update) {
    const FileSystem& files = host_->files();
    const Mapping mapping(live_update.spec);
    const auto rules = load_ignore_rules(live_update.spec, files);
    if (!rules) return;  // which is an error
    const DiskTree disk(files, mapping, rules->rules);
    for (const FieldError& it : warnings(live_update.spec, &disk))
      if (it.field == "spec.target.workload.kind" || it.field.ends_with(".sync.from"))
        terminal_.problem(visible("warning: " + it.field + ": " + it.message));
  }

  void follow_file(Cluster& cluster, const std::string& root) {
    const WatchCommand& command = options_.command;
    if (command.file.empty() || command.file == "-" || options_.once) return;
    FollowedFile::Watched watched;
    for (const Chosen& it : chosen_) watched.emplace(key_of(it.live_update.meta), it.file);
    file_ = std::make_unique<FollowedFile>(
        loop_, *cluster.api, terminal_, command.file, cluster.config.ns,
        [this, root] { return read_file(options_.command, root); }, std::move(watched));
  }

  void ended(int code) {
    exit_code_ = std::max(exit_code_, code);
    if (--open_ == 0) loop_.stop(exit_code_);
  }

  Loop& loop_;
  const WatchOptions& options_;
  TerminalConsole terminal_;
  TerminalConsent consent_;
  std::vector<Chosen> chosen_;
  std::unique_ptr<LocalHost> host_;
  std::vector<std::unique_ptr<NamedConsole>> consoles_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::unique_ptr<FollowedFile> file_;
  std::vector<Handle> signals_;
  Handle deadline_;
  std::size_t open_ = 0;
  int exit_code_ = 0;
};

Result<int> watch(const WatchOptions& options) {
  auto root = resolve_root(options);
  if (!root) return std::unexpected(root.error());
  UvLoop loop;
  const LoopIo io(loop);
  auto cluster = connect(loop, options.kube);
  if (!cluster) return std::unexpected(cluster.error());
  auto chosen = prepare(loop, *cluster, options, *root);
  if (!chosen) return std::unexpected(chosen.error());
  Watcher watcher(loop, options);
  if (auto started = watcher.start(*cluster, std::move(*chosen), *root); !started)
    return std::unexpected(started.error());
  watcher.attend(*cluster, *root);
  const int code = loop.run();
  watcher.end();
  return code;
}

int run(const WatchOptions& options) {
  auto code = watch(options);
  if (code) return *code;
  TerminalConsole().problem("error: " + code.error().message);
  return 1;
}

}  // namespace

int run_watch(const KubeOptions& kube, const WatchCommand& command) {
  return run({.kube = kube, .command = command});
}

int run_push(const KubeOptions& kube, const PushCommand& command) {
  return run({.kube = kube,
              .command = {.names = command.names,
                          .file = command.file,
                          .root = command.root,
                          .allow_deletes = command.allow_deletes,
                          .accept_spec = command.accept_spec},
              .once = true,
              .timeout_seconds = command.timeout_seconds});
}

}  // namespace live_update
