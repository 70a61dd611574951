#include "watcher/explain.h"

#include <algorithm>
#include <map>
#include <ostream>

#include "core/base/json.h"
#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/plan.h"
#include "watcher/explain_text.h"
#include "watcher/host_rules.h"
#include "watcher/validate.h"

namespace live_update {
namespace {

// What is asked about, by clean path. Special files are no changes (rule 4.4).
struct Question {
  std::vector<Change> changes;
  std::vector<IgnoredPath> special;
};

// What is wrong with the paths of the command line; empty: nothing.
std::string wrong_paths(const ExplainCommand& command) {
  auto wrong = [](std::string_view option, const std::vector<std::string>& paths) -> std::string {
    for (const std::string& path : paths) {
      if (const auto errors = host_path_errors(path); !errors.empty()) {
        return std::string(option) + " '" + path + "' " + errors.front();
      }
    }
    return {};
  };
  if (std::string changed = wrong("--changed", command.changed); !changed.empty()) return changed;
  if (std::string deleted = wrong("--deleted", command.deleted); !deleted.empty()) return deleted;
  for (const std::string& path : command.changed) {
    const bool both = std::ranges::any_of(command.deleted,
                                          [&](const auto& it) { return clean_path(it) == clean_path(path); });
    if (both)
      return "'" + clean_path(path) + "' is given as changed and as deleted: a path is one or the other";
  }
  return {};
}

// A path that only what it is behind a followed link is ignored for.
std::optional<IgnoredPath> ignored_behind_link(const std::string& path, const FollowedLinks& links,
                                               const IgnoreRules& rules) {
  const auto real = real_path(links, path);
  if (!real || rules.check(path).ignored) return {};
  const IgnoreRules::Verdict verdict = rules.check(*real);
  if (!verdict.ignored) return {};
  return IgnoredPath{path, std::string(verdict.by) + ", as it is " + *real, verdict.whole};
}

Question ask(const ExplainCommand& command, const FileSystem& files, const Mapping& mapping,
             const IgnoreRules& rules, const DiskTree& disk) {
  const FollowedLinks links = followed_links(mapping, files);
  std::map<std::string, Op> paths;
  for (const std::string& path : command.changed) paths[clean_path(path)] = Op::Write;
  for (const std::string& path : command.deleted) paths[clean_path(path)] = Op::Delete;
  Question out;
  for (const auto& [path, op] : paths) {
    if (auto ignored = ignored_behind_link(path, links, rules)) {
      out.special.push_back(std::move(*ignored));
    } else if (op == Op::Delete) {
      out.changes.push_back({.path = path, .op = op});
    } else if (files.look(path) == FileKind::Special) {
      out.special.push_back({path, "built in: a socket, a FIFO or a device cannot be sent", true});
    } else if (files.look(path) == FileKind::Symlink && !disk.type(path)) {
      out.special.push_back(
          {path, "built in: " + say_refused(files.end(path)) + " is not sent in the place of a sync.from",
           true});
    } else {
      out.changes.push_back({.path = path, .type = disk.type(path).value_or(FileType::File)});
    }
  }
  return out;
}

struct DecisionWords {
  const char *decision, *reason;
};
DecisionWords words_of(const Plan& plan) {
  if (const auto* fall_back = std::get_if<FallBack>(&plan.decision)) {
    return {"FallBack", fall_back->reason == FallBackReason::StopPath ? "StopPath" : "Unmatched"};
  }
  return {std::holds_alternative<Update>(plan.decision) ? "Update" : "Nothing", ""};
}

void write_restart(JsonWriter& json, const LiveUpdateSpec& spec, std::optional<int> step) {
  if (!step) return json.null("restart");
  json.object("restart", [&] {
    json.field("step", *step);
    const Restart& restart = std::get<Restart>(spec.steps[*step]);
    if (const auto* process = std::get_if<RestartProcess>(&restart.how)) {
      json.object("process", [&] {
        json.field("signal", process->signal);
        json.field("graceSeconds", process->grace_seconds);
        json.field("aliveSeconds", process->alive_seconds);
      });
    } else if (const auto* signal = std::get_if<RestartSignal>(&restart.how)) {
      json.field("signal", signal->signal);
    } else {
      json.object("container", [] {});
    }
  });
}

// The contract. `plan` is empty if there are errors.
std::string to_json(const LiveUpdateSpec& spec, const Plan& plan, const std::vector<FieldError>& errors) {
  const Update* planned = std::get_if<Update>(&plan.decision);
  const Update update = planned ? *planned : Update{};
  std::vector<std::string> deletes;
  for (const RemoteDelete& it : update.deletes) {
    if (it.keep.empty()) deletes.push_back(it.to);
  }
  std::vector<PlannedRun> runs = update.before_sync;
  runs.insert(runs.end(), update.after_sync.begin(), update.after_sync.end());

  JsonWriter json;
  auto paths_by = [&](const PathMatch& it) {
    json.object([&] { json.field("path", it.path), json.field("by", it.by); });
  };
  json.object([&] {
    const DecisionWords words = errors.empty() ? words_of(plan) : DecisionWords{"Invalid", ""};
    json.field("decision", words.decision);
    json.field("reason", words.reason);
    json.list("ignored", plan.ignored, [&](const IgnoredPath& it) {
      json.object(
          [&] { json.field("path", it.path), json.field("by", it.by), json.field("whole", it.whole); });
    });
    json.field("outside", plan.outside);
    json.field("unmatched", plan.unmatched);
    json.list("stopped", plan.stopped, paths_by);
    json.list("copies", update.copies, [&](const Copy& it) {
      json.object([&] { json.field("from", it.from), json.field("to", it.to); });
    });
    json.field("deletes", deletes);
    json.list("runs", runs, [&](const PlannedRun& it) {
      json.object([&] { json.field("step", it.step), json.field("command", it.command); });
    });
    write_restart(json, spec, update.restart);
    json.list("errors", errors, [&](const FieldError& it) {
      json.object([&] { json.field("field", it.field), json.field("message", it.message); });
    });
  });
  return visible_json(json.take());
}

int invalid(const ExplainCommand& command, const Manifest& manifest, const std::vector<FieldError>& errors,
            std::ostream& out) {
  if ((command.output == "json")) {
    out << to_json(manifest.live_update.spec, {}, errors) << '\n';
  } else {
    out << "Invalid: " << visible(manifest.file)
        << " breaks the rules of a LiveUpdate, so no change is applied\n\n";
    for (const FieldError& error : errors) out << "  " << line_of(manifest, error) << '\n';
  }
  return 1;
}

// A file that is no LiveUpdate at all.
int unreadable(const ExplainCommand& command, const Error& error, std::ostream& out) {
  if ((command.output == "json")) {
    out << to_json({}, {}, {{"", error.message}}) << '\n';
  } else {
    out << "Invalid: " << visible_lines(error.message) << '\n';
  }
  return 1;
}

int usage(std::ostream& err, const std::string& message) {
  err << "explain: " << visible_lines(message) << '\n';
  return 2;
}

}  // namespace

int explain(const ExplainCommand& command, const FileSystem& files, std::ostream& out, std::ostream& err) {
  return explain(read_manifests(command.file), command, files, out, err);
}

int explain(const Result<std::vector<Manifest>>& manifests, const ExplainCommand& command,
            const FileSystem& files, std::ostream& out, std::ostream& err) {
  if (const std::string wrong = wrong_paths(command); !wrong.empty()) return usage(err, wrong);
  if (files.follow(".") != FileKind::Directory)
    return usage(err, "the root " + files.root() + " is no directory: give one with --root");
  if (!manifests && manifests.error().kind == ErrorKind::Io) return usage(err, manifests.error().message);
  if (!manifests) return unreadable(command, manifests.error(), out);
  if (manifests->size() > 1) {
    return usage(err, manifests->front().file + " has " + std::to_string(manifests->size()) +
                          " objects: explain takes one LiveUpdate");
  }
  const Manifest& manifest = manifests->front();
  const LiveUpdateSpec& spec = manifest.live_update.spec;
  const Checked checked = check_manifest(manifest, files);
  if (!checked.errors.empty()) return invalid(command, manifest, checked.errors, out);

  const Mapping mapping(spec);
  const DiskTree disk(files, mapping, checked.rules);
  const Question question = ask(command, files, mapping, checked.rules, disk);
  Plan planned = plan(spec, checked.rules, question.changes, disk);
  if (!planned.refused.empty()) return invalid(command, manifest, planned.refused, out);
  planned.ignored.insert(planned.ignored.end(), question.special.begin(), question.special.end());
  std::ranges::sort(planned.ignored, {}, &IgnoredPath::path);
  if ((command.output == "json")) {
    out << to_json(spec, planned, {}) << '\n';
  } else {
    out << explain_text(spec, planned, question.changes);
  }
  return 0;
}

}  // namespace live_update
