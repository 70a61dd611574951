#include "core/desired/tree.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "core/rules/credentials.h"

namespace live_update {
namespace {

bool is_root(const std::string& directory) { return directory.empty() || directory == "."; }

// Where the paths below `directory` begin and end in byte order: '0' follows '/'.
template <typename Map>
auto range_below(Map& map, const std::string& directory) {
  if (is_root(directory)) return std::pair(map.begin(), map.end());
  return std::pair(map.lower_bound(directory + '/'), map.lower_bound(directory + '0'));
}

// Calls `visit` for "a", then "a/b", for the path "a/b/c".
template <typename Visit>
void for_each_parent(const std::string& path, Visit visit) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
    visit(path.substr(0, slash));
}

Entry entry_of(const Change& change) {
  Entry entry{.type = change.type,
              .mode = change.mode,
              .mtime = change.mtime,
              .size = change.size,
              .digest = change.digest,
              .target = change.target};
  if (change.content) entry.pieces.push_back({change.offset, change.encoding, change.content});
  return entry;
}

// A directory that has no entry in `other`, but something below it there.
bool is_implied(const Tree::Map::value_type& item, const Tree& other) {
  return item.second.type == FileType::Directory && other.type(item.first) == FileType::Directory;
}

}  // namespace

bool Entry::same_state(const Entry& other) const {
  if (deleted != other.deleted || type != other.type || doubted || other.doubted) return false;
  if (deleted || type == FileType::Directory) return true;
  if (type == FileType::Symlink) return target == other.target;
  return digest == other.digest && mode == other.mode;
}

bool Entry::has_content() const {
  return type != FileType::File || size == 0 || (!pieces.empty() && pieces.front().offset == 0);
}

void Tree::bury(Entry& entry, FileType type) { entry = Entry{.type = type, .deleted = true}; }

void Tree::bury_below(const std::string& directory) {
  auto [begin, end] = range_below(entries_, directory);
  for (; begin != end; ++begin)
    if (!begin->second.deleted) bury(begin->second, begin->second.type);
}

void Tree::remove(const std::string& path, FileType type) {
  bury_below(path);
  bury(entries_[path], type);
}

void Tree::write(const std::string& path, Entry entry) {
  for_each_parent(path, [&](const std::string& parent) {
    auto found = entries_.find(parent);
    if (found != entries_.end() && (found->second.deleted || found->second.type != FileType::Directory))
      entries_.erase(found);
  });
  if (entry.type != FileType::Directory) bury_below(path);
  entries_[path] = std::move(entry);
}

void Tree::forget(const std::string& path) {
  forget_below(path);
  entries_.erase(path);
}

void Tree::forget_below(const std::string& directory) {
  auto [begin, end] = range_below(entries_, directory);
  entries_.erase(begin, end);
}

void Tree::write_change(const Change& change) {
  Entry entry = entry_of(change);
  const Entry* old = find(change.path);
  const bool same_bytes =
      old && old->type == FileType::File && change.type == FileType::File && old->digest == change.digest;
  if (same_bytes && !change.content) entry.pieces = old->pieces;
  if (same_bytes && change.content && change.offset > 0) {
    entry.pieces = old->pieces;
    std::erase_if(entry.pieces, [&](const Piece& piece) { return piece.offset >= change.offset; });
    entry.pieces.push_back({change.offset, change.encoding, change.content});
  }
  write(change.path, std::move(entry));
}

void Tree::bury_unnamed(const ChangeSetSpec& snapshot) {
  Unknowns unknown(snapshot.unknown);
  std::set<std::string_view> named;
  for (const Change& change : snapshot.changes) named.insert(change.path);
  const auto is_left_out = [&](const auto& item) {
    return !item.second.deleted && !named.contains(item.first);
  };
  // Hosts hold credentials back (rule 2.8): that one is not named does not mean that it is gone, nor its folder.
  for (const auto& item : entries_)
    if (is_left_out(item) && is_credential(item.first)) unknown.add(item.first);
  for (auto& item : entries_)
    if (is_left_out(item) && !unknown.spares(item.first)) bury(item.second, item.second.type);
  // It is there again: an older word that it is gone holds no more.
  if (!unknown.empty())
    std::erase_if(entries_,
                  [&](const auto& item) { return item.second.deleted && unknown.names(item.first); });
}

void Tree::merge(const ChangeSetSpec& batch) {
  if (batch.type == ChangeSetType::Build) return;
  if (batch.type == ChangeSetType::Snapshot) bury_unnamed(batch);
  for (const Change& change : batch.changes)
    if (change.op == Op::Delete) remove(change.path, change.type);
  for (const Change& change : batch.changes)
    if (change.op == Op::Write) write_change(change);
}

