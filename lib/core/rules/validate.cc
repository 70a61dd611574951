#include "core/rules/validate.h"

#include <algorithm>
#include <array>

#include "core/base/path.h"
#include "core/base/text.h"
#include "core/rules/mapping.h"
#include "core/rules/pattern.h"

namespace live_update {
namespace {

constexpr std::size_t kMostTexts = 500, kMostTextCharacters = 32'768;  // paths and patterns of one spec
constexpr std::size_t kLongestWord = 128 << 10;         // MAX_ARG_STRLEN of Linux, its NUL included
constexpr std::size_t kMostCommandCharacters = 65'536;  // of all commands of one spec

std::string step_field(std::size_t step, std::string_view rest = {}) {
  return "spec.steps[" + std::to_string(step) + "]" + std::string(rest);
}

std::string entry_field(const std::string& list, std::size_t i) {
  return list + "[" + std::to_string(i) + "]";
}

// The triggers of a run or of a restart, and where they stand.
struct Triggers {
  std::string field;
  const std::vector<std::string>* texts = nullptr;
  bool always = false;
};

std::vector<Triggers> triggers_of(const LiveUpdateSpec& spec) {
  std::vector<Triggers> out;
  for (std::size_t i = 0; i < spec.steps.size(); ++i) {
    if (const auto* run = std::get_if<Run>(&spec.steps[i])) {
      out.push_back({step_field(i, ".run.triggers"), &run->triggers, run->when == RunWhen::Always});
    }
    if (const auto* restart = std::get_if<Restart>(&spec.steps[i])) {
      out.push_back({step_field(i, ".restart.triggers"), &restart->triggers, false});
    }
  }
  return out;
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Validator {
 public:
  explicit Validator(const LiveUpdateSpec& spec) : spec_(spec) {}

  std::vector<FieldError> validate() {
    target();
    names();
    source();
    order();
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      std::visit([&](const auto& step) { check(step, i); }, spec_.steps[i]);
    }
    context();
    something_updates();
    rest();
    ignored();
    pattern_cost();
    texts();
    return std::move(errors_);
  }

 private:
  void wrong(const std::string& field, std::string_view message) {
    errors_.push_back({field, std::string(message)});
  }
  void wrong(const std::string& field, const std::vector<std::string>& messages) {
    for (const std::string& message : messages) wrong(field, message);
  }
  bool has_error(const std::string& field) const {
    return std::ranges::find(errors_, field, &FieldError::field) != errors_.end();
  }
  void at_least(const std::string& field, int value, int least) {
    if (value < least) wrong(field, "must be at least " + std::to_string(least));
  }

  // Rule 1.10.
  void target() {
    const TargetSpec& target = spec_.target;
    if (target.workload.has_value() == target.selector.has_value()) {
      wrong("spec.target",
            "must have exactly one of workload and selector: workload for the pods of a Deployment or the "
            "like, selector for pods by label");
    }
    if (!target.container.empty() && !target.image.empty()) {
      wrong("spec.target", "must have at most one of container and image: leave one of them out");
    }
    if (target.workload && target.workload->kind.empty())
      wrong("spec.target.workload.kind",
            "must not be empty: write Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob or Pod");
    if (target.workload && target.workload->name.empty())
      wrong("spec.target.workload.name", "must not be empty: write the name of the workload");
    if (target.selector) selector(*target.selector);
  }

  void selector(const LabelSelector& selector) {
    if (selector.match_labels.empty() && selector.match_expressions.empty()) {
      wrong("spec.target.selector",
            "must not be empty, as that would match every pod: give matchLabels or matchExpressions");
    }
    for (std::size_t i = 0; i < selector.match_expressions.size(); ++i) {
      const auto& expression = selector.match_expressions[i];
      const std::string field = entry_field("spec.target.selector.matchExpressions", i);
      const bool needs_values = expression.op == "In" || expression.op == "NotIn";
      if (expression.key.empty()) wrong(field + ".key", "must not be empty: write the key of a label");
      if (!needs_values && expression.op != "Exists" && expression.op != "DoesNotExist") {
        wrong(field + ".operator", "must be In, NotIn, Exists or DoesNotExist");
      } else if (needs_values == expression.values.empty()) {
        wrong(field,
              "operator and values do not fit: In and NotIn need values, Exists and DoesNotExist must have "
              "none");
      }
    }
  }

  // What is printed where others read it, or becomes part of a request (rule 8.4).
  void names() {
    const TargetSpec& target = spec_.target;
    const auto among = [](std::string_view text, bool (*allowed)(char)) {
      return std::ranges::all_of(text, allowed);
    };
    if (target.workload && !among(target.workload->kind, [](char c) { return is_letter(c) || is_digit(c); }))
      wrong("spec.target.workload.kind", "must be a kind, such as Deployment: letters and digits");
    if (target.workload && !among(target.workload->name,
                                  [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '.'; }))
      wrong("spec.target.workload.name",
            "must be the name of an object: lower-case letters, digits, - and .");
    if (!among(target.container, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; }))
      wrong("spec.target.container", "must be the name of a container: lower-case letters, digits and -");
    if (!among(target.image, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; }))
      wrong("spec.target.image", "must not contain spaces or control characters: write it as in the pod");
  }

