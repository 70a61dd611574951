#include "core/rules/rules_mark.h"

#include <algorithm>
#include <set>

#include "core/base/digest64.h"
#include "core/rules/mapping.h"

namespace live_update {
namespace {

void add(Digest64& mark, const TargetSpec& target) {
  if (target.workload) mark.add(target.workload->kind).add(target.workload->name);
  if (target.selector) {
    for (const auto& [key, value] : target.selector->match_labels) mark.add(key).add(value);
    for (const auto& it : target.selector->match_expressions) mark.add(it.key).add(it.op).add_all(it.values);
  }
  mark.add(target.container).add(target.image);
}

// The digests of the syncs: all behind the first word.
std::set<std::string_view> syncs_of(std::string_view mark) {
  std::set<std::string_view> syncs;
  for (auto at = mark.find(' '); at != mark.npos;) {
    const auto end = mark.find(' ', at + 1);
    syncs.insert(mark.substr(at + 1, end == mark.npos ? end : end - at - 1));
    at = end;
  }
  return syncs;
}

}  // namespace

std::string rules_mark(const LiveUpdateSpec& spec) {
  Digest64 all;
  std::string syncs;
  add(all, spec.target);
  all.add_all(context_of(spec)).add_all(spec.source.ignore);
  all.add(spec.source.on_unmatched).add(spec.source.deletes);
  if (spec.source.deletes == DeletePolicy::Mirror) all.add(spec.source.max_deletes);
  for (const Step& step : spec.steps) {
    if (const auto* it = std::get_if<FallBackOn>(&step)) all.add(step.index()).add_all(it->paths);
    if (const auto* it = std::get_if<Run>(&step); it && it->when == RunWhen::Always)
      all.add(step.index()).add_all(it->triggers);
    if (const auto* it = std::get_if<Sync>(&step)) {
      const std::string sync = Digest64().add(it->from).add(it->to).text();
      all.add(step.index()).add(sync);
      syncs += ' ' + sync;
    }
  }
  return all.text() + syncs;
}

std::string rules_mark(const std::string& of_spec, const std::vector<std::string>& other_roots) {
  if (other_roots.empty()) return of_spec;
  const auto syncs = std::min(of_spec.find(' '), of_spec.size());
  return Digest64().add(of_spec.substr(0, syncs)).add_all(other_roots).text() + of_spec.substr(syncs);
}

// Without a context all that a sync maps counts; what else counts then leads nowhere.
std::string reach_mark(const LiveUpdateSpec& spec) {
  Digest64 mark;
  if (spec.source.context && !spec.source.context->empty())
    mark.add_all(context_of(spec));
  else
    for (const Step& step : spec.steps)
      if (const auto* it = std::get_if<Sync>(&step)) mark.add(it->from);
  return mark.add_all(spec.source.ignore).text();
}

std::string baseline_mark(const LiveUpdateSpec& spec) {
  Digest64 mark;
  mark.add(reach_mark(spec));
  for (const Step& step : spec.steps)
    if (const auto* it = std::get_if<Sync>(&step)) mark.add(it->from).add(it->to);
  return mark.text();
}

bool leaves_behind(std::string_view before, std::string_view now) {
  const auto there = syncs_of(now);
  for (const std::string_view sync : syncs_of(before))
    if (!there.contains(sync)) return true;
  return false;
}

}  // namespace live_update
