// What an operator keeps of a ChangeSet, and why it may not carry one out. Pure.
#pragma once

#include <string>

#include "core/api/kinds.h"

namespace live_update {

// Nothing that it does not use; and of one that must be refused, its place and the flaw.
ChangeSet kept(ChangeSet change_set);
ObjectMeta kept(ObjectMeta change_set);
ChangeSet without_content(ChangeSet change_set, std::string flaw);

// Why no operator may carry out this ChangeSet, or empty: paths that lead out of the root (rules 1.5, 4.3),
// contradictory fields, a bad digest. The API server refuses most of it already; a hand-written one must not
// get further either way.
std::string refusal(const ChangeSetSpec& spec);

}  // namespace live_update
