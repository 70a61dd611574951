#include "watcher/outbox.h"

#include <algorithm>
#include <memory>

#include "core/desired/checkpoint.h"

namespace live_update {
namespace {

// Those that are there.
Unknowns unknowns_of(const std::set<std::string>& paths, const Tree& tree) {
  Unknowns all;
  for (const std::string& path : paths)
    if (tree.find(path)) all.add(path);
  return all;
}

// What is behind `sequence` and counts. In the place of what a Checkpoint stands for, that one alone.
std::vector<const ChangeSetSpec*> said_after(std::int64_t sequence,
                                             const std::vector<ChangeSet>& change_sets) {
  std::vector<std::shared_ptr<const ChangeSet>> all;  // borrowed
  for (const ChangeSet& it : change_sets) all.emplace_back(std::shared_ptr<const ChangeSet>(), &it);
  std::ranges::sort(all, {}, [](const auto& it) { return it->spec.sequence; });
  const auto checkpoint = newest_checkpoint(all);
  const std::int64_t merged = checkpoint.empty() ? 0 : checkpoint.back()->spec.sequence;
  std::vector<const ChangeSetSpec*> said;
  if (merged > sequence)
    for (const auto& it : checkpoint) said.push_back(&it->spec);
  for (const auto& it : all)
    if (!it->spec.checkpoint && it->spec.sequence > std::max(sequence, merged) &&
        it->status.phase != "Refused" && it->status.phase != "Superseded")
      said.push_back(&it->spec);
  return said;
}

}  // namespace

void Outbox::start(Tree posted, Counts counts) {
  posted_ = std::move(posted);
  counts_ = std::move(counts);
  posted_.drop_content();
  due_.clear();
  asked_.clear();
}

void Outbox::add(const DirtyPaths& dirty) {
  due_.insert(dirty.paths.begin(), dirty.paths.end());
  due_.insert(dirty.subtrees.begin(), dirty.subtrees.end());
}

std::vector<Change> Outbox::difference(const Tree& now, const Unknowns& unknown) const {
  const std::vector<std::string> paths(due_.begin(), due_.end());
  auto changes = due_.contains("") ? diff(posted_, now, unknown)
                                   : diff(part_of(posted_, paths), part_of(now, paths), unknown);
  std::erase_if(changes, [&](const Change& it) {
    return unknown.hides(it.path) || (it.op == Op::Delete && !counts_(it.path));
  });
  return changes;
}

std::vector<Change> Outbox::take(const Tree& now, const Unknowns& unknown) {
  auto changes = difference(now, unknown);
  due_.clear();
  asked_.clear();
  return changes;
}

std::size_t Outbox::waiting(const Tree& now, const Unknowns& unknown) const {
  return difference(now, unknown).size();
}

std::vector<Change> Outbox::gone(const Tree& now, const Unknowns& unknown) const {
  std::vector<Change> changes;
  for (const auto& [path, entry] : posted_.entries()) {
    const bool is_there = now.find(path) || (entry.type == FileType::Directory && now.type(path));
    if (!is_there && !unknown.spares(path) && counts_(path))
      changes.push_back({.path = path, .op = Op::Delete, .type = entry.type});
  }
  return changes;
}

void Outbox::confirm(const std::vector<ChangeSetSpec>& parts) {
  std::vector<const ChangeSetSpec*> all;
  for (const ChangeSetSpec& part : parts) all.push_back(&part);
  ChangeSetSpec batch = join(all);
  for (Change& change : batch.changes.edit()) change.content = nullptr;
  if (batch.type == ChangeSetType::Snapshot) {
    for (const auto& [path, entry] : posted_.entries())
      if (!entry.deleted && !counts_(path)) batch.unknown.push_back({path});
    posted_.doubt(Unknowns(batch.unknown));
  }
  posted_.merge(batch);
  keep_asked(parts);
}

void Outbox::keep_asked(const std::vector<ChangeSetSpec>& parts) {
  if (asked_.empty()) return;
  for (const ChangeSetSpec& part : parts)
    for (const Change& change : part.changes)
      if (change.content) asked_.erase(change.path);
  posted_.doubt(unknowns_of(asked_, posted_));
}

void Outbox::untold(const std::vector<Change>& deletes) {
  for (const Change& it : deletes)
    if (!posted_.find(it.path)) posted_.suspect(it.path, it.type);
}

void Outbox::retract(const std::vector<Change>& changes) {
  std::vector<std::string> paths;
  for (const Change& change : changes) {
    posted_.suspect(change.path, change.type);
    paths.push_back(change.path);
  }
  ask_again(paths);
}

void Outbox::ask_again(const std::vector<std::string>& paths) {
  const std::set<std::string> again(paths.begin(), paths.end());
  add_paths(again);
  asked_.insert(again.begin(), again.end());
  posted_.doubt(unknowns_of(again, posted_));
}

void Outbox::assume(const std::vector<std::string>& paths, const Tree& tree) {
  for (const std::string& path : paths)
    if (const Entry* entry = tree.find(path)) posted_.write(path, *entry);
}

bool Outbox::knows(const std::string& path) const {
  const Entry* entry = posted_.find_any(path);
  return entry && !entry->doubted;
}

std::int64_t Outbox::there() const {
  return std::ranges::count_if(posted_.entries(),
                               [&](const auto& item) { return !item.second.deleted && counts_(item.first); });
}

Tree completed(Tree base, const std::vector<ChangeSet>& change_sets) {
  base.take_from(replay(Tree(), 0, change_sets), "");
  return base;
}

Tree replay(Tree base, std::int64_t sequence, const std::vector<ChangeSet>& change_sets) {
  std::vector<const ChangeSetSpec*> parts;
  for (const ChangeSetSpec* spec : said_after(sequence, change_sets)) {
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
