// What is told about the ChangeSets: what the containers say to each of them. Pure; used by
// reconcile_status.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/reconcile/reconcile.h"

namespace live_update {

// Fills decision.change_sets, and look_again where the answer of others is waited for. `decision` has the
// status of all containers already; `fall_back` is what is said of a batch that fell back.
void describe_change_sets(const Observed& observed, const std::string& fall_back, Decision& decision);

// "pod web-1, container app: <its message>". A transport's message, which says where by itself, stays as it
// is.
std::string message_of(const ContainerStatus& container);

// "web-7f3a-000042 of ada", for people.
std::string say_author(const Batch& batch);

// Of the first container in this state; "" if none is.
std::string first_message(const std::vector<ContainerStatus>& containers, std::string_view state);

}  // namespace live_update
