// LiveUpdates as `live-update status` shows them. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// NAME TARGET SYNCED SEQUENCE STATE HOLDER AGE, as `kubectl get lu`.
std::string status_table(const std::vector<LiveUpdate>& live_updates, Time now);

// One LiveUpdate with every container that is not synced, its conditions that ask for something, and the
// fall-back. Wide: every container with its transport, and how long the newest save took.
std::string status_details(const LiveUpdate& live_update, bool wide, Time now);

// "5s", "3m", "2h", "9d", as kubectl writes ages.
std::string say_age(std::chrono::seconds age);

}  // namespace live_update
