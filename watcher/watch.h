// `live-update watch` and `live-update push`: from the words of the command line to running Feeds.
#pragma once

#include "watcher/command_line.h"

namespace live_update {

// The exit code: 0 fine (also after SIGINT), 1 failed. Prints what happens, and what is wrong.
int run_watch(const KubeOptions& kube, const WatchCommand& command);

// One Snapshot, until it has arrived everywhere (0), or has failed or takes too long (1).
int run_push(const KubeOptions& kube, const PushCommand& command);

}  // namespace live_update