  // Rules 1.5, 2.4.
  void source() {
    const std::vector<std::string> context = spec_.source.context.value_or(std::vector<std::string>{});
    for (std::size_t i = 0; i < context.size(); ++i)
      wrong(entry_field("spec.source.context", i), host_path_errors(context[i]));
    if (!spec_.source.ignore_file.empty())
      wrong("spec.source.ignoreFile", host_path_errors(spec_.source.ignore_file));
    at_least("spec.source.maxDeletes", spec_.source.max_deletes, 0);
    const auto rules = IgnoreRules::compile(spec_, {});
    if (!rules) errors_.insert(errors_.end(), rules.error().begin(), rules.error().end());
  }

  // Rule 1.2.
  void order() {
    std::size_t highest = 0;
    std::array<int, std::variant_size_v<Step>> count{};
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      const std::size_t kind = spec_.steps[i].index();  // Step lists them in their order
      if (kind < highest)
        wrong(step_field(i),
              "must be in the order initialSync, fallBackOn, sync, run, restart: move the step to its place");
      highest = std::max(highest, kind);
      ++count[kind];
      if (count[kind] > 1 && std::holds_alternative<InitialSync>(spec_.steps[i]))
        wrong(step_field(i), "must have at most one initialSync: keep one, as the first step");
      if (count[kind] > 1 && std::holds_alternative<Restart>(spec_.steps[i]))
        wrong(step_field(i), "must have at most one restart: keep one, as the last step");
    }
  }

  void check(const InitialSync&, std::size_t) {}
  void check(const FallBackOn& step, std::size_t i) {
    patterns(step_field(i, ".fallBackOn.paths"), step.paths);
  }
  void check(const Sync& step, std::size_t i) {
    wrong(step_field(i, ".sync.from"), host_path_errors(step.from));
    wrong(step_field(i, ".sync.to"), remote_path_errors(step.to));
  }
  // Rules 1.7, 3.5.
  void check(const Run& run, std::size_t i) {
    const std::string field = step_field(i, ".run");
    if (run.command.empty() == run.shell.empty()) {
      wrong(field,
            "must have exactly one of command and shell: command is a list of words, shell a line for sh -c");
    }
    if (run.when == RunWhen::Always && run.triggers.empty()) {
      wrong(field, "must have triggers with when: Always: name the paths whose change runs it");
    }
    at_least(field + ".timeoutSeconds", run.timeout_seconds, 1);
    if (!run.working_dir.empty() && !run.working_dir.starts_with('/')) {
      wrong(field + ".workingDir",
            "must be an absolute path in the container: write it with a leading /, such as /app");
    }
    command(run, field);
    patterns(field + ".triggers", run.triggers);
  }
  // What no program can be started with: execve takes words that end with a NUL, each of a bounded size.
  void command(const Run& run, const std::string& field) {
    if (!run.command.empty() && run.command.front().empty())
      wrong(field + ".command", "must begin with the program to run, not with an empty word");
    for (std::size_t i = 0; i < run.command.size(); ++i)
      word(entry_field(field + ".command", i), run.command[i]);
    word(field + ".shell", run.shell);
    if (run.working_dir.contains('\0'))
      wrong(field + ".workingDir", "must not contain a NUL character: no file name has one");
  }
  void word(const std::string& field, const std::string& text) {
    if (text.contains('\0')) wrong(field, "must not contain a NUL character: no program can be given one");
    if (text.size() >= kLongestWord)
      wrong(field,
            "must be shorter than 128 KiB, the most that Linux takes for one word: put it into a file");
  }
  void check(const Restart& restart, std::size_t i) {
    const std::string field = step_field(i, ".restart");
    if (const auto* process = std::get_if<RestartProcess>(&restart.how)) {
      signal(field + ".process.signal", process->signal);
      at_least(field + ".process.graceSeconds", process->grace_seconds, 0);
      at_least(field + ".process.aliveSeconds", process->alive_seconds, 0);
    }
    if (const auto* it = std::get_if<RestartSignal>(&restart.how)) signal(field + ".signal", it->signal);
    patterns(field + ".triggers", restart.triggers);
  }
  void signal(const std::string& field, const std::string& name) {
    constexpr std::array<std::string_view, 11> kSignals = {"HUP",  "INT",  "QUIT", "ABRT", "KILL", "USR1",
                                                           "USR2", "ALRM", "TERM", "CONT", "WINCH"};
    if (std::ranges::find(kSignals, name) == kSignals.end())
      wrong(field, "must be HUP, INT, QUIT, ABRT, KILL, USR1, USR2, ALRM, TERM, CONT or WINCH");
  }
  void patterns(const std::string& field, const std::vector<std::string>& texts) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      wrong(entry_field(field, i), PathPattern::errors(texts[i]));
  }

  // Rule 1.6. What has an error of its own already is left out.
  void context() {
    const bool given = spec_.source.context && !spec_.source.context->empty();
    if (std::ranges::any_of(errors_,
                            [](const FieldError& it) { return it.field.starts_with("spec.source.context"); }))
      return;
    const std::vector<std::string> context = context_of(spec_);
    auto inside = [&](const std::string& field, const std::string& text, std::string_view message) {
      if (is_glob(text) || has_error(field) || in_context(clean_path(text), context)) return;
      wrong(field, clean_path(text) + " is outside of " +
                       (given ? "spec.source.context"
                              : "the context, which is here all that the steps sync or fall back on") +
                       std::string(message));
    };
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      if (const auto* sync = std::get_if<Sync>(&spec_.steps[i])) {
        const std::string field = step_field(i, ".sync.from");
        if (!has_error(field) && !in_context(clean_path(sync->from), context)) {
          wrong(field, clean_path(sync->from) +
                           " is outside of spec.source.context: add it there, or sync a path inside");
        }
      }
      const auto* fall_back_on = std::get_if<FallBackOn>(&spec_.steps[i]);
      for (std::size_t k = 0; fall_back_on && k < fall_back_on->paths.size(); ++k) {
        inside(entry_field(step_field(i, ".fallBackOn.paths"), k), fall_back_on->paths[k],
               ", whose change would never be seen: add it there");
      }
    }
    for (const Triggers& it : triggers_of(spec_)) {
      for (std::size_t k = 0; k < it.texts->size(); ++k) {
        inside(entry_field(it.field, k), (*it.texts)[k],
               given ? ", which could never fire: add it there"
                     : ", which could never fire: add it to spec.source.context, or sync it");
      }
    }
  }

  // Rule 1.3.
  void something_updates() {
    bool run = false, fires = false;
    const std::vector<std::string> context = context_of(spec_);
    for (const Step& step : spec_.steps) {
      if (std::holds_alternative<Sync>(step)) return;
      run = run || std::holds_alternative<Run>(step);
    }
    for (const Triggers& it : triggers_of(spec_)) {
      for (const std::string& text : it.always ? *it.texts : std::vector<std::string>{}) {
        const auto pattern = PathPattern::compile(text);  // a malformed one has its own error
        fires = fires || !pattern || std::ranges::any_of(context, [&](const std::string& path) {
                  return pattern->reaches_into(path);
                });
      }
    }
    if (!run) {
      wrong("spec.steps", "must have at least one sync or one run: without them nothing is ever updated");
    } else if (!fires) {
      wrong("spec.steps",
            "without any sync, some run must have when: Always and a trigger inside the context: add a sync, "
            "or such a run");
    }
  }

  void rest() {
    if (spec_.fall_back.build) {
      wrong(
          "spec.fallBack.build",
          "fallBack.build is not supported yet: builds on the developer's machine come with a later version; "
          "remove it");
    }
    if (spec_.fall_back.redeploy == Redeploy::SetImage) {
      wrong("spec.fallBack.redeploy",
            "SetImage is not supported yet: it comes with fallBack.build in a later version; use Restart or "
            "None");
    }
    at_least("spec.debounce.quietMilliseconds", spec_.debounce.quiet_milliseconds, 0);
    at_least("spec.debounce.maxMilliseconds", spec_.debounce.max_milliseconds, 0);
    if (spec_.debounce.quiet_milliseconds > spec_.debounce.max_milliseconds) {
      wrong("spec.debounce",
            "quietMilliseconds must not be greater than maxMilliseconds: make it smaller, or the other "
            "greater");
    }
  }

  // Rule 2.2.
  void ignored() {
    for (FieldError& error : ignored_sources(spec_, IgnoreRules::from_spec(spec_))) {
      if (!has_error(error.field)) errors_.push_back(std::move(error));
    }
  }

  // Every path is compared with every pattern: what that costs is bounded. spec.source.ignore alone has been asked.
  void pattern_cost() {
    std::size_t characters = 0;
    for (const std::string& text : spec_.source.ignore) characters += count_characters(text);
    auto globs = [&](const std::vector<std::string>& texts) {
      for (const std::string& text : texts) characters += is_glob(text) ? count_characters(text) : 0;
    };
    for (const Step& step : spec_.steps) {
      if (const auto* fall_back_on = std::get_if<FallBackOn>(&step)) globs(fall_back_on->paths);
    }
    for (const Triggers& it : triggers_of(spec_)) globs(*it.texts);
    if (characters <= kMostPatternCharacters || has_error("spec.source.ignore")) return;
    wrong("spec.steps",
          "must have globs of at most 8192 characters in all, together with the patterns of "
          "spec.source.ignore: use "
          "fewer or shorter ones");
  }

  // An operator holds the LiveUpdates of all: what one of them may name and run has a bound.
  void texts() {
    std::size_t count = 0, characters = 0, commands = 0;
    auto add = [&](const std::vector<std::string>& all) {
      count += all.size();
      for (const std::string& text : all) characters += count_characters(text);
    };
    add(spec_.source.context.value_or(std::vector<std::string>{}));
    add(spec_.source.ignore);
    add(spec_.source.credentials);
    for (const Step& step : spec_.steps) {
      if (const auto* it = std::get_if<FallBackOn>(&step)) add(it->paths);
      if (const auto* it = std::get_if<Sync>(&step)) add({it->from, it->to});
      if (const auto* it = std::get_if<Run>(&step)) {
        for (const std::string& word : it->command) commands += count_characters(word);
        commands += count_characters(it->shell) + count_characters(it->working_dir);
      }
    }
    for (const Triggers& it : triggers_of(spec_)) add(*it.texts);
    if (count > kMostTexts)
      wrong("spec", "must have at most 500 paths and patterns in all: name folders, or use globs");
    if (characters > kMostTextCharacters)
      wrong("spec",
            "must have at most 32768 characters in all its paths and patterns: name folders, or use globs");
    if (commands > kMostCommandCharacters)
      wrong("spec", "must have at most 65536 characters in all its commands: put long ones into scripts");
  }

  const LiveUpdateSpec& spec_;
  std::vector<FieldError> errors_;
};

}  // namespace

