#include "watcher/pending_posts.h"

#include <algorithm>
#include <utility>

#include "core/desired/history.h"

namespace live_update {
namespace {

bool has(const PendingPost& post, const std::string& name) {
  return std::ranges::find(post.names, name) != post.names.end();
}

}  // namespace

std::vector<PendingPost>::iterator PendingPosts::find(const std::string& name) {
  return std::ranges::find_if(open_, [&](const PendingPost& post) { return has(post, name); });
}

bool PendingPosts::awaits(const std::string& name) const {
  return std::ranges::any_of(open_, [&](const PendingPost& post) { return has(post, name); });
}

bool PendingPosts::awaits_first() const {
  return std::ranges::any_of(
      open_, [](const PendingPost& post) { return std::cmp_equal(post.sequence, post.names.size()); });
}

// A batch that a Snapshot of ours replaced is said again by that; one that somebody else's replaced is not.
PendingPosts::Fate PendingPosts::fate(const PendingPost& post, const ChangeSetStatus& status,
                                      bool last_part) const {
  if (status.phase.empty()) return Fate::Open;
  if (is_sequence_used(status)) return Fate::Displaced;
  if (is_too_far_ahead(status)) return Fate::TooFarAhead;
  if (has_no_room(status)) return Fate::NoRoom;
  if (status.phase == "Refused") return Fate::Refused;
  if (status.phase == "Superseded") return snapshot_ > post.sequence ? Fate::Accepted : Fate::Displaced;
  return last_part ? Fate::Accepted : Fate::Open;
}

std::optional<LostPost> PendingPosts::settle(std::vector<PendingPost>::iterator post, Fate fate) {
  if (fate == Fate::Open) return std::nullopt;
  PendingPost settled = std::move(*post);
  open_.erase(post);
  if (fate == Fate::Accepted) {
    displaced_ = refused_ = 0;
    return std::nullopt;
  }
  if (fate == Fate::Refused) {
    ++refused_;
    return LostPost{std::move(settled), LostPost::Refused};
  }
  if (fate == Fate::NoRoom) return LostPost{std::move(settled), LostPost::NoRoom};
  ++displaced_;
  return LostPost{std::move(settled), fate == Fate::Displaced ? LostPost::Displaced : LostPost::TooFarAhead};
}

std::optional<LostPost> PendingPosts::stored(const std::vector<ChangeSetSpec>& parts, bool digests) {
  PendingPost post;
  post.sequence = parts.back().sequence;
  post.snapshot = parts.back().type == ChangeSetType::Snapshot;
  post.digests = post.snapshot && digests;
  for (const ChangeSetSpec& part : parts) {
    post.names.push_back(change_set_name(part.live_update, part.session, part.sequence));
    if (!post.snapshot)
      for (const Change& it : part.changes)
        post.changes.push_back({.path = it.path, .op = it.op, .type = it.type});
  }
  if (post.snapshot) snapshot_ = post.sequence;
  open_.push_back(std::move(post));
  Fate told = Fate::Open;
  bool some_gone = false;
  for (const ChangeSetSpec& part : parts) {
    some_gone |= early_.take_removed(part.sequence);
    if (const auto early = early_.take(part.sequence); early && told == Fate::Open)
      told = fate(open_.back(), *early, &part == &parts.back());
  }
  if (some_gone && told == Fate::Open) told = Fate::Displaced;
  early_.known(parts.back().sequence);
  return settle(std::prev(open_.end()), told);
}

std::optional<LostPost> PendingPosts::status(const ChangeSet& change_set) {
  early_.keep(change_set);
  const std::string& name = change_set.meta.name;
  const auto post = early_.is_older(change_set) ? open_.end() : find(name);
  if (post == open_.end()) return std::nullopt;
  return settle(post, fate(*post, change_set.status, name == post->names.back()));
}

std::optional<LostPost> PendingPosts::removed(const ChangeSet& change_set) {
  const auto post = early_.is_older(change_set) ? open_.end() : find(change_set.meta.name);
  early_.removed(change_set);
  return post == open_.end() ? std::nullopt : settle(post, Fate::Displaced);
}

// Snapshots of before replace nothing of what comes now.
void PendingPosts::start_over(std::int64_t next) {
  early_.start_over(next);
  snapshot_ = 0;
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

std::vector<LostPost> PendingPosts::resume(std::vector<PendingPost> posts,
                                           const std::vector<ChangeSet>& change_sets) {
  std::vector<LostPost> lost;
  for (PendingPost& post : posts) {
    const Fate told = fate_among(post, change_sets);
    open_.push_back(std::move(post));
    if (auto again = settle(std::prev(open_.end()), told)) lost.push_back(std::move(*again));
  }
  return lost;
}

}  // namespace live_update
