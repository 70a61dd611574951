#include "watcher/watch.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>

#include "watcher/cluster.h"
#include "watcher/console.h"
#include "watcher/feed.h"
#include "watcher/manifest_file.h"
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

std::string random_session() {
  std::random_device random;
  return fmt::format("{:08x}", random());
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
  return resolved.string();
}

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
  if (!manifests) return manifests;
  const PosixFileSystem files(root);
  std::string errors;
  for (const Manifest& manifest : *manifests)
    for (const FieldError& error : check_manifest(manifest, files).errors)
      errors += (errors.empty() ? "" : "\n") + line_of(manifest, error);
  if (!errors.empty()) return fail(ErrorKind::Invalid, errors);
  return manifests;
}

// The LiveUpdates to watch; those of a file are applied first.
Result<std::vector<LiveUpdate>> prepare(Loop& loop, const Cluster& cluster, const WatchOptions& options,
                                        const std::string& root) {
  const WatchCommand& command = options.command;
  if (command.file.empty()) return choose(loop, *cluster.api, cluster.config.ns, command.names);
  auto manifests = read_file(command, root);
  if (!manifests) return std::unexpected(manifests.error());
  std::vector<LiveUpdate> chosen;
  for (const Manifest& manifest : *manifests) {
    const ObjectMeta& meta = manifest.live_update.meta;
    const ObjectKey key{meta.ns.empty() ? cluster.config.ns : meta.ns, meta.name};
    if (!command.names.empty() && std::ranges::find(command.names, key.name) == command.names.end()) continue;
    if (!options.kube.ns.empty() && key.ns != options.kube.ns)
      return fail(ErrorKind::Invalid,
                  fmt::format("{}: LiveUpdate {} is of namespace {}, but -n says {}: leave one of them out",
                              manifest.file, key.name, key.ns, options.kube.ns));
    if (auto applied = apply_live_update(loop, *cluster.api, key, manifest.json); !applied)
      return std::unexpected(applied.error());
    auto live_update = get_live_update(loop, *cluster.api, key);
    if (!live_update) return std::unexpected(live_update.error());
    chosen.push_back(std::move(*live_update));
  }
  if (chosen.empty()) return fail(ErrorKind::NotFound, "none of the LiveUpdates named is in " + command.file);
  return chosen;
}

class Watcher {
 public:
  Watcher(Loop& loop, const WatchOptions& options) : loop_(loop), options_(options) {}

  Result<> start(Cluster& cluster, const std::vector<LiveUpdate>& live_updates, const std::string& root) {
    auto user = own_name(loop_, *cluster.api, terminal_);
    if (!user) return std::unexpected(user.error());
    SessionOptions session{
        .root = root,
        .server = cluster.config.server,
        .user = std::move(*user),
        .state_directory = state_directory(environment("XDG_STATE_HOME"), environment("HOME")),
        .id = random_session(),
        .allow_deletes = options_.command.allow_deletes,
        .once = options_.once,
        .timings = options_.command.timings};
    for (const LiveUpdate& it : live_updates) {
      consoles_.push_back(
          std::make_unique<NamedConsole>(terminal_, live_updates.size() > 1 ? it.meta.name : ""));
      feeds_.push_back(std::make_unique<Feed>(loop_, *cluster.api, *consoles_.back(), key_of(it.meta),
                                              session, [this](int code) { ended(code); }));
      feeds_.back()->start();
    }
    open_ = feeds_.size();
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
      signals_.push_back(loop_.on_signal(number, [this] { loop_.stop(options_.once ? 1 : 0); }));
    if (options_.once)
      deadline_ = loop_.after(std::chrono::seconds(options_.timeout_seconds), [this] {
        terminal_.problem(fmt::format("not everywhere after {} s: live-update status shows what it waits for",
                                      options_.timeout_seconds));
        loop_.stop(1);
      });
    return {};
  }

  void end() {
    for (auto& feed : feeds_) feed->end();
  }

 private:
  void ended(int code) {
    exit_code_ = std::max(exit_code_, code);
    if (--open_ == 0) loop_.stop(exit_code_);
  }

  Loop& loop_;
  const WatchOptions& options_;
  TerminalConsole terminal_;
  std::vector<std::unique_ptr<NamedConsole>> consoles_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::vector<Handle> signals_;
  Handle deadline_;
  std::size_t open_ = 0;
  int exit_code_ = 0;
};

Result<int> watch(const WatchOptions& options) {
  auto root = resolve_root(options);
  if (!root) return std::unexpected(root.error());
  Loop loop;
  auto cluster = connect(loop, options.kube);
  if (!cluster) return std::unexpected(cluster.error());
  auto live_updates = prepare(loop, *cluster, options, *root);
  if (!live_updates) return std::unexpected(live_updates.error());
  Watcher watcher(loop, options);
  if (auto started = watcher.start(*cluster, *live_updates, *root); !started)
    return std::unexpected(started.error());
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
                          .allow_deletes = command.allow_deletes},
              .once = true,
              .timeout_seconds = command.timeout_seconds});
}

}  // namespace live_update