std::vector<FieldError> validate(const LiveUpdateSpec& spec) { return Validator(spec).validate(); }

std::vector<FieldError> ignored_sources(const LiveUpdateSpec& spec, const IgnoreRules& rules) {
  std::vector<FieldError> errors;
  auto check = [&](const std::string& field, const std::string& text, std::string_view consequence) {
    const std::string path = clean_path(text);
    const IgnoreRules::Verdict verdict = rules.check(path);
    if (!verdict.ignored || !verdict.whole || verdict.held_back()) return;  // a warning tells of the last
    errors.push_back(
        {field, path + " is ignored as a whole by " + std::string(verdict.by) + std::string(consequence)});
  };
  for (std::size_t i = 0; i < spec.steps.size(); ++i) {
    const auto* sync = std::get_if<Sync>(&spec.steps[i]);
    if (sync)
      check(step_field(i, ".sync.from"), sync->from,
            ", so nothing of it would ever be synced: change the pattern, or remove the sync");
  }
  for (const Triggers& it : triggers_of(spec)) {
    for (std::size_t k = 0; k < it.texts->size(); ++k) {
      const std::string& text = (*it.texts)[k];
      if (!is_glob(text))
        check(entry_field(it.field, k), text,
              ", so it could never fire: change the pattern, or remove the trigger");
    }
  }
  return errors;
}

}  // namespace live_update
