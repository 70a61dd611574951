#include "core/desired/history.h"

#include <algorithm>
#include <iterator>

#include "core/api/limits.h"
#include "core/base/text.h"
#include "core/desired/checkpoint.h"

namespace live_update {

namespace {

bool before(const std::shared_ptr<const ChangeSet>& a, const std::shared_ptr<const ChangeSet>& b) {
  return std::tie(a->spec.sequence, a->meta.created, a->meta.name) <
         std::tie(b->spec.sequence, b->meta.created, b->meta.name);
}

// A change of mode alone comes without the bytes (rule 2.7).
bool only_mode(const Change& change) {
  return change.op == Op::Write && change.type == FileType::File && change.size > 0 && !change.content;
}

PathChange as_change(const Tree::Map::value_type& item) {
  return {&item.first, item.second.deleted ? Op::Delete : Op::Write, item.second.type};
}

// Of a Checkpoint, what was said after `sequence`.
ChangeSetSpec later_part(const Batch& batch, std::int64_t sequence) {
  ChangeSetSpec spec = batch.spec;
  std::erase_if(spec.changes.edit(), [&](const Change& it) { return batch.stamp_of(it) <= sequence; });
  return spec;
}

// That something is gone says so of all that is known below it (rule 4.5): each container gets its delete.
void name_what_was_below(const Tree& all, ChangeSetSpec& batch) {
  std::set<std::string> below;
  for (const Change& it : batch.changes)
    if (it.op == Op::Delete)
      for (std::string& path : all.below(it.path)) below.insert(std::move(path));
  if (below.empty()) return;
  for (const Change& it : batch.changes) below.erase(it.path);
  for (const std::string& path : below)
    batch.changes.push_back({.path = path, .op = Op::Delete, .type = *all.type(path)});
}

}  // namespace

std::vector<PathChange> paths_of(const Tree& tree) {
  std::vector<PathChange> all;
  all.reserve(tree.entries().size());
  std::ranges::transform(tree.entries(), std::back_inserter(all), as_change);
  return all;
}

bool is_sequence_used(const ChangeSetStatus& status) {
  return status.phase == "Refused" && status.message.ends_with(kSequenceUsed);
}

bool is_too_far_ahead(const ChangeSetStatus& status) {
  return status.phase == "Refused" && status.message.starts_with("sequence ") &&
         status.message.contains(kTooFarAhead);
}

std::vector<SequenceRange> ranges_from(std::string_view text) {
  std::vector<SequenceRange> ranges;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view word = text.substr(at, text.find(' ', at) - at);
    at += word.size() + 1;
    const auto dash = word.find('-');
    const std::int64_t first = to_number(word.substr(0, dash));
    const std::int64_t last = dash == word.npos ? first : to_number(word.substr(dash + 1));
    if (first > 0 && last >= first) ranges.push_back({first, last});
  }
  return ranges;
}

bool has_no_room(const ChangeSetStatus& status) {
  return status.phase == "Refused" &&
         (status.message.starts_with(kMuchWaits) || status.message.starts_with(kNoLiveUpdate));
}

void History::update(ChangeSets change_sets, std::int64_t accepted, std::optional<Time> now) {
  std::ranges::sort(change_sets, before);
  auto checkpoint = newest_checkpoint(change_sets);
  const std::int64_t merged = checkpoint.empty() ? 0 : checkpoint.back()->spec.sequence;
  const bool misses = misses_expected(change_sets, merged);
  expected_.clear();
  const bool anew = merged != merged_ || !can_go_on(change_sets);
  if (anew) begin_anew(std::move(checkpoint), misses_needed(change_sets, merged));
  accepted_ = std::max(accepted_, accepted);
  if (misses || change_sets.empty()) lost_ = accepted_;
  take(change_sets);
  if (anew) std::erase_if(beginnings_, [&](const auto& it) { return !all_.find_any(it.first); });
  if (now) give_up(*now);
  refresh_status(change_sets);
}

// What is remembered of before is only what the ChangeSets that are there do not tell.
void History::begin_anew(ChangeSets checkpoint, bool lost) {
  History fresh(limits_);
  fresh.lost_ = lost ? newest() : lost_;
  fresh.accepted_ = newest();
  fresh.missed_ = missed_;
  // What said that a path is new may be superseded by now, and what is later may still be about it. Of what a Checkpoint
  // names it says so itself.
  if (!lost) fresh.beginnings_ = std::move(beginnings_);
  for (const auto& part : checkpoint)
    for (const Change& it : part->spec.changes)
      if (const auto known = fresh.beginnings_.find(it.path);
          known != fresh.beginnings_.end() && known->second <= checkpoint.back()->spec.sequence)
        fresh.beginnings_.erase(known);
  *this = std::move(fresh);
  if (checkpoint.empty()) return;
  std::vector<const ChangeSet*> parts;
  for (const auto& it : checkpoint) parts.push_back(it.get());
  add_batch(parts);
  merged_ = batches_.front().last;
  merged_at_ = batches_.front().meta().created;
  accepted_ = std::max(accepted_, merged_);
}

