#include "watcher/explain_text.h"

#include <algorithm>
#include <map>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/mapping.h"
#include "core/rules/pattern.h"

namespace live_update {
namespace {

std::string step_name(int step, std::string_view kind) {
  return "spec.steps[" + std::to_string(step) + "]." + std::string(kind);
}

std::string count_of(std::size_t count, const std::string& thing, const std::string& things) {
  return std::to_string(count) + " " + (count == 1 ? thing : things);
}

// As one would type it in a shell.
std::string quoted(const std::vector<std::string>& command) {
  std::string out;
  for (const std::string& word : command) {
    const bool plain = !word.empty() && std::ranges::all_of(word, [](unsigned char c) {
      return std::isalnum(c) || c >= 0x80 || std::string_view("_-./=:,+@%").contains(static_cast<char>(c));
    });
    std::string text;
    for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
    out += (out.empty() ? "" : " ") + (plain ? word : "'" + text + "'");
  }
  return out;
}

class Text {
 public:
  Text(const LiveUpdateSpec& spec, const Plan& plan, const std::vector<Change>& changes)
      : spec_(spec),
        plan_(plan),
        changes_(changes),
        mapping_(spec),
        update_(std::get_if<Update>(&plan.decision)) {}

  std::string text() {
    reasons();
    std::string out = headline() + "\n";
    std::size_t widest = 0;
    for (const auto& [path, reason] : reasons_)
      widest = std::max(widest, std::min<std::size_t>(path.size(), 40));
    if (!reasons_.empty()) out += "\n";
    for (const auto& [path, reason] : reasons_) {
      out += "  " + path + std::string(path.size() < widest ? widest - path.size() : 0, ' ') + "  " + reason +
             "\n";
    }
    if (update_) out += steps();
    return out;
  }

 private:
  std::string headline() const {
    if (const auto* fall_back = std::get_if<FallBack>(&plan_.decision)) {
      const bool stop = fall_back->reason == FallBackReason::StopPath;
      return std::string("FallBack: ") +
             (stop ? "a fallBackOn path changed" : "a path changed that no sync covers") +
             ", so nothing is copied and the containers are built and deployed anew";
    }
    if (!update_)
      return reasons_.empty() ? "Nothing: no change was given, name some with --changed and --deleted"
                              : "Nothing: no change is left to apply";
    const std::size_t runs = update_->before_sync.size() + update_->after_sync.size();
    return "Update: " + count_of(update_->copies.size(), "path is", "paths are") + " copied, " +
           std::to_string(update_->deletes.size()) + " deleted, " +
           count_of(runs, "command runs", "commands run") + (update_->restart ? ", then a restart" : "");
  }

  // Later ones say more than earlier ones.
  void reasons() {
    for (const Change& change : changes_) because(change.path, otherwise(change));
    for (const std::string& path : plan_.outside) because(path, "outside of the context (" + context() + ")");
    for (const std::string& path : plan_.unmatched) because(path, unmatched());
    if (update_) {
      for (const Copy& it : update_->copies) because(it.from, copied(it));
      for (const RemoteDelete& it : update_->deletes) because(it.from, deleted(it));
    }
    for (const PathMatch& it : plan_.stopped) because(it.path, "falls back, by " + it.by);
    for (const IgnoredPath& it : plan_.ignored) because(it.path, "ignored by " + it.by);
  }
  // Names may hold line breaks and worse: one path stays one line.
  void because(const std::string& path, const std::string& reason) {
    reasons_[visible(path)] = visible(reason);
  }

  std::string context() const {
    std::string out;
    for (const std::string& path : context_of(spec_)) out += (out.empty() ? "" : ", ") + path;
    return out.empty() ? "which is empty" : out;
  }

  std::string unmatched() const {
    const bool dropped = spec_.source.on_unmatched == OnUnmatched::Ignore;
    return std::string("no sync covers it") +
           (dropped ? ": dropped, as spec.source.onUnmatched is Ignore" : ": falls back");
  }

