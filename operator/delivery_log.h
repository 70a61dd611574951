// What the log says of a delivery: for each apply and each run one line, with who asked for it.
#pragma once

#include <vector>

#include "core/api/object_key.h"
#include "core/desired/delivery.h"
#include "core/desired/history.h"
#include "run/log.h"
#include "run/loop.h"

namespace live_update {

using LogFields = std::vector<Log::Field>;

// Whose changes are in what comes after `after`, up to `sequence`: the newest ChangeSet, and who made it or
// another that goes along.
LogFields whose(const ObjectKey& key, const History& history, std::int64_t after, std::int64_t sequence);

// When it begins, and when it is over; `fields` are those of `whose`.
void say_delivery(Log& log, LogFields fields, const ContainerRef& to, const Delivery& delivery);
void say_outcome(Log& log, LogFields fields, const ContainerRef& to, Millis took,
                 const DeliveryOutcome& outcome);

}  // namespace live_update