void History::assume_lost(std::int64_t sequence) {
  if (sequence > 0 && !snapshot_since(sequence)) lost_ = std::max(lost_, sequence);
}

// What a Checkpoint says, which has come meanwhile, is needed of nobody else.
bool History::misses_needed(const ChangeSets& sorted, std::int64_t merged) const {
  std::set<std::string_view> present;
  for (const auto& change_set : sorted) present.insert(change_set->meta.name);
  return std::ranges::any_of(batches_, [&](const Batch& batch) {
    return batch.last > merged && needed(batch) &&
           std::ranges::any_of(batch.parts,
                               [&](const ObjectMeta& part) { return !present.contains(part.name); });
  });
}

bool History::misses_expected(const ChangeSets& sorted, std::int64_t merged) const {
  std::set<std::int64_t> present;
  for (const auto& change_set : sorted)
    if (change_set->flaw.empty() && !is_sequence_used(change_set->status))
      present.insert(change_set->spec.sequence);
  return std::ranges::any_of(ranges_from(expected_), [&](const SequenceRange& it) {
    const std::int64_t first = std::max(it.first, merged + 1);
    return first <= it.last &&
           std::distance(present.lower_bound(first), present.upper_bound(it.last)) != it.last - first + 1;
  });
}

std::string History::needed() const {
  std::vector<SequenceRange> ranges;
  for (const Batch& batch : batches_) {
    if (!needed(batch)) continue;
    if (!ranges.empty() && ranges.back().last + 1 == batch.first)
      ranges.back().last = batch.last;
    else
      ranges.push_back({batch.first, batch.last});
  }
  std::string text;
  for (const SequenceRange& it : ranges) {
    std::string next = (text.empty() ? "" : " ") + std::to_string(it.first);
    if (it.last > it.first) next += "-" + std::to_string(it.last);
    if (text.size() + next.size() > limits_.needed) break;
    text += next;
  }
  return text;
}

// Only newer ChangeSets have come since the last time, and only superseded ones have gone. What has gone is
// dropped; false: all must be joined anew.
bool History::can_go_on(const ChangeSets& sorted) {
  if (batches_.empty()) return false;
  const Names settled_names = settled();
  const std::int64_t last = batches_.back().last;
  const std::int64_t told = remains_.empty() ? last : std::max(last, accepted_);
  std::size_t known = 0, settled = 0;
  for (const auto& change_set : sorted) {
    if (known_.contains(change_set->meta.name))
      ++known;
    else if (settled_names.contains(change_set->meta.name))
      ++settled;
    else if (change_set->spec.sequence > last && change_set->spec.sequence <= told)
      return false;  // what comes late, at or before `last`, finds its sequence used
  }
  if (known == known_.size() && settled == settled_names.size()) return true;
  Names present;
  for (const auto& change_set : sorted) present.insert(change_set->meta.name);
  return drop_superseded(present);
}

bool History::drop_superseded(const Names& present) {
  const auto is_gone = [&](const ObjectMeta& part) { return !present.contains(part.name); };
  const auto incomplete = [&](const Batch& batch) { return std::ranges::any_of(batch.parts, is_gone); };
  for (const Batch& batch : batches_)
    if (incomplete(batch) &&
        (needed(batch) || batch.last == batches_.back().last || batch.spec.type == ChangeSetType::Snapshot))
      return false;
  std::erase_if(batches_, [&](const Batch& batch) {
    if (!incomplete(batch)) return false;
    for (const ObjectMeta& part : batch.parts) {
      known_.erase(part.name);
      if (!is_gone(part)) remains_.push_back(part);
    }
    return true;
  });
  std::erase_if(remains_, is_gone);
  std::erase_if(refused_, [&](const Refused& it) { return is_gone(it.meta); });
  return true;
}

// Names of which nothing more can become: remains, and what was refused before a batch that is joined.
History::Names History::settled() const {
  Names names;
  for (const ObjectMeta& it : remains_) names.insert(it.name);
  for (const Refused& it : refused_)
    if (!batches_.empty() && it.sequence <= batches_.back().last) names.insert(it.meta.name);
  return names;
}

