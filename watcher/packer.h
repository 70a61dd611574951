// Packer: from one batch of changes to the ChangeSets that carry it.
//
// etcd is a database of small objects: one ChangeSet carries at most Limits::inline_content bytes of encoded
// content and Limits::packed_changes paths. A larger batch is split over parts of consecutive sequences, a large file over
// pieces (Change::offset); the operator applies all parts as one. Pure.
#pragma once

#include <vector>

#include "core/api/limits.h"

namespace live_update {

// `header` gives everything but the changes, parts and sequences; its sequence is that of the first part. Its
// unknown paths come with the first parts, what the machine ignores with the last one.
// `changes` have their whole content as one Identity piece, or none. At least one part comes back, also for
// no changes (an empty Snapshot). Contents are let go one by one: all of it is never held twice.
std::vector<ChangeSetSpec> pack(const ChangeSetSpec& header, std::vector<Change> changes,
                                const Limits& limits = {});

// Gives the parts consecutive sequences from `first` on.
void number(std::vector<ChangeSetSpec>& parts, std::int64_t first);

}  // namespace live_update
