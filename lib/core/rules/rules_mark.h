// By which rules a container was brought to its state (rule 5.7). Pure.
//
// What a spec says of *what is where* has a mark. A container is synced only if it was compared under the rules
// that are there now; so each one's mark is remembered, also over a restart of the operator.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// Equal for two specs that put the same paths into the same places of the same containers, and by which the
// same batches fall back. Runs, restarts and how things are done do not count. Text for a status: a
// digest of everything, then one of each sync.
std::string rules_mark(const LiveUpdateSpec& spec);

// The same together with where syncs of other LiveUpdates lead, which decides it, too (rule 4.3).
std::string rules_mark(const std::string& of_spec, const std::vector<std::string>& other_roots);

// Equal for two specs by which the same paths of a machine count that a sync may map (rules 2.1, 3.2): what a Snapshot
// says is all there is for specs of its own reach.
std::string reach_mark(const LiveUpdateSpec& spec);

// Equal for two specs by which what is on a machine leads to the same files in a container's directories: reach, and
// where syncs lead. What an image was taken to hold under one, it was not under another (rules 5.7, 5.8).
std::string baseline_mark(const LiveUpdateSpec& spec);

// Whether the rules `before` may have put something where those of `now` put nothing: a sync is gone.
bool leaves_behind(std::string_view before, std::string_view now);

}  // namespace live_update