// What was superseded has been said again; where it was not, somebody else deleted the rest of the batch.
void History::keep_remains(const std::vector<const ChangeSet*>& remains) {
  for (const ChangeSet* it : remains) {
    remains_.push_back(it->meta);
    const bool said_again =
        snapshot_since(it->spec.sequence) || std::ranges::all_of(it->spec.changes, [&](const Change& change) {
          return last_word_.contains(change.path);
        });
    if (!said_again) lost_ = std::max(lost_, accepted_);
  }
}

void History::add_batch(const std::vector<const ChangeSet*>& parts) {
  Batch batch;
  batch.first = parts.front()->spec.sequence;
  batch.last = parts.back()->spec.sequence;
  std::vector<const ChangeSetSpec*> specs;
  for (const ChangeSet* part : parts) {
    specs.push_back(&part->spec);
    batch.parts.push_back(part->meta);
    known_.insert(part->meta.name);
  }
  batch.spec = join(specs);
  const bool snapshot = batch.spec.type == ChangeSetType::Snapshot;
  const bool knew_all = knows_all(batch.spec.reach);
  const Tree before = snapshot ? all_ : Tree();
  if (snapshot) {
    if (batch.last > lost_) lost_ = 0;
    missed_.reset();
  }
  batch.only_content = brings_only_content(batch.spec);
  name_what_was_below(all_, batch.spec);
  note_beginnings(batch);
  all_.merge(batch.spec);
  if (snapshot) {
    auto differs = diff(before, all_);
    std::erase_if(differs, [&](Change& change) {
      change.content.reset();
      return !knew_all && !before.find_any(change.path);
    });
    batch.differs = std::move(differs);
  }
  batches_.push_back(std::move(batch));
  // Whoever named what a Snapshot does not is needed on: that this is gone is known only because of that. And whoever
  // has the bytes, where it brings a digest alone.
  for (const Change& change : batches_.back().spec.changes) {
    speak(last_word_, change.path, batches_.back().last);
    if (!only_mode(change) || !holds(change.path)) speak(content_, change.path, batches_.back().last);
    if (!only_mode(change)) disbelieved_.erase(change.path);
  }
}

// Where anything is known of the path, or of what was below it, it is not the first word. While words are missing, nobody
// can tell.
void History::note_beginnings(const Batch& batch) {
  if (lost_ > 0 || gap() || batch.spec.type != ChangeSetType::Delta) return;
  for (const Change& it : batch.spec.changes)
    if (it.is_new && it.op == Op::Write && !all_.names(it.path)) beginnings_.try_emplace(it.path, batch.last);
}

std::optional<std::int64_t> History::beginning(const std::string& path) const {
  const auto found = beginnings_.find(path);
  return found == beginnings_.end() ? std::nullopt : std::optional(found->second);
}

std::int64_t History::first_beginning() const {
  std::int64_t first = newest() + 1;
  for (const auto& [path, begun] : beginnings_) first = std::min(first, begun);
  return first;
}

bool History::holds(const std::string& path) const {
  const Entry* entry = all_.find(path);
  return entry && entry->has_content();
}

void History::disbelieve(const WantedContent& content) {
  const auto& [path, digest, size] = content;
  if (const Entry* known = all_.find(path); known && known->digest == digest) {
    all_.drop_content(path);
    disbelieved_.insert(path);
  }
  const auto is_wrong = [&](const Change& it) {
    return it.path == path && it.digest == digest && it.content;
  };
  for (Batch& batch : batches_) {
    if (std::ranges::none_of(batch.spec.changes, is_wrong)) continue;
    for (Change& it : batch.spec.changes.edit())
      if (is_wrong(it)) it.content.reset();
  }
}

bool History::brings_only_content(const ChangeSetSpec& batch) const {
  if (batch.type != ChangeSetType::Delta || batch.changes.empty()) return false;
  return std::ranges::all_of(batch.changes, [&](const Change& change) {
    const Entry* known = all_.find(change.path);
    return change.op == Op::Write && change.content && known && known->type == FileType::File &&
           change.type == FileType::File && known->digest == change.digest && known->mode == change.mode &&
           !known->has_content();
  });
}

void History::release(std::int64_t batch) {
  if (const auto use = uses_.find(batch); --use->second == 0) uses_.erase(use);
}

// A batch that nobody needs any more goes with its paths.
void History::speak(Words& about, std::string_view path, std::int64_t batch) {
  if (auto word = about.extract(path)) {
    release(word.mapped());
    word.key() = path;
    word.mapped() = batch;
    about.insert(std::move(word));
  } else {
    about.emplace(path, batch);
  }
  ++uses_[batch];
}

