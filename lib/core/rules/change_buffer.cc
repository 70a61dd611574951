#include "core/rules/change_buffer.h"

#include <algorithm>
#include <set>

namespace live_update {
namespace {

using std::chrono::milliseconds;

// Whether `path` or one of the directories above it is among `subtrees`.
bool covered(const std::string& path, const std::set<std::string>& subtrees) {
  if (subtrees.empty()) return false;
  if (subtrees.contains("") || subtrees.contains(path)) return true;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (subtrees.contains(path.substr(0, slash))) return true;
  return false;
}

}  // namespace

void ChangeBuffer::add(const FileEvent& event, Instant now, Time wall) {
  auto [item, added] = pending_.try_emplace(event.path, Pending{.first = now, .last = now, .wall = wall});
  Pending& pending = item->second;
  pending.last = now;
  if (event.kind == FileEvent::Kind::Rescan) pending.subtree = true;
  // A name that was replaced while the old file is open for writing is no longer that file.
  if (event.kind != FileEvent::Kind::Attributes) pending.writing = event.kind == FileEvent::Kind::Writing;
}

ChangeBuffer::Instant ChangeBuffer::due(const Pending& pending) const {
  return pending.first + milliseconds(debounce_.max_milliseconds);
}

std::optional<ChangeBuffer::Instant> ChangeBuffer::due() const {
  if (pending_.empty()) return std::nullopt;
  std::optional<Instant> first, last, held;
  auto earliest = [](std::optional<Instant>& kept, Instant time) {
    kept = kept ? std::min(*kept, time) : time;
  };
  for (const auto& [path, pending] : pending_) {
    if (pending.writing) {
      earliest(held, due(pending));
      continue;
    }
    earliest(first, pending.first);
    last = last ? std::max(*last, pending.last) : pending.last;
  }
  if (!first) return held;
  const Instant ready = std::min(*last + milliseconds(debounce_.quiet_milliseconds),
                                 *first + milliseconds(debounce_.max_milliseconds));
  return held ? std::min(ready, *held) : ready;
}

DirtyPaths ChangeBuffer::take(Instant now) {
  const auto time = due();
  if (!time || now < *time) return {};
  std::vector<Map::iterator> ready;
  for (auto item = pending_.begin(); item != pending_.end(); ++item)
    if (!item->second.writing || due(item->second) <= now) ready.push_back(item);
  return extract(ready);
}

DirtyPaths ChangeBuffer::extract(const std::vector<Map::iterator>& ready) {
  DirtyPaths dirty;
  std::set<std::string> subtrees;  // in byte order a directory comes before what is below it
  for (auto item : ready) {
    const auto& [path, pending] = *item;
    if (!dirty.first || pending.first < *dirty.first)
      dirty.first = pending.first, dirty.observed_at = pending.wall;
    if (pending.subtree && !covered(path, subtrees)) subtrees.insert(path);
  }
  for (auto item : ready) {
    if (!covered(item->first, subtrees)) dirty.paths.push_back(item->first);
    pending_.erase(item);
  }
  dirty.subtrees.assign(subtrees.begin(), subtrees.end());
  return dirty;
}

}  // namespace live_update
