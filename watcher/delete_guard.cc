#include "watcher/delete_guard.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "watcher/wording.h"

namespace live_update {
namespace {

// What two things at different paths have in common if one is the other, moved.
std::string content_of(FileType type, const std::string& digest, const std::string& target) {
  switch (type) {
    case FileType::Directory:
      return "d";
    case FileType::Symlink:
      return "l" + target;
    case FileType::File:
      break;
  }
  return digest.empty() ? "" : "f" + digest;
}

bool buries(const Change& change, const std::set<std::string>& held) {
  if (change.op != Op::Write || change.type == FileType::Directory) return false;
  const auto below = held.lower_bound(change.path + '/');
  return below != held.end() && below->starts_with(change.path + '/');
}

}  // namespace

// Deleted, and not moved elsewhere: each write stands for one delete of the same content.
std::set<std::string> DeleteGuard::gone(const std::vector<Change>& changes, const Tree& posted) const {
  std::map<std::string, std::int64_t> arrived;
  for (const Change& change : changes)
    if (change.op == Op::Write) ++arrived[content_of(change.type, change.digest, change.target)];
  std::set<std::string> gone;
  for (const Change& change : changes) {
    if (change.op != Op::Delete) continue;
    const Entry* was = posted.find(change.path);
    const std::string content = was ? content_of(was->type, was->digest, was->target) : "";
    if (content.empty() || --arrived[content] < 0) gone.insert(change.path);
  }
  return gone;
}

bool DeleteGuard::too_many(const std::set<std::string>& fresh, const Situation& situation) {
  const auto deletes = static_cast<std::int64_t>(lately_.size());
  const auto here = static_cast<std::int64_t>(fresh.size());
  if (fresh.empty() || (deletes <= situation.most && !situation.nothing_left)) return false;
  const auto before = situation.there() + deletes - here;
  const bool all = before > 1 && situation.nothing_left;
  if (deletes <= situation.most && !all) return false;
  case_ = {deletes, here, before, situation.most, all};
  return true;
}

std::vector<Change> DeleteGuard::sift(std::vector<Change> changes, const Situation& situation, Instant now) {
  std::erase_if(lately_, [&](const auto& it) { return now - it.second > kTogether; });
  if (situation.allowed) {
    held_.clear();
    return changes;
  }
  std::set<std::string> fresh = gone(changes, situation.posted);
  std::erase_if(held_, [&](const std::string& path) { return fresh.erase(path) == 0; });
  for (const Change& change : changes)
    if (change.op == Op::Write) lately_.erase(change.path);
  for (const std::string& path : fresh) lately_[path] = now;
  const bool asks = too_many(fresh, situation);
  if ((asks || !held_.empty()) && situation.on_purpose()) {
    held_.clear();
    lately_.clear();
    return changes;
  }
  if (asks) held_.merge(fresh);
  if (!held_.empty() && case_.here == 0) {  // of the last run
    const auto held = static_cast<std::int64_t>(held_.size());
    case_ = {held, held, situation.there(), situation.most, true};
  }
  if (!held_.empty())
    std::erase_if(changes, [&](const Change& change) {
      return (change.op == Op::Delete && held_.contains(change.path)) || buries(change, held_);
    });
  return changes;
}

void DeleteGuard::spare(std::vector<Change>& changes, Unknowns& unknown) const {
  std::erase_if(changes, [&](const Change& change) { return buries(change, held_); });
  for (const std::string& path : held_) unknown.add(path);
}

void DeleteGuard::resume(std::vector<std::string> held) { held_.insert(held.begin(), held.end()); }

std::string DeleteGuard::question(const std::string& root) const {
  if (held_.empty()) return {};
  return fmt::format(
      "{} of {} paths below {} are gone{}. Was that meant, or is a disk not mounted? {} not deleted in the "
      "containers. To delete them in the containers, start again with --allow-deletes",
      say_count(case_.deletes), say_count(case_.before), root,
      case_.all ? "" : fmt::format(", more than spec.source.maxDeletes ({})", say_count(case_.most)),
      case_.here == case_.deletes ? "They are" : fmt::format("The last {} are", say_count(case_.here)));
}

}  // namespace live_update
