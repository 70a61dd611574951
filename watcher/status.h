// `live-update status`: what the operator says of LiveUpdates.
#pragma once

#include "watcher/command_line.h"

namespace live_update {

// The exit code: 0 fine, 1 failed. Prints what is wrong.
int run_status(const KubeOptions& kube, const StatusCommand& command);

}  // namespace live_update
