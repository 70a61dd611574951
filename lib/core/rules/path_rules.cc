#include "core/rules/path_rules.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "core/rules/mapping.h"
#include "core/rules/plan.h"

namespace live_update {

namespace {

const std::string* first_match(const std::vector<PathPattern>& patterns, const std::vector<std::string>& by,
                               std::string_view path) {
  for (std::size_t i = 0; i < patterns.size(); ++i)
    if (patterns[i].matches(path)) return &by[i];
  return nullptr;
}

}  // namespace

PathRules::PathRules(const LiveUpdateSpec& spec, std::shared_ptr<const IgnoreRules> ignore)
    : ignore_(std::move(ignore)), cursor_(*ignore_), context_(context_of(spec)) {
  cost_ += ignore_->words();
  for (std::size_t i = 0; i < spec.steps.size(); ++i) {
    const int step = static_cast<int>(i);
    if (const auto* it = std::get_if<FallBackOn>(&spec.steps[i]))
      add(stops_, it->paths, step, "fallBackOn.paths");
    if (const auto* it = std::get_if<Run>(&spec.steps[i]); it && !it->triggers.empty()) {
      add(triggers_, it->triggers, step, "run.triggers");
      triggers_.back().always = it->when == RunWhen::Always;
    }
    if (const auto* it = std::get_if<Restart>(&spec.steps[i]); it && !it->triggers.empty())
      add(triggers_, it->triggers, step, "restart.triggers");
  }
}

// Malformed ones, which `validate` refuses, are left out.
void PathRules::add(std::vector<List>& lists, const std::vector<std::string>& texts, int step,
                    std::string_view field) {
  List& list = lists.emplace_back(List{.step = step, .always = false, .patterns = {}, .by = {}});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto pattern = PathPattern::compile(texts[i]);
    if (!pattern) continue;
    cost_ += pattern->words();
    list.by.push_back("spec.steps[" + std::to_string(step) + "]." + std::string(field) + "[" +
                      std::to_string(i) + "]: " + pattern->text());
    list.patterns.push_back(std::move(*pattern));
  }
}

PathRules::Said PathRules::look_up(const std::string& path) {
  Said said{
      .ignored = {}, .inside = in_context(path, context_), .stop = nullptr, .always = false, .triggered = {}};
  if (said.inside || !is_utf8(path)) said.ignored = cursor_.check(path);
  if (said.ignored.ignored || !said.inside) return said;
  for (const List& list : stops_)
    if (!said.stop) said.stop = first_match(list.patterns, list.by, path);
  for (const List& list : triggers_) {
    if (!first_match(list.patterns, list.by, path)) continue;
    said.triggered.push_back(list.step);
    said.always |= list.always;
  }
  return said;
}

const PathRules::Said& PathRules::of(const std::string& path) {
  if (const auto known = said_.find(path); known != said_.end()) return known->second;
  return note(path, Owner::Us);
}

const PathRules::Said& PathRules::note(const std::string& path, Owner owner) {
  const std::string& lasting = owner == Owner::Us ? own_.emplace_back(path) : path;
  return said_.emplace(lasting, look_up(path)).first->second;
}

void PathRules::forget() {
  said_.clear();
  own_.clear();
  of_others_.clear();
}

bool PathRules::ignored(const std::string& path) {
  const auto known = said_.find(path);
  return known != said_.end() ? known->second.ignored.ignored : cursor_.check(path).ignored;
}

bool PathRules::prepare(const std::string& path, WorkBudget& budget) {
  if (said_.contains(path)) return true;
  if (!budget.take(cost_ * (path.size() + 1))) return false;
  note(path, Owner::Us);
  return true;
}

// What is below a deleted directory on the host is asked for as well.
bool PathRules::prepare(const SharedList<Change>& changes, const HostTree& host, WorkBudget& budget) {
  bool held = false;
  for (const Change& change : changes) {
    if (!said_.contains(change.path)) {
      if (!budget.take(cost_ * (change.path.size() + 1))) return false;
      if (!std::exchange(held, true)) of_others_.push_back(changes.share());
      note(change.path, Owner::Others);
    }
    if (change.op != Op::Delete) continue;
    for (const std::string& path : host.files_below(change.path))
      if (!prepare(path, budget)) return false;
  }
  return true;
}

}  // namespace live_update
