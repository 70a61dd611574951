#include "core/reconcile/pod_deletions.h"

#include <algorithm>

namespace live_update {

PodDeletions::Verdict PodDeletions::verdict(const std::string& uid, std::int64_t sequence,
                                            Instant now) const {
  if (const auto known = pods_.find(uid); known != pods_.end()) {
    const Pod& pod = known->second;
    if (pod.under_way) return {.kind = Verdict::Asked};
    if (pod.not_before <= now) return {};
    return {Verdict::Wait, pod.not_before, pod.why, true};
  }
  if (sequence > sequence_) {
    if (saves_.allows(now)) return {};
    return {Verdict::Wait, saves_.next(), "pods were deleted for the saves before this one a moment ago"};
  }
  if (left_ > 0) return {};
  const std::string why = std::to_string(deleted_) + (deleted_ == 1 ? " pod was" : " pods were") +
                          " deleted for sequence " + std::to_string(sequence_) + " already";
  if (round_ >= kRounds) return {.kind = Verdict::Never, .why = why};
  const Instant when = round_began_ + pause();
  return when <= now ? Verdict{} : Verdict{Verdict::Wait, when, why};
}

PodDeletions::Millis PodDeletions::pause() const {
  return std::min(kLongestPause, kFirstPause * (1 << (round_ - 1)));
}

void PodDeletions::asked(const std::string& uid, std::int64_t sequence, std::size_t pods, Instant now) {
  const auto [pod, first] = pods_.try_emplace(uid);
  pod->second.under_way = true;
  if (!first) return;
  if (sequence > sequence_) {
    saves_.take(now);
    sequence_ = sequence;
    left_ = 0;
    round_ = deleted_ = 0;
  }
  ++deleted_;
  if (left_ == 0) {
    ++round_;
    round_began_ = now;
    left_ = std::max<std::size_t>(pods, 1);
  }
  --left_;
}

void PodDeletions::refused(const std::string& uid, const std::string& why, Instant now) {
  const auto pod = pods_.find(uid);
  if (pod == pods_.end()) return;
  Pod& it = pod->second;
  it.under_way = false;
  it.why = why;
  it.not_before = now + std::min(kLongestPause, kFirstRetry * (1 << std::min(it.refusals++, 10)));
}

void PodDeletions::keep(const std::set<std::string>& uids) {
  std::erase_if(pods_, [&](const auto& it) { return !uids.contains(it.first); });
}

}  // namespace live_update
