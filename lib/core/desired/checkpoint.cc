#include "core/desired/checkpoint.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <tuple>

namespace live_update {
namespace {

constexpr std::string_view kSession = "checkpoint-";
constexpr std::size_t kFields = 250;  // bytes of a change beside its path and content, about
// Of unknown paths, so much goes with a Checkpoint: there is room for it beside the changes of its last part.
constexpr std::size_t kMostUnknown = 64 * 1024;

std::size_t encoded_size(const Change& change) {
  const std::size_t content = change.content ? change.content->size() : 0;
  return kFields + 2 * change.path.size() + 2 * change.target.size() + content + content / 3;
}

// What batches up to a sequence leave behind, and which of them said so.
class Merger {
 public:
  Merger(const History& history, std::int64_t through, const MayForget& may_forget)
      : history_(history), through_(through), may_forget_(may_forget) {
    for (const Batch& batch : history.batches()) {
      if (batch.last > through) break;
      take(batch);
    }
    forget();
  }

  // And up to where it was forgotten what is gone.
  const CheckpointOf& snapshot() const { return snapshot_; }
  // Those of that Snapshot.
  const std::vector<UnknownPath>& unknown() const { return unknown_; }

  // By path; of a file in several pieces one for each.
  std::vector<Change> changes(std::size_t content_limit) {
    drop_oldest_content(content_limit);
    std::vector<Change> all;
    for (const auto& [path, entry] : tree_.entries()) {
      Change change = change_to(path, entry);
      change.stamp = stamp_of(path, entry);
      change.is_new = !entry.deleted && may_forget(path, kNever);
      if (entry.pieces.size() <= 1) {
        all.push_back(std::move(change));
        continue;
      }
      for (const Piece& piece : entry.pieces) {
        change.offset = piece.offset;
        change.encoding = piece.encoding;
        change.content = piece.content;
        all.push_back(change);
      }
    }
    return all;
  }

 private:
  void take(const Batch& batch) {
    tree_.merge(batch.spec);
    for (const Change& change : batch.spec.changes) said_[change.path] = {batch.stamp_of(change), change.op};
    if (batch.spec.checkpoint) snapshot_.forgotten = batch.spec.checkpoint->forgotten;
    if (batch.snapshot() == 0) return;
    snapshot_ = {batch.snapshot(), batch.reach(), batch.ignores(), snapshot_.forgotten};
    unknown_ = snapshot_.ignores ? batch.spec.unknown : std::vector<UnknownPath>();
    std::size_t bytes = 0;
    for (const UnknownPath& it : unknown_) bytes += kFields / 4 + it.path.size();
    if (bytes <= kMostUnknown) return;
    unknown_.clear();
    snapshot_.ignores = HostIgnores{"", "too many paths of its Snapshot could not be read"};
  }

  bool may_forget(const std::string& path, std::int64_t deleted) const {
    const auto begun = history_.beginning(path);
    return may_forget_ && begun && *begun <= through_ && may_forget_(*begun, deleted);
  }

  // What is below a folder comes first: that the folder is gone stays for as long as anything of it does.
  void forget() {
    std::vector<std::pair<std::string, std::int64_t>> gone;
    for (const auto& [path, entry] : tree_.entries())
      if (const std::int64_t deleted = stamp_of(path, entry); entry.deleted && may_forget(path, deleted))
        gone.emplace_back(path, deleted);
    for (const auto& [path, deleted] : std::views::reverse(gone)) {
      if (tree_.names_below(path)) continue;
      tree_.forget(path);
      snapshot_.forgotten = std::max(snapshot_.forgotten, deleted);
    }
  }

  // That a path is gone with its folder, or because a Snapshot did not name it, nobody said of itself: that may have
  // been the last one.
  std::int64_t stamp_of(const std::string& path, const Entry& entry) const {
    const auto said = said_.find(path);
    const bool itself = said != said_.end() && (said->second.op == Op::Delete) == entry.deleted;
    return itself ? said->second.stamp : through_;
  }

