// `live-update status`: what the operator says of LiveUpdates.
#pragma once

#include <string>
#include <vector>

#include "kube/kubeconfig.h"

namespace live_update {

struct StatusOptions {
  KubeOptions kube;
  std::vector<std::string> names;  // none: all of the namespace
  bool watch = false;              // -w: again whenever something changes, until interrupted
  std::string output;              // "", wide, json, yaml
};

// The exit code: 0 fine, 1 failed. Prints what is wrong.
int run_status(const StatusOptions& options);

}  // namespace live_update
