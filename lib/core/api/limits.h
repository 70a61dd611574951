// How much of everything there may be: what the programs bound themselves (Limits), and the bounds of the CRDs. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/api/kinds.h"
#include "core/base/json.h"

namespace live_update {

// How many ChangeSets are kept (rule 7.5).
struct CheckpointLimits {
  // Confirmed ones, beside those of the last Checkpoint: with more another one is made.
  std::size_t most = 150;
  // Of these, so many of the newest stay: their statuses are still read.
  std::size_t apart = 50;
  // Encoded bytes in a Checkpoint, newest first: what is beyond that is not held.
  std::size_t content = 16 << 20;
  // Of one ChangeSet of it: bytes, about, and changes.
  std::size_t part = 900'000, changes = kMostChanges;
};

// What the programs bound, in one place: these are the numbers of the product, and the simulation draws small ones, so
// that it comes to each of them. A value, given to whatever needs it when that is made.
struct Limits {
  // --- of a ChangeSet that a watcher posts: encoded bytes of content, after zstd and before base64, and changes
  std::size_t inline_content = 128 << 10, packed_changes = 1000;
  // --- of a file that is sent, in bytes, and of all that is kept of files between reading and sending
  std::uint64_t file = 32 << 20, kept_content = 64 << 20;
  // --- of a history: how far ahead of the newest sequence is no gap any more, but refused; bytes of what waits behind
  // a gap (four parts of a batch that overtake others are far less); characters in which status.history names what is
  // needed, what is behind that is not named
  std::int64_t farthest_ahead = 10'000;
  std::size_t waiting = 32 << 20, needed = 16 << 10;
  CheckpointLimits checkpoints;
  // --- of a status: containers, groups of others that are alike and the IDs in each, files that are wanted
  std::size_t containers = 100, others = 16, other_ids = 10'000, wanted = 1000;
  // --- of one look: deliveries that begin; so many take some 7 ms, and the next ones follow in another turn
  std::size_t deliveries = 100;
};

// Bytes of one file that a ChangeSet may announce: what is unpacked has a bound before it is.
inline constexpr std::uint64_t kLargestFile = 1ull << 30;

// What no rule forbids, but the CRD's bounds on lengths and numbers of entries do: the API server would
// refuse it.
std::vector<FieldError> limits(const LiveUpdate& live_update);

}  // namespace live_update
