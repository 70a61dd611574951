#include "test/sim/oracle/said.h"

#include <algorithm>

#include "test/sim/oracle/naive_rules.h"

namespace live_update::sim {

void Said::add(const ChangeSet& change_set) {
  const ChangeSetSpec& spec = change_set.spec;
  Entry& entry = entries_[change_set.meta.name];
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

void Said::refuse(const std::string& name) {
  if (const auto found = entries_.find(name); found != entries_.end()) found->second.refused = true;
}

std::set<std::string> Said::paths() const {
  std::set<std::string> all;
  for (const auto& [name, entry] : entries_)
    for (const auto& [path, value] : entry.values) all.insert(path);
  return all;
}

bool Said::complete(const Entry& entry) const {
  if (entry.last == entry.sequence) return true;
  return std::ranges::any_of(entries_, [&](const auto& it) {
    return it.second.session == entry.session && it.second.sequence == entry.last;
  });
}

// A folder that goes, or becomes a file, takes all below with it; whatever a Snapshot does not name is gone, if it
// is not unknown.
std::optional<SaidValue> Said::of(const Entry& entry, const std::string& path) {
  if (const auto found = entry.values.find(path); found != entry.values.end()) return found->second;
  for (auto slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
    const auto up = entry.values.find(path.substr(0, slash));
    if (up != entry.values.end() && (!up->second || up->second->type != FileType::Directory))
      return SaidValue();
    if (slash == 0) break;
  }
  if (entry.type != ChangeSetType::Snapshot) return {};
  for (const UnknownPath& it : entry.unknown)
    if (it.below ? at_or_below_naive(path, it.path) : path == it.path) return {};
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