const Entry* Tree::find_any(const std::string& path) const {
  auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

const Entry* Tree::find(const std::string& path) const {
  const Entry* entry = find_any(path);
  return entry && !entry->deleted ? entry : nullptr;
}

bool Tree::names_below(const std::string& directory) const {
  const auto [begin, end] = range_below(entries_, directory);
  return begin != end;
}

std::vector<std::string> Tree::below(const std::string& directory) const {
  std::vector<std::string> paths;
  auto [begin, end] = range_below(entries_, directory);
  for (; begin != end; ++begin)
    if (!begin->second.deleted) paths.push_back(begin->first);
  return paths;
}

std::optional<FileType> Tree::type(const std::string& path) const {
  if (is_root(path)) return FileType::Directory;
  if (const Entry* entry = find(path)) return entry->type;
  auto [begin, end] = range_below(entries_, path);
  const bool implied = std::any_of(begin, end, [](const auto& item) { return !item.second.deleted; });
  return implied ? std::optional(FileType::Directory) : std::nullopt;
}

std::vector<std::string> Tree::files_below(const std::string& directory) const {
  std::vector<std::string> paths;
  auto [begin, end] = range_below(entries_, directory);
  for (; begin != end; ++begin)
    if (!begin->second.deleted && begin->second.type != FileType::Directory) paths.push_back(begin->first);
  return paths;
}

std::vector<Change> Tree::changes() const {
  std::vector<Change> changes;
  changes.reserve(entries_.size());
  for (const auto& [path, entry] : entries_) changes.push_back(change_to(path, entry));
  return changes;
}

std::size_t Tree::size() const {
  return std::ranges::count_if(entries_, [](const auto& item) { return !item.second.deleted; });
}

std::uint64_t Tree::content_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, entry] : entries_)
    for (const Piece& piece : entry.pieces) bytes += piece.content->size();
  return bytes;
}

void Tree::drop_tombstones() {
  std::erase_if(entries_, [](const auto& item) { return item.second.deleted; });
}

void Tree::keep_if(const std::function<bool(const std::string&)>& wanted) {
  std::erase_if(entries_, [&](const auto& item) { return !wanted(item.first); });
}

void Tree::drop_content() {
  for (auto& [path, entry] : entries_) entry.pieces.clear();
}

void Tree::drop_content(const std::string& path) {
  if (auto found = entries_.find(path); found != entries_.end()) found->second.pieces.clear();
}

void Tree::doubt(const Unknowns& unknown) {
  if (unknown.empty()) return;
  for (auto& [path, entry] : entries_)
    if (unknown.hides(path)) entry.doubted = true;
}

void Tree::suspect(const std::string& path, FileType type) {
  const auto [known, is_new] = entries_.try_emplace(path, Entry{.type = type, .deleted = true});
  known->second.doubted = true;
}

Change change_to(const std::string& path, const Entry& entry) {
  if (entry.deleted) return {.path = path, .op = Op::Delete, .type = entry.type};
  Change change{.path = path,
                .op = Op::Write,
                .type = entry.type,
                .mode = entry.mode,
                .mtime = entry.mtime,
                .size = entry.size,
                .digest = entry.digest,
                .target = entry.target};
  if (entry.pieces.size() == 1) {
    change.encoding = entry.pieces.front().encoding;
    change.offset = entry.pieces.front().offset;
    change.content = entry.pieces.front().content;
  }
  return change;
}

std::vector<Change> diff(const Tree& from, const Tree& to, const Unknowns& unknown) {
  std::vector<Change> changes;
  auto exists = [](const Entry& entry) { return !entry.deleted; };
  auto old = from.entries().begin();
  auto now = to.entries().begin();
  const auto old_end = from.entries().end();
  const auto now_end = to.entries().end();
  while (old != old_end || now != now_end) {
    const int order = old == old_end ? 1 : now == now_end ? -1 : old->first.compare(now->first);
    const bool had = order <= 0 && exists(old->second);
    const bool has = order >= 0 && exists(now->second);
    const bool may_have = order <= 0 && old->second.deleted && old->second.doubted && !to.type(old->first);
    if ((may_have || (had && !is_implied(*old, to))) && !has && !unknown.spares(old->first))
      changes.push_back({.path = old->first, .op = Op::Delete, .type = old->second.type});
    if (has && !(had && old->second.same_state(now->second)))
      changes.push_back(change_to(now->first, now->second));
    if (order <= 0) ++old;
    if (order >= 0) ++now;
  }
  return changes;
}

Tree part_of(const Tree& tree, const std::vector<std::string>& paths) {
  Tree part;
  for (const std::string& path : paths) part.take_from(tree, path);
  return part;
}

void Tree::take_from(const Tree& other, const std::string& path) {
  if (auto found = other.entries_.find(path); found != other.entries_.end()) entries_.insert(*found);
  auto [begin, end] = range_below(other.entries_, path);
  entries_.insert(begin, end);
}

ChangeSetSpec join(const std::vector<const ChangeSetSpec*>& parts) {
  ChangeSetSpec batch = *parts.back();
  batch.part = batch.parts = 1;
  if (parts.size() == 1) return batch;
  batch.unknown.clear();
  std::vector<Change> changes;
  for (const ChangeSetSpec* part : parts) {
    changes.insert(changes.end(), part->changes.begin(), part->changes.end());
    batch.unknown.insert(batch.unknown.end(), part->unknown.begin(), part->unknown.end());
  }
  batch.changes = std::move(changes);
  return batch;
}

}  // namespace live_update
