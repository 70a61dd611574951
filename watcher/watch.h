// `live-update watch` and `live-update push`: from the words of the command line to running Feeds.
#pragma once

#include <string>
#include <vector>

#include "kube/kubeconfig.h"

namespace live_update {

struct WatchOptions {
  KubeOptions kube;
  std::vector<std::string> names;  // of LiveUpdates; none: the only one of the namespace
  std::string file;                // -f: applied first
  std::string root;                // --root; default: the file's directory, else the current one
  bool allow_deletes = false;      // rule 7.4
  bool once = false;               // push: one Snapshot, until it has arrived or failed
  int timeout_seconds = 300;       // of a push
};

// The exit code: 0 fine (also after SIGINT), 1 failed. Prints what is wrong.
int run_watch(const WatchOptions& options);

}  // namespace live_update