  std::string copied(const Copy& it) const {
    const Route* route = mapping_.route(it.from);
    const bool given = std::ranges::find(changes_, it.from, &Change::path) != changes_.end();
    const std::string what = it.type == FileType::Directory ? "directory made: "
                             : it.type == FileType::Symlink ? "link copied to "
                                                            : "copied to ";
    return what + it.to + " by " + step_name(route->step, "sync") +
           (given ? "" : ", as what took its place there is deleted");
  }

  std::string deleted(const RemoteDelete& it) const {
    const std::string by = " by " + step_name(mapping_.route(it.from)->step, "sync");
    if (it.keep.empty()) return "deleted: " + it.to + by;
    return "deleted" + by + ", but " + it.to + " stays for what other files there need: " + it.keep.front() +
           (it.keep.size() > 1 ? " and " + std::to_string(it.keep.size() - 1) + " more" : "");
  }

  // Where no list of the plan says anything about a change.
  std::string otherwise(const Change& change) const {
    const Route* route = mapping_.route(change.path);
    if (route) return mapped(change, *route);
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      const Run* run = std::get_if<Run>(&spec_.steps[i]);
      for (const std::string& trigger :
           run && run->when == RunWhen::Always ? run->triggers : std::vector<std::string>{}) {
        if (PathPattern::compile(trigger)->matches(change.path)) {
          return "not synced, but it triggers " + step_name(static_cast<int>(i), "run") + " (when: Always)";
        }
      }
    }
    return "a directory alone that no sync covers: nothing to do";
  }

  std::string mapped(const Change& change, const Route& route) const {
    const std::string to = route.remote(change.path, change.type == FileType::Directory) + " by " +
                           step_name(route.step, "sync");
    if (!update_)
      return (change.op == Op::Delete              ? "would be deleted: "
              : change.type == FileType::Directory ? "directory would be made: "
                                                   : "would be copied to ") +
             to;
    if (change.op == Op::Write)
      return "not copied to " + to + ": another file goes there, and its sync is declared first";
    if (spec_.source.deletes == DeletePolicy::Never)
      return "stays as " + to + ", as spec.source.deletes is Never";
    return "deleted, but another file goes to " + to + ": that one is copied";
  }

  std::string steps() const {
    std::string out;
    auto add = [&](const std::string& label, const PlannedRun& run) {
      out += "  " + label + visible(quoted(run.command)) + "   (" + step_name(run.step, "run") + ")\n";
    };
    for (const PlannedRun& run : update_->before_sync) add("before the copy: ", run);
    for (const PlannedRun& run : update_->after_sync) add("then runs: ", run);
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      const Run* run = std::get_if<Run>(&spec_.steps[i]);
      const PlannedRun planned{static_cast<int>(i), run ? run->argv() : std::vector<std::string>{}};
      auto among = [&](const std::vector<PlannedRun>& runs) {
        return std::ranges::find(runs, planned) != runs.end();
      };
      if (run && !among(update_->before_sync) && !among(update_->after_sync)) add("not triggered: ", planned);
      if (update_->restart == static_cast<int>(i))
        out += "  then restarts" + restarted(std::get<Restart>(spec_.steps[i])) + "   (" +
               step_name(planned.step, "restart") + ")\n";
    }
    return out.empty() ? "" : "\n" + out;
  }

  static std::string restarted(const Restart& restart) {
    if (std::holds_alternative<RestartContainer>(restart.how)) return " the container";
    if (const auto* signal = std::get_if<RestartSignal>(&restart.how))
      return " by signal " + visible(signal->signal);
    return " the process";
  }

  const LiveUpdateSpec& spec_;
  const Plan& plan_;
  const std::vector<Change>& changes_;
  const Mapping mapping_;
  const Update* update_;
  std::map<std::string, std::string> reasons_;  // by path as shown
};

}  // namespace

std::string explain_text(const LiveUpdateSpec& spec, const Plan& plan, const std::vector<Change>& changes) {
  return Text(spec, plan, changes).text();
}

}  // namespace live_update