  void drop_oldest_content(std::size_t limit) {
    std::vector<std::tuple<std::int64_t, std::size_t, std::string>> held;
    std::size_t all = 0;
    for (const auto& [path, entry] : tree_.entries()) {
      std::size_t bytes = 0;
      for (const Piece& piece : entry.pieces) bytes += piece.content->size();
      if (bytes == 0) continue;
      held.emplace_back(stamp_of(path, entry), bytes, path);
      all += bytes;
    }
    if (all <= limit) return;
    std::ranges::sort(held);
    for (const auto& [stamp, bytes, path] : held) {
      if (all <= limit) return;
      tree_.drop_content(path);
      all -= bytes;
    }
  }

  struct Word {
    std::int64_t stamp = 0;
    Op op = Op::Write;
  };

  const History& history_;
  const std::int64_t through_;
  const MayForget& may_forget_;
  Tree tree_;
  std::map<std::string, Word> said_;  // the last word of each path
  CheckpointOf snapshot_;
  std::vector<UnknownPath> unknown_;
};

// As many changes in each as it takes.
std::vector<std::vector<Change>> divide(std::vector<Change> changes, const CheckpointLimits& limits) {
  std::vector<std::vector<Change>> parts(1);
  std::size_t bytes = 0;
  for (Change& change : changes) {
    const std::size_t more = encoded_size(change);
    if (!parts.back().empty() && (bytes + more > limits.part || parts.back().size() == limits.changes)) {
      parts.emplace_back();
      bytes = 0;
    }
    bytes += more;
    parts.back().push_back(std::move(change));
  }
  return parts;
}

}  // namespace

std::string checkpoint_session(std::uint64_t number) {
  return std::string(kSession) + std::to_string(number);
}

bool is_checkpoint_session(std::string_view session) {
  return session.size() > kSession.size() && session.starts_with(kSession);
}

std::optional<std::int64_t> checkpoint_due(const History& history, std::int64_t confirmed,
                                           const CheckpointLimits& limits) {
  if (history.lost() > 0 || history.gap()) return std::nullopt;
  std::size_t count = 0;
  for (const Batch& batch : history.batches())
    if (batch.last <= confirmed && !batch.spec.checkpoint) count += batch.parts.size();
  if (count <= limits.most) return std::nullopt;
  std::size_t after = 0;
  for (const Batch& batch : std::views::reverse(history.batches())) {
    if (batch.last > confirmed) continue;
    if (after >= limits.apart) return batch.spec.checkpoint ? std::nullopt : std::optional(batch.last);
    after += batch.parts.size();
  }
  return std::nullopt;
}

std::vector<ChangeSetSpec> make_checkpoint(const History& history, std::int64_t through,
                                           const ChangeSetSpec& header, const CheckpointLimits& limits,
                                           const MayForget& may_forget) {
  Merger merger(history, through, may_forget);
  auto parts = divide(merger.changes(limits.content), limits);
  // Their sequences are some of those that they stand for.
  if (static_cast<std::int64_t>(parts.size()) > through) return {};
  std::vector<ChangeSetSpec> specs;
  for (std::vector<Change>& changes : parts) {
    ChangeSetSpec spec = header;
    spec.part = static_cast<int>(specs.size()) + 1;
    spec.parts = static_cast<int>(parts.size());
    spec.sequence = through - spec.parts + spec.part;
    spec.checkpoint = merger.snapshot();
    spec.checkpoint->ignores.reset();
    spec.changes = std::move(changes);
    specs.push_back(std::move(spec));
  }
  specs.back().checkpoint->ignores = merger.snapshot().ignores;
  specs.back().unknown = merger.unknown();
  return specs;
}

std::vector<std::shared_ptr<const ChangeSet>> newest_checkpoint(
    const std::vector<std::shared_ptr<const ChangeSet>>& sorted) {
  // By the sequence of its last part.
  std::map<std::tuple<std::int64_t, std::string, int>, std::vector<std::shared_ptr<const ChangeSet>>> all;
  for (const auto& it : sorted)
    if (it->spec.checkpoint && it->flaw.empty())
      all[{end_of_batch(it->spec), it->spec.session, it->spec.parts}].push_back(it);
  for (auto& [key, parts] : std::views::reverse(all)) {
    bool complete = static_cast<int>(parts.size()) == std::get<int>(key);
    for (std::size_t i = 0; complete && i < parts.size(); ++i)
      complete = parts[i]->spec.part == static_cast<int>(i) + 1;
    if (complete) return std::move(parts);
  }
  return {};
}

}  // namespace live_update
