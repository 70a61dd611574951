#include "test/property/story.h"

#include <algorithm>
#include <set>

#include "core/desired/history.h"
#include "core/desired/kept.h"
#include "core/rules/credentials.h"

namespace live_update::property {
namespace {

std::vector<ChangeSetSpec> in_parts(ChangeSetSpec batch, int count, Dice& dice) {
  const std::vector<Change> changes = batch.changes.all();
  std::vector<ChangeSetSpec> parts;
  std::size_t from = 0;
  for (int i = 1; i <= count; ++i) {
    ChangeSetSpec& part = parts.emplace_back(batch);
    if (i > 1) part.unknown.clear();
    const std::size_t rest = changes.size() - from;
    const std::size_t to = i == count ? changes.size() : from + dice.below(rest + 1);
    part.changes = std::vector<Change>(changes.begin() + static_cast<std::ptrdiff_t>(from),
                                       changes.begin() + static_cast<std::ptrdiff_t>(to));
    part.part = i;
    part.parts = count;
    part.sequence = batch.sequence + i - 1;
    from = to;
  }
  return parts;
}

std::shared_ptr<const ChangeSet> posted(ChangeSetSpec spec) {
  ChangeSet it;
  it.meta.ns = "shop";
  it.meta.name = change_set_name(spec.live_update, spec.session, spec.sequence);
  it.meta.created = Time(std::chrono::seconds(1000 + spec.sequence));
  it.spec = std::move(spec);
  return std::make_shared<const ChangeSet>(kept(std::move(it)));
}

bool names(const std::vector<Change>& changes, const std::string& path) {
  return std::ranges::find(changes, path, &Change::path) != changes.end();
}

// All there is; that a credential is gone must be said (rule 2.8).
ChangeSetSpec full_snapshot(const Disk& disk, const std::set<std::string>& sent_credentials) {
  ChangeSetSpec snapshot = whole_snapshot_of(disk);
  for (const std::string& path : sent_credentials)
    if (!disk.nodes().contains(path)) snapshot.changes.push_back({.path = path, .op = Op::Delete});
  return snapshot;
}

}  // namespace

Save Save::draw(Dice& dice, int size) {
  Save save{FewEdits::draw(dice, size), ChangeSetType::Delta, 1};
  if (dice.one_in(7)) save.type = ChangeSetType::Snapshot;
  if (dice.one_in(20)) save = {{}, ChangeSetType::Build, 1};
  if (dice.one_in(3)) save.parts = 2 + static_cast<int>(dice.below(2));
  return save;
}

std::vector<Save> Save::simpler() const {
  std::vector<Save> out;
  if (type != ChangeSetType::Delta) out.push_back({edits, ChangeSetType::Delta, parts});
  if (parts > 1) out.push_back({edits, type, parts - 1});
  for (FewEdits& it : edits.simpler()) out.push_back({std::move(it), type, parts});
  return out;
}

void showValue(const Save& save, std::ostream& out) {
  constexpr const char* kTypes[] = {"(", "Snapshot(", "Build("};
  out << kTypes[static_cast<int>(save.type)];
  rc::show(save.edits, out);
  out << ")";
  if (save.parts > 1) out << " in " << save.parts << " parts";
}

bool has_snapshot(const Story& story) {
  return std::ranges::find(story.all, ChangeSetType::Snapshot, &Save::type) != story.end();
}

void apply_tracked(Nodes& container, const std::vector<Change>& changes) {
  std::vector<std::string> folders;
  for (const Change& it : changes)
    if (const auto at = container.find(it.path); it.op == Op::Delete && at != container.end()) {
      if (at->second.type == FileType::Directory)
        folders.push_back(it.path);
      else
        container.erase(at);
    }
  std::ranges::sort(folders, std::greater());
  for (const std::string& it : folders)
    if (!has_below(container, it)) container.erase(it);
  std::vector<Change> writes = changes;
  std::erase_if(writes, [](const Change& it) { return it.op == Op::Delete; });
  apply_all(container, writes);
}

void Follower::take(const ChangeSetSpec& batch) {
  if (batch.type == ChangeSetType::Build) return;
  std::vector<Change> changes = batch.changes.all();
  if (batch.type == ChangeSetType::Snapshot) {
    const Unknowns unknown(batch.unknown);
    Nodes now;
    for (const auto& [path, node] : known_)
      if (unknown.spares(path) || (is_credential(path) && !names(changes, path))) put(now, path, node);
    apply_all(now, changes);
    for (const auto& [path, node] : known_)
      if (!now.contains(path)) changes.push_back({.path = path, .op = Op::Delete, .type = node.type});
    known_ = std::move(now);
  } else {
    apply_all(known_, changes);
  }
  apply_tracked(container_, changes);
}

std::string Told::text() const {
  std::string text;
  for (const auto& it : sets) text += std::to_string(it->spec.sequence) + " " + text_of(it->spec) + '\n';
  return text;
}

Nodes Told::without_unknown(Nodes container) const {
  std::erase_if(container, [&](const auto& item) { return unknown.spares(item.first); });
  return container;
}

Told told(const Edits& image, const Story& story, Dice& dice, Unreadable unreadable) {
  Told told;
  Disk disk = disk_after(has_snapshot(story) ? Edits() : image);
  Follower follower(disk.nodes());
  std::set<std::string> sent_credentials;
  std::int64_t sequence = 0;
  told.marks.push_back({0, follower.container(), follower.known()});
  for (const Save& save : story) {
    const Tree before = disk.tree();
    if (save.type != ChangeSetType::Build) disk.edit(save.edits);
    ChangeSetSpec batch = unreadable == Unreadable::Never ? delta_of(sent(before, disk.tree()))
                                                          : delta_of(diff(before, disk.tree()));
    if (save.type == ChangeSetType::Snapshot)
      batch =
          unreadable == Unreadable::Never ? full_snapshot(disk, sent_credentials) : snapshot_of(disk, dice);
    batch.type = save.type;
    batch.sequence = sequence + 1;
    follower.take(batch);
    for (const UnknownPath& it : batch.unknown) told.unknown.add(it.path, it.below);
    for (const Change& it : batch.changes) {
      if (!is_credential(it.path)) continue;
      sent_credentials.insert(it.path);
      if (unreadable == Unreadable::Sometimes) told.unknown.add(it.path, true);
    }
    for (ChangeSetSpec& part : in_parts(std::move(batch), save.parts, dice))
      told.sets.push_back(posted(std::move(part)));
    sequence += save.parts;
    told.marks.push_back({sequence, follower.container(), follower.known()});
  }
  return told;
}

}  // namespace live_update::property
