#include "core/rules/step_marks.h"

#include <algorithm>
#include <optional>

#include "core/base/digest64.h"

namespace live_update {
namespace {

std::string of_triggers(const std::vector<std::string>& triggers) {
  return Digest64().add_all(triggers).text();
}

StepMark mark_of(const Run& run) {
  Digest64 whole;
  whole.add_all(run.command).add(run.shell).add_all(run.triggers).add(run.when).add(run.phase);
  whole.add(run.on_failure).add(run.timeout_seconds).add(run.working_dir);
  return {"run", whole.text(), of_triggers(run.triggers)};
}

StepMark mark_of(const Restart& restart) {
  Digest64 whole;
  whole.add(restart.how.index()).add_all(restart.triggers);
  if (const auto* it = std::get_if<RestartProcess>(&restart.how))
    whole.add(it->signal).add(it->grace_seconds).add(it->alive_seconds);
  if (const auto* it = std::get_if<RestartSignal>(&restart.how)) whole.add(it->signal);
  return {"restart", whole.text(), of_triggers(restart.triggers)};
}

StepMark mark_of(const auto& /*never due*/) { return {}; }

// Which steps of `now` are what became of which of `before`.
class Matching {
 public:
  Matching(const StepMarks& before, const StepMarks& now)
      : before_(before), now_(now), taken_(now.size(), false) {}

  bool knows(int step) const {
    return step >= 0 && static_cast<std::size_t>(step) < before_.size() && !of(step).kind.empty();
  }

  std::optional<int> equal(int step) {
    if (free(step) && now_[static_cast<std::size_t>(step)] == of(step)) return take(step);
    for (int i = 0; i < size(); ++i)
      if (free(i) && now_[static_cast<std::size_t>(i)] == of(step)) return take(i);
    return std::nullopt;
  }

  std::optional<int> with_equal_triggers(int step) {
    std::optional<int> only;
    for (int i = 0; i < size(); ++i) {
      const StepMark& it = now_[static_cast<std::size_t>(i)];
      if (!free(i) || it.kind != of(step).kind || it.triggers != of(step).triggers) continue;
      if (only) return std::nullopt;
      only = i;
    }
    return only ? take(*only) : std::nullopt;
  }

  std::optional<int> in_its_place(int step) {
    const bool same_kind = free(step) && now_[static_cast<std::size_t>(step)].kind == of(step).kind;
    return same_kind ? take(step) : std::nullopt;
  }

 private:
  int size() const { return static_cast<int>(now_.size()); }
  const StepMark& of(int step) const { return before_[static_cast<std::size_t>(step)]; }
  bool free(int step) const { return step < size() && !taken_[static_cast<std::size_t>(step)]; }
  std::optional<int> take(int step) {
    taken_[static_cast<std::size_t>(step)] = true;
    return step;
  }

  const StepMarks& before_;
  const StepMarks& now_;
  std::vector<bool> taken_;  // by step of `now_`
};

}  // namespace

StepMarks marks_of(const std::vector<Step>& steps) {
  StepMarks marks;
  for (const Step& step : steps)
    marks.push_back(std::visit([](const auto& it) { return mark_of(it); }, step));
  return marks;
}

std::string to_text(const StepMark& mark) {
  return mark.kind.empty() ? "-" : mark.kind + ' ' + mark.whole + ' ' + mark.triggers;
}

StepMark mark_from(std::string_view text) {
  const auto first = text.find(' ');
  const auto second = first == text.npos ? text.npos : text.find(' ', first + 1);
  if (second == text.npos) return {};
  return {std::string(text.substr(0, first)), std::string(text.substr(first + 1, second - first - 1)),
          std::string(text.substr(second + 1))};
}

DueAgain match_due(const std::vector<int>& due, const StepMarks& before, const StepMarks& now) {
  Matching matching(before, now);
  DueAgain out;
  std::vector<int> open;
  for (const int step : due) {
    if (!matching.knows(step))
      out.dropped.push_back(step);
    else if (const auto found = matching.equal(step))
      out.due.push_back(*found);
    else
      open.push_back(step);
  }
  for (int step = 0; step < static_cast<int>(before.size()); ++step)
    if (matching.knows(step) && std::ranges::find(due, step) == due.end()) matching.equal(step);
  for (const auto next : {&Matching::with_equal_triggers, &Matching::in_its_place})
    std::erase_if(open, [&](int step) {
      const auto found = (matching.*next)(step);
      if (found) out.due.push_back(*found);
      return found.has_value();
    });
  out.dropped.insert(out.dropped.end(), open.begin(), open.end());
  std::ranges::sort(out.due);
  return out;
}

}  // namespace live_update
