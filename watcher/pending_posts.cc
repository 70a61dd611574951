#include "watcher/pending_posts.h"

#include <algorithm>
#include <utility>

#include "core/desired/history.h"

namespace live_update {
namespace {

constexpr std::size_t kMostEarly = 64;

bool has(const PendingPost& post, const std::string& name) {
  return std::ranges::find(post.names, name) != post.names.end();
}

}  // namespace

std::vector<PendingPost>::iterator PendingPosts::find(const std::string& name) {
  return std::ranges::find_if(open_, [&](const PendingPost& post) { return has(post, name); });
}

// A batch that a Snapshot of ours replaced is said again by that; one that somebody else's replaced is not.
PendingPosts::Fate PendingPosts::fate(const PendingPost& post, const ChangeSetStatus& status,
                                      bool last_part) const {
  if (status.phase.empty()) return Fate::Open;
  if (status.phase == "Refused") return is_sequence_used(status) ? Fate::Displaced : Fate::Accepted;
  if (status.phase == "Superseded") return snapshot_ > post.sequence ? Fate::Accepted : Fate::Displaced;
  return last_part ? Fate::Accepted : Fate::Open;
}

std::optional<PendingPost> PendingPosts::settle(std::vector<PendingPost>::iterator post, Fate fate) {
  if (fate == Fate::Open) return std::nullopt;
  PendingPost settled = std::move(*post);
  open_.erase(post);
  displaced_ = fate == Fate::Displaced ? displaced_ + 1 : 0;
  return fate == Fate::Displaced ? std::optional(std::move(settled)) : std::nullopt;
}

std::optional<PendingPost> PendingPosts::stored(const std::vector<ChangeSetSpec>& parts) {
  PendingPost post{.names = {}, .sequence = parts.back().sequence, .snapshot = false, .changes = {}};
  post.snapshot = parts.back().type == ChangeSetType::Snapshot;
  for (const ChangeSetSpec& part : parts) {
    post.names.push_back(change_set_name(part.live_update, part.session, part.sequence));
    if (!post.snapshot)
      for (const Change& it : part.changes)
        post.changes.push_back({.path = it.path, .op = it.op, .type = it.type});
  }
  if (post.snapshot) snapshot_ = post.sequence;
  open_.push_back(std::move(post));
  for (const std::string& name : std::vector(open_.back().names)) {
    const auto early = early_.extract(name);
    if (early.empty()) continue;
    const auto last = std::prev(open_.end());
    const Fate told = fate(*last, early.mapped(), name == last->names.back());
    if (told != Fate::Open) return settle(last, told);
  }
  return std::nullopt;
}

std::optional<PendingPost> PendingPosts::status(const ChangeSet& change_set) {
  const std::string& name = change_set.meta.name;
  const auto post = find(name);
  if (post != open_.end()) return settle(post, fate(*post, change_set.status, name == post->names.back()));
  if (change_set.status.phase.empty()) return std::nullopt;
  early_[name] = change_set.status;
  if (early_.size() > kMostEarly) early_.erase(early_.begin());
  return std::nullopt;
}

std::optional<PendingPost> PendingPosts::removed(const std::string& name) {
  early_.erase(name);
  const auto post = find(name);
  return post == open_.end() ? std::nullopt : settle(post, Fate::Displaced);
}

PendingPosts::Fate PendingPosts::fate_among(const PendingPost& post,
                                            const std::vector<ChangeSet>& change_sets) const {
  Fate so_far = Fate::Displaced;
  for (const ChangeSet& it : change_sets) {
    if (!has(post, it.meta.name)) continue;
    so_far = fate(post, it.status, it.meta.name == post.names.back());
    if (so_far != Fate::Open) break;
  }
  return so_far;
}

std::vector<PendingPost> PendingPosts::resume(std::vector<PendingPost> posts,
                                              const std::vector<ChangeSet>& change_sets) {
  std::vector<PendingPost> displaced;
  for (PendingPost& post : posts) {
    const Fate told = fate_among(post, change_sets);
    open_.push_back(std::move(post));
    if (auto again = settle(std::prev(open_.end()), told)) displaced.push_back(std::move(*again));
  }
  return displaced;
}

}  // namespace live_update
