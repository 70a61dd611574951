// The rules in the domain's words: given(spec).saved("src/a.py").deleted("src/b.py").plan() is the plan as
// one line of text.
#pragma once

#include <doctest/doctest.h>

#include "core/rules/plan.h"
#include "test/fakes/host_tree.h"

namespace live_update {

inline Step sync(std::string from, std::string to) { return Sync{std::move(from), std::move(to)}; }
inline Step fall_back_on(std::vector<std::string> paths) { return FallBackOn{std::move(paths)}; }
inline Step shell(std::string line, std::vector<std::string> triggers = {}) {
  return Run{.shell = std::move(line), .triggers = std::move(triggers)};
}
inline Step always(std::string line, std::vector<std::string> triggers) {
  return Run{.shell = std::move(line), .triggers = std::move(triggers), .when = RunWhen::Always};
}
inline Step before(std::string line, std::vector<std::string> triggers = {}) {
  return Run{.shell = std::move(line), .triggers = std::move(triggers), .phase = RunPhase::BeforeSync};
}
inline Step restart(std::vector<std::string> triggers = {}) {
  return Restart{RestartProcess{}, std::move(triggers)};
}

// A valid spec with these steps; the whole root is the context.
inline LiveUpdateSpec spec_with(std::vector<Step> steps) {
  LiveUpdateSpec spec;
  spec.target.workload = {"Deployment", "web"};
  spec.source.context = {"."};
  spec.steps = std::move(steps);
  return spec;
}
inline LiveUpdateSpec without_context(LiveUpdateSpec spec) {
  spec.source.context.reset();
  return spec;
}
inline LiveUpdateSpec in(std::vector<std::string> context, LiveUpdateSpec spec) {
  spec.source.context = std::move(context);
  return spec;
}
inline LiveUpdateSpec ignoring(std::vector<std::string> patterns, LiveUpdateSpec spec) {
  spec.source.ignore = std::move(patterns);
  return spec;
}

class given {
 public:
  explicit given(LiveUpdateSpec spec) : spec_(std::move(spec)) {}

  given& ignore_file(std::string text) {
    file_ = IgnoreFile{".dockerignore", std::move(text)};
    return *this;
  }
  // On the host already, and unchanged.
  given& has(const std::string& path, FileType type = FileType::File) {
    host_.add(path, type);
    return *this;
  }
  // Written, and on the host.
  given& saved(const std::string& path, FileType type = FileType::File) {
    if (path != ".") host_.add(path, type);
    return claimed(path, type);
  }
  // Written as somebody says; the host tree does not have it.
  given& claimed(const std::string& path, FileType type = FileType::File) {
    changes_.push_back({.path = path, .type = type});
    return *this;
  }
  given& deleted(const std::string& path, FileType type = FileType::File) {
    changes_.push_back({.path = path, .op = Op::Delete, .type = type});
    return *this;
  }
  given& catching_up() {
    mode_ = PlanMode::CatchUp;
    return *this;
  }

  Plan result() const {
    const auto rules = IgnoreRules::compile(spec_, file_);
    REQUIRE(rules);
    return live_update::plan(spec_, *rules, changes_, host_, mode_);
  }

  // "copy src/a.py -> /app/a.py; rm /app/b.py; run npm install", "nothing", "fall back: StopPath Dockerfile".
  std::string plan() const {
    const Plan plan = result();
    if (std::holds_alternative<Nothing>(plan.decision)) return "nothing";
    std::string out;
    auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
    if (const auto* fall_back = std::get_if<FallBack>(&plan.decision)) {
      const bool stop = fall_back->reason == FallBackReason::StopPath;
      out = stop ? "fall back: StopPath" : "fall back: Unmatched";
      for (const PathMatch& it : plan.stopped) out += stop ? " " + it.path : "";
      for (const std::string& path : plan.unmatched) out += stop ? "" : " " + path;
      return out;
    }
    const Update& update = std::get<Update>(plan.decision);
    for (const PlannedRun& run : update.before_sync) add("first run " + run.command.back());
    for (const Copy& it : update.copies) {
      add(std::string(it.type == FileType::Directory ? "mkdir "
                      : it.type == FileType::Symlink ? "link "
                                                     : "copy ") +
          it.from + " -> " + it.to);
    }
    for (const RemoteDelete& it : update.deletes) {
      add((it.type == FileType::Directory ? "rmdir " : "rm ") + it.to);
      for (const std::string& keep : it.keep) out += " but " + keep;
    }
    for (const PlannedRun& run : update.after_sync) add("run " + run.command.back());
    if (update.restart) add("restart");
    return out.empty() ? "update" : out;
  }

  // "node_modules/x by .dockerignore:3: node_modules, whole".
  std::string ignored() const {
    std::string out;
    for (const IgnoredPath& it : result().ignored) {
      out += (out.empty() ? "" : "; ") + it.path + " by " + it.by + (it.whole ? ", whole" : "");
    }
    return out;
  }
  std::string outside() const { return joined(result().outside); }
  std::string unmatched() const { return joined(result().unmatched); }
  std::string stopped() const {
    std::string out;
    for (const PathMatch& it : result().stopped) out += (out.empty() ? "" : "; ") + it.path + " by " + it.by;
    return out;
  }

 private:
  static std::string joined(const std::vector<std::string>& paths) {
    std::string out;
    for (const std::string& path : paths) out += (out.empty() ? "" : " ") + path;
    return out;
  }

  LiveUpdateSpec spec_;
  std::optional<IgnoreFile> file_;
  FakeHostTree host_;
  std::vector<Change> changes_;
  PlanMode mode_ = PlanMode::Batch;
};

}  // namespace live_update