void History::refuse(const ChangeSet& change_set, std::string phase, std::string message) {
  refused_.push_back(
      {change_set.meta, change_set.status, change_set.spec.sequence, std::move(phase), std::move(message)});
}

void History::refresh_status(const ChangeSets& sorted) {
  std::map<std::string_view, const ChangeSet*> by_name;
  for (const auto& change_set : sorted) by_name[change_set->meta.name] = change_set.get();
  for (Batch& batch : batches_)
    if (auto it = by_name.find(batch.meta().name); it != by_name.end()) batch.status = it->second->status;
  for (Refused& refused : refused_)
    if (auto it = by_name.find(refused.meta.name); it != by_name.end()) refused.status = it->second->status;
}

bool History::knows_all(std::string_view reach, std::optional<Time> asked) const {
  if (lost_ > 0 || gap()) return false;
  return std::ranges::any_of(batches_, [&](const Batch& batch) {
    if (batch.snapshot() == 0) return false;
    const auto& made = batch.parts.front().created;
    return batch.reach() == reach || (batch.reach().empty() && (!asked || !made || *made >= *asked));
  });
}

const Batch* History::newest_snapshot() const {
  const auto found = std::ranges::find_if(batches_.rbegin(), batches_.rend(),
                                          [](const Batch& batch) { return batch.snapshot() > 0; });
  return found == batches_.rend() ? nullptr : &*found;
}

bool History::snapshot_since(std::int64_t sequence) const {
  return std::ranges::any_of(batches_, [&](const Batch& batch) { return batch.snapshot() > sequence; });
}

bool History::says_again_since(std::int64_t sequence) const {
  return std::ranges::any_of(batches_, [&](const Batch& batch) {
    return batch.last > sequence &&
           (batch.only_content || batch.spec.checkpoint || batch.spec.type == ChangeSetType::Snapshot);
  });
}

Tree History::since(std::int64_t sequence, const std::set<std::int64_t>& without) const {
  const bool whole = snapshot_since(sequence);
  if (whole && without.empty()) {
    Tree tree = all_;
    tree.keep_if([left = left_alone(sequence)](const std::string& path) { return !left(path); });
    return tree;
  }
  Tree tree;
  for (const Batch& batch : batches_) {
    if ((!whole && batch.last <= sequence) || without.contains(batch.last)) continue;
    if (whole || !batch.spec.checkpoint)
      tree.merge(batch.spec);
    else
      tree.merge(later_part(batch, sequence));
  }
  return tree;
}

// A path that a batch has named is in the merged tree, unless what came later has taken its place: there it is
// what all batches after `sequence` have made of it.
std::vector<PathChange> History::changed_since(std::int64_t sequence) const {
  if (snapshot_since(sequence)) {
    auto all = paths_of(all_);
    std::erase_if(all, [left = left_alone(sequence)](const PathChange& it) { return left(*it.path); });
    return all;
  }
  std::vector<PathChange> changes;
  for (const Batch& batch : batches_) {
    if (batch.last <= sequence || batch.spec.type == ChangeSetType::Build) continue;
    for (const Change& change : batch.spec.changes)
      if (const auto found = all_.entries().find(change.path);
          found != all_.entries().end() && batch.stamp_of(change) > sequence)
        changes.push_back(as_change(*found));
  }
  std::ranges::sort(changes, {}, [](const PathChange& it) -> const std::string& { return *it.path; });
  const auto twice = std::ranges::unique(changes, {}, &PathChange::path);
  changes.erase(twice.begin(), twice.end());
  return changes;
}

std::vector<ObjectMeta> History::superseded(std::int64_t confirmed) const {
  std::vector<ObjectMeta> result = remains_;
  // What a Snapshot leaves out is deleted: until that is confirmed, the batches before it tell what there is
  // to delete.
  const auto open = std::ranges::find_if(batches_, [&](const Batch& batch) {
    return batch.spec.type == ChangeSetType::Snapshot && batch.last > confirmed;
  });
  if (open != batches_.end()) return result;
  for (std::size_t i = 0; i + 1 < batches_.size(); ++i) {
    const Batch& batch = batches_[i];
    if (batch.last > confirmed || needed(batch)) continue;
    if (batch.snapshot() > 0 && !snapshot_since(batch.last)) continue;
    result.insert(result.end(), batch.parts.begin(), batch.parts.end());
  }
  return result;
}

}  // namespace live_update
