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

std::vector<Change> Outbox::difference(const Tree& now, const Unknowns& unknown) const {
  if (due_.contains("")) return diff(posted_, now, unknown);
  const std::vector<std::string> paths(due_.begin(), due_.end());
  return diff(part_of(posted_, paths), part_of(now, paths), unknown);
}

std::vector<Change> Outbox::take(const Tree& now, const Unknowns& unknown) {
  auto changes = difference(now, unknown);
  due_.clear();
  return changes;
}

std::size_t Outbox::waiting(const Tree& now, const Unknowns& unknown) const {
  return difference(now, unknown).size();
}

void Outbox::confirm(const std::vector<ChangeSetSpec>& parts) {
  // A Snapshot clears what is not named in any of its parts.
  if (parts.front().type == ChangeSetType::Snapshot) {
    Unknowns unknown;
    for (const ChangeSetSpec& part : parts)
      for (const UnknownPath& it : part.unknown) unknown.add(it.path, it.below);
    posted_.keep_if([&](const std::string& path) { return unknown.spares(path); });
    posted_.doubt(unknown);
  }
  for (const ChangeSetSpec& part : parts) {
    ChangeSetSpec bare = part;
    for (Change& change : bare.changes.edit()) change.content = nullptr;
    bare.type = ChangeSetType::Delta;
    posted_.merge(bare);
  }
  posted_.drop_tombstones();
}

void Outbox::retract(const std::vector<Change>& changes) {
  std::vector<std::string> paths;
  for (const Change& change : changes) {
    if (!posted_.find(change.path)) posted_.write(change.path, {.type = change.type});
    paths.push_back(change.path);
  }
  ask_again(paths);
}

void Outbox::ask_again(const std::vector<std::string>& paths) {
  Unknowns again;
  for (const std::string& path : paths) {
    again.add(path);
    due_.insert(path);
  }
  posted_.doubt(again);
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
    if (it.spec.sequence > sequence && it.status.phase != "Refused" && it.status.phase != "Superseded")
      newer.push_back(&it.spec);
  std::ranges::sort(newer, {}, &ChangeSetSpec::sequence);
  std::vector<const ChangeSetSpec*> parts;
  for (const ChangeSetSpec* spec : newer) {
    const bool follows = !parts.empty() && spec->part == parts.back()->part + 1 &&
                         spec->parts == parts.back()->parts && spec->session == parts.back()->session &&
                         spec->sequence == parts.back()->sequence + 1;
    if (!follows) parts.clear();
    if (spec->part != static_cast<int>(parts.size()) + 1) continue;
    parts.push_back(spec);
    if (spec->part < spec->parts) continue;
    const ChangeSetSpec batch = join(parts);
    base.merge(batch);
    base.doubt(Unknowns(batch.unknown));
    parts.clear();
  }
  return base;
}

}  // namespace live_update
