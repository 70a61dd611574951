// How a History takes in what is new: the ChangeSets in order of sequence, each put in its place.
#include <algorithm>

#include "core/base/text.h"
#include "core/desired/history.h"

namespace live_update {

namespace {

// A LiveUpdate may be named; others that a ChangeSet belongs to are of no matter.
bool is_live_update(const ObjectMeta::OwnerReference& owner) { return owner.kind == "LiveUpdate"; }

bool old(const ChangeSet& it, Time now) {
  return it.meta.created && *it.meta.created + History::kPatience <= now;
}

}  // namespace

class History::Joining {
 public:
  explicit Joining(History& history) : h_(history) {
    for (std::string_view name : h_.settled()) settled_.emplace(name);
    if (!h_.batches_.empty()) last_ = h_.batches_.back().last;
    for (const Batch& it : h_.batches_)
      if (it.spec.type == ChangeSetType::Snapshot) snapshot_made_ = it.parts.front().created;
  }

  void take(const std::shared_ptr<const ChangeSet>& it) {
    if (h_.known_.contains(it->meta.name) || settled_.contains(it->meta.name)) return;
    if (it->spec.checkpoint && it->flaw.empty()) return take_checkpoint(*it);
    if (is_merged(*it)) return h_.remains_.push_back(it->meta);
    if (std::string why = flaw(*it); !why.empty()) return h_.refuse(*it, "Refused", std::move(why));
    if (continues(*it)) return join(it);
    if (begins(*it)) {
      leave_parts();
      return join(it);
    }
    if (it->spec.sequence <= h_.accepted_) return remains_.push_back(it.get());
    wait(it);
  }

  void end() {
    if (!parts_.empty() && parts_.back()->spec.sequence <= h_.accepted_) leave_parts();
    h_.unfinished_ = std::move(parts_);
    h_.keep_remains(remains_);
  }

 private:
  std::int64_t newest() const { return std::max(h_.accepted_, last_.value_or(0)); }
  std::int64_t expected() const { return (parts_.empty() ? newest() : parts_.back()->spec.sequence) + 1; }

  // What stands in the Checkpoint that is there. What is posted after that with such a sequence is another matter.
  bool is_merged(const ChangeSet& it) const {
    if (it.spec.sequence > h_.merged_ || !it.flaw.empty() || is_sequence_used(it.status)) return false;
    return !it.status.phase.empty() || !it.meta.created || !h_.merged_at_ ||
           *it.meta.created < *h_.merged_at_;
  }

  // One that is not the newest complete one is older, or not whole yet; or it never will be.
  void take_checkpoint(const ChangeSet& it) {
    if (end_of_batch(it.spec) <= h_.merged_) return h_.remains_.push_back(it.meta);
    h_.half_checkpoint_.push_back(it.meta);
  }

  // Why it is no part of the history, or empty.
  std::string flaw(const ChangeSet& it) const {
    if (!it.flaw.empty()) return it.flaw;
    if (is_sequence_used(it.status)) return it.status.message;  // as an operator before this one has decided
    const std::int64_t sequence = it.spec.sequence;
    if (last_ && sequence <= *last_)
      return "sequence " + std::to_string(sequence) + std::string(kSequenceUsed);
    if (sequence > newest() + h_.limits_.farthest_ahead)
      return "sequence " + std::to_string(sequence) + std::string(kTooFarAhead) + std::to_string(newest()) +
             ", so post with " + std::to_string(newest() + 1);
    return {};
  }

  bool continues(const ChangeSet& it) const {
    if (parts_.empty() || it.spec.sequence != expected()) return false;
    const ChangeSetSpec& before = parts_.back()->spec;
    return it.spec.part == before.part + 1 && it.spec.parts == before.parts &&
           it.spec.session == before.session;
  }

  bool begins(const ChangeSet& it) const {
    if (it.spec.part != 1) return false;
    return it.spec.type == ChangeSetType::Snapshot ||
           it.spec.sequence <= std::max(expected(), h_.accepted_ + 1);
  }

  void join(const std::shared_ptr<const ChangeSet>& it) {
    parts_.push_back(it);
    last_ = it->spec.sequence;
    if (it->spec.part < it->spec.parts) return;
    std::vector<const ChangeSet*> parts;
    for (const auto& part : parts_) parts.push_back(part.get());
    h_.add_batch(parts);
    if (it->spec.type == ChangeSetType::Snapshot) {  // it says all there is
      for (const auto& old : h_.waiting_) replaced(*old);
      h_.waiting_.clear();
      h_.gap_.reset();
      h_.gap_since_.reset();
      snapshot_made_ = parts_.front()->meta.created;
    }
    parts_.clear();
  }

  // The rest of a batch never came, or is being deleted.
  void leave_parts() {
    for (const auto& old : parts_) {
      if (old->spec.sequence <= h_.accepted_)
        remains_.push_back(old.get());
      else
        h_.refuse(*old, "Superseded", "only a part of its batch was posted");
    }
    parts_.clear();
  }

