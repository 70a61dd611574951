#include "watcher/outbox.h"

#include <algorithm>

#include "core/rules/credentials.h"

namespace live_update {

void Outbox::start(Tree posted) {
  posted_ = std::move(posted);
  posted_.drop_tombstones();
  posted_.drop_content();
  due_.clear();
}

void Outbox::add(const DirtyPaths& dirty) {
  due_.insert(dirty.paths.begin(), dirty.paths.end());
  due_.insert(dirty.subtrees.begin(), dirty.subtrees.end());
}

std::vector<Change> Outbox::difference(const Tree& now) const {
  if (due_.contains("")) return diff(posted_, now);
  const std::vector<std::string> paths(due_.begin(), due_.end());
  return diff(part_of(posted_, paths), part_of(now, paths));
}

std::vector<Change> Outbox::take(const Tree& now) {
  auto changes = difference(now);
  due_.clear();
  return changes;
}

std::size_t Outbox::waiting(const Tree& now) const { return difference(now).size(); }

void Outbox::confirm(const std::vector<ChangeSetSpec>& parts) {
  for (const ChangeSetSpec& part : parts) {
    ChangeSetSpec bare = part;
    for (Change& change : bare.changes) change.content = nullptr;
    // Of a Snapshot in parts the first one clears what is not named in any of them.
    if (bare.type == ChangeSetType::Snapshot && bare.part == 1) posted_ = Tree();
    bare.type = ChangeSetType::Delta;
    posted_.merge(bare);
  }
  posted_.drop_tombstones();
}

void Outbox::assume(const std::vector<std::string>& paths, const Tree& tree) {
  for (const std::string& path : paths)
    if (const Entry* entry = tree.find(path)) posted_.write(path, *entry);
}

std::set<std::string> credentials_in(const std::vector<ChangeSet>& change_sets) {
  std::set<std::string> out;
  for (const std::string& path : replay(Tree(), 0, change_sets).below(""))
    if (is_credential(path)) out.insert(path);
  return out;
}

Tree replay(Tree base, std::int64_t sequence, const std::vector<ChangeSet>& change_sets) {
  std::vector<const ChangeSetSpec*> newer;
  for (const ChangeSet& it : change_sets)
    if (it.spec.sequence > sequence) newer.push_back(&it.spec);
  std::ranges::sort(newer, {}, &ChangeSetSpec::sequence);
  std::vector<const ChangeSetSpec*> parts;
  for (const ChangeSetSpec* spec : newer) {
    const bool follows = !parts.empty() && spec->part == parts.back()->part + 1 &&
                         spec->parts == parts.back()->parts && spec->session == parts.back()->session &&
                         spec->sequence == parts.back()->sequence + 1;
    if (!follows) parts.clear();
    if (spec->part != static_cast<int>(parts.size()) + 1) continue;
    parts.push_back(spec);
    if (spec->part == spec->parts) base.merge(join(parts)), parts.clear();
  }
  return base;
}

}  // namespace live_update
