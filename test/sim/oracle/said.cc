#include "test/sim/oracle/said.h"

#include <algorithm>

#include "test/sim/oracle/naive_rules.h"

namespace live_update::sim {

void Said::add(const ChangeSet& change_set) {
  const ChangeSetSpec& spec = change_set.spec;
  if (spec.checkpoint) return;  // the operator's, and no word of the developer's
  Entry& entry =
      entries_[change_set.meta.name] = {};  // a name may come again once it was refused and deleted
  entry.sequence = spec.sequence;
  entry.last = spec.sequence + spec.parts - spec.part;
  entry.session = spec.session;
  entry.type = spec.type;
  entry.unknown = spec.unknown;
  for (const Change& it : spec.changes) {
    SaidValue& value = entry.values[it.path];
    if (it.op == Op::Delete)
      value.reset();
    else
      value = SaidNode{it.type, it.mode & 0777u, it.digest, it.target};
  }
}

void Said::refuse(const std::string& name, bool refused) {
  if (const auto found = entries_.find(name); found != entries_.end()) found->second.refused = refused;
}

std::set<std::string> Said::paths() const {
  std::set<std::string> all;
  for (const auto& [name, entry] : entries_)
    for (const auto& [path, value] : entry.values) all.insert(path);
  return all;
}

bool Said::names(const std::string& path) const {
  return std::ranges::any_of(entries_, [&](const auto& it) { return it.second.values.contains(path); });
}

bool Said::complete(const Entry& entry) const {
  if (entry.last == entry.sequence) return true;
  return std::ranges::any_of(entries_, [&](const auto& it) {
    return it.second.session == entry.session && it.second.sequence == entry.last;
  });
}

// By a batch that ends before `end`.
bool Said::named_before(std::int64_t end, const std::string& path) const {
  return std::ranges::any_of(entries_, [&](const auto& it) {
    return it.second.last < end && !it.second.refused && it.second.values.contains(path);
  });
}

// A folder that becomes a file takes all below with it. One that goes takes along what somebody had named before, and
// so is what no part of a Snapshot names, if it is not unknown, which the first of its parts tell. Of what nobody had
// named they say nothing: images may have something there, and that stays (rule 4.5).
std::optional<SaidValue> Said::of(const Entry& entry, const std::string& path) const {
  if (const auto found = entry.values.find(path); found != entry.values.end()) return found->second;
  for (auto slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
    const auto up = entry.values.find(path.substr(0, slash));
    const bool gone = up != entry.values.end() && !up->second && named_before(entry.last, path);
    const bool other = up != entry.values.end() && up->second && up->second->type != FileType::Directory;
    if (gone || other) return SaidValue();
    if (slash == 0) break;
  }
  // What has something below it is a folder, though admission refused to be told so.
  const auto below = entry.values.upper_bound(path + '/');
  if (below != entry.values.end() && below->first.starts_with(path + '/') && below->second)
    return SaidNode{.type = FileType::Directory};
  if (entry.type != ChangeSetType::Snapshot || !named_before(entry.last, path)) return {};
  for (const auto& [name, part] : entries_) {
    if (part.session != entry.session || part.last != entry.last) continue;
    if (part.values.contains(path)) return {};
    for (const UnknownPath& it : part.unknown)
      if (it.below ? at_or_below_naive(path, it.path) : path == it.path) return {};
  }
  return SaidValue();
}

std::optional<std::vector<SaidValue>> Said::acceptable(const std::string& path, std::int64_t sequence) const {
  std::map<std::int64_t, std::vector<SaidValue>> by_sequence;
  for (const auto& [name, entry] : entries_) {
    if (entry.refused || !complete(entry)) continue;
    if (auto value = of(entry, path)) by_sequence[entry.last].push_back(std::move(*value));
  }
  auto later = by_sequence.upper_bound(sequence);
  if (later == by_sequence.begin()) return {};
  std::vector<SaidValue> values = std::prev(later)->second;
  for (; later != by_sequence.end(); ++later)
    values.insert(values.end(), later->second.begin(), later->second.end());
  return values;
}

}  // namespace live_update::sim