  // Behind a gap. A Snapshot that was made later has told all of it, whatever the sequence.
  void wait(const std::shared_ptr<const ChangeSet>& it) {
    if (snapshot_made_ && it->meta.created && *it->meta.created < *snapshot_made_) return replaced(*it);
    if (waiting_bytes_ += it->bytes; waiting_bytes_ > h_.limits_.waiting)
      return h_.refuse(*it, "Refused",
                       std::string(kMuchWaits) + std::to_string(*h_.gap_) + ", which is missing");
    h_.waiting_.push_back(it);
    if (h_.gap_) return;
    h_.gap_ = expected();
    h_.gap_since_ = it->meta.created;
  }

  void replaced(const ChangeSet& it) { h_.refuse(it, "Superseded", "a newer Snapshot replaces it"); }

  History& h_;
  std::set<std::string> settled_;
  std::optional<std::int64_t> last_;
  std::optional<Time> snapshot_made_;  // the newest one
  std::size_t waiting_bytes_ = 0;
  ChangeSets parts_;                       // of the batch that is being joined
  std::vector<const ChangeSet*> remains_;  // of batches that are being deleted: a part is gone already
};

void History::take(const ChangeSets& sorted) {
  gap_.reset();
  gap_since_.reset();
  waiting_.clear();
  unfinished_.clear();
  half_checkpoint_.clear();
  std::erase_if(refused_, [&](const Refused& it) {  // what is not settled is judged again
    return batches_.empty() || it.sequence > batches_.back().last;
  });
  Joining joining(*this);
  for (const auto& it : sorted) joining.take(it);
  joining.end();
}

// A batch whose last part is old never ends; and what is behind an old gap cannot be used any more: what is
// missing would have come, and a Snapshot tells it anew. That it is missing stays known.
void History::give_up(Time now) {
  if (!unfinished_.empty() && old(*unfinished_.back(), now)) {
    for (const auto& it : unfinished_)
      refuse(*it, "Superseded", "only a part of its batch was posted, and nothing more for 10 minutes");
    unfinished_.clear();
  }
  if (!gap_since_ || *gap_since_ + kPatience > now) return;
  missed_ = gap_;
  const std::string why = "sequence " + std::to_string(*gap_) + " before it did not come within 10 minutes";
  std::erase_if(waiting_, [&](const auto& it) {
    if (!old(*it, now)) return false;
    refuse(*it, "Superseded", why);
    return true;
  });
}

std::optional<Time> History::gives_up_at() const {
  std::optional<Time> next;
  const auto note = [&](const ChangeSet& it) {
    if (it.meta.created) next = std::min(next.value_or(Time::max()), *it.meta.created + kPatience);
  };
  if (!unfinished_.empty()) note(*unfinished_.back());
  for (const auto& it : waiting_) note(*it);
  return next;
}

// Of what the newest Snapshot does not know, what was said up to `sequence`: that is as it was (rule 7.6).
std::function<bool(const std::string&)> History::left_alone(std::int64_t sequence) const {
  return [this, sequence, unknown = Unknowns(newest_snapshot()->spec.unknown)](const std::string& path) {
    if (!unknown.hides(path)) return false;
    const auto word = last_word_.find(path);
    return word != last_word_.end() && word->second <= sequence;
  };
}

std::int64_t accepted_here(std::int64_t told, std::int64_t ours,
                           const std::vector<std::shared_ptr<const ChangeSet>>& here) {
  const bool seen = std::ranges::any_of(here, [&](const auto& it) { return it->spec.sequence >= told; });
  return seen ? std::max(told, ours) : ours;
}

bool is_of(const ObjectMeta& live_update, const ObjectMeta& change_set) {
  const auto mine = [&](const auto& it) { return is_live_update(it) && it.uid == live_update.uid; };
  if (std::ranges::any_of(change_set.owners, mine)) return true;
  if (std::ranges::any_of(change_set.owners, is_live_update)) return false;
  return !change_set.created || !live_update.created || *change_set.created >= *live_update.created;
}

std::int64_t newest_with(std::int64_t newest, const ObjectMeta& live_update, const ChangeSet& it,
                         const Limits& limits) {
  // Half of it, so that what is posted next is not too far ahead for the operator, which has seen less.
  const bool counts = it.status.phase != "Refused" && is_of(live_update, it.meta) &&
                      it.spec.sequence <= newest + limits.farthest_ahead / 2;
  return counts ? std::max(newest, it.spec.sequence) : newest;
}

std::vector<ChangeSet> own_in_order(const ObjectMeta& live_update, std::int64_t newest,
                                    std::vector<ChangeSet> change_sets, const Limits& limits) {
  std::erase_if(change_sets, [&](const ChangeSet& it) {
    return it.status.phase == "Refused" || !is_of(live_update, it.meta);
  });
  std::ranges::sort(change_sets, {}, [](const ChangeSet& it) { return it.spec.sequence; });
  std::erase_if(change_sets, [&](const ChangeSet& it) {
    newest = newest_with(newest, live_update, it, limits);
    return it.spec.sequence > newest;
  });
  return change_sets;
}

}  // namespace live_update
