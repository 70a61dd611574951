// What is told of the containers. Pure; used by reconcile_status.cc.
#pragma once

#include <string>

#include "core/reconcile/reconcile.h"
#include "core/reconcile/reconcile_status.h"

namespace live_update {

// Fills the parts of decision.status that are about containers, and decision.in_sync, from what was decided.
void describe_containers(const Observed& observed, const PendingFallBacks& pending, Decision& decision);

// What of the content that containers lack nobody holds, and who can send it (rule 5.9); empty: nothing.
std::string say_wanted(const Observed& observed);

// There is an initialSync, and no Snapshot was posted yet.
bool snapshot_missing(const Observed& observed);

}  // namespace live_update
