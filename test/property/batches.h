// Batches as a watcher posts them: differences of a disk, Snapshots of it, their parts.
#pragma once

#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "test/property/disk.h"
#include "watcher/packer.h"

namespace live_update::property {

ChangeSetSpec delta_of(std::vector<Change> changes);
ChangeSetSpec whole_snapshot_of(const Disk& disk);
// Without what is held back (rule 2.8) and, now and then, a path or two that cannot be looked at.
ChangeSetSpec snapshot_of(const Disk& disk, Dice& dice);
// What is done to a disk as a Delta, a Snapshot, or a Build, which changes nothing.
ChangeSetSpec any_batch(Disk disk, const FewEdits& edits, Dice& dice);

std::vector<const ChangeSetSpec*> pointers_to(const std::vector<ChangeSetSpec>& parts);
// They are numbered, and together they name what the batch names, in its order; the bytes of each file are all there.
bool are_parts_of(const ChangeSetSpec& batch, const std::vector<ChangeSetSpec>& parts);
// From all pieces, without gaps; else something else.
std::string joined_bytes(const Entry& entry);

std::string text_of(const ChangeSetSpec& batch);

}  // namespace live_update::property
