#include "watcher/give_way.h"

#include <algorithm>

#include "core/desired/history.h"

namespace live_update {
namespace {

constexpr std::size_t kMostSessions = 64;  // whose displaced batches are remembered

}  // namespace

void GiveWay::await(Awaited& awaited, bool unfinished, Instant now) {
  if (awaited.until <= now) awaited.since = now;
  awaited.unfinished = unfinished;
  awaited.until = std::min(now + kPatience, awaited.since + kLongest);
}

void GiveWay::saw(const ChangeSet& other, std::int64_t newest, Instant now) {
  if (!sessions_.contains(other.spec.session) && sessions_.size() >= kMostSessions) sessions_.clear();
  Awaited& awaited = sessions_[other.spec.session];
  const ChangeSetSpec& spec = other.spec;
  if (spec.sequence <= awaited.displaced) return;  // known
  const std::string& phase = other.status.phase;
  const bool torn = phase == "Superseded" && awaited.unfinished;
  if (torn || is_sequence_used(other.status)) {
    awaited.displaced = spec.sequence;
    return await(awaited, false, now);
  }
  if (phase == "Refused" || phase == "Superseded") return;
  if (spec.part < spec.parts) {
    if (phase.empty() && spec.sequence > newest) await(awaited, true, now);
    return;
  }
  awaited.until = {};
  awaited.unfinished = false;
}

std::optional<GiveWay::Instant> GiveWay::until(Instant now, bool displaced) const {
  std::optional<Instant> last;
  for (const auto& [session, awaited] : sessions_)
    if (awaited.until > now && (awaited.unfinished || !displaced))
      last = std::max(last.value_or(now), awaited.until);
  return last;
}

}  // namespace live_update
