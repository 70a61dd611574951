// What every subcommand that talks to a cluster begins with: a client, who we are, and clear words when it
// does not work.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/api/object_key.h"
#include "kube/api_server.h"
#include "kube/kubeconfig.h"
#include "run/loop.h"

namespace live_update {

struct Cluster {
  ClientConfig config;
  std::unique_ptr<ApiServer> api;
};
Result<Cluster> connect(Loop& loop, const KubeOptions& options);

// Runs the loop until the answer is there: only before anything else is under way.
Result<Response> request_now(Loop& loop, ApiServer& api, Request request);

// The user name that the API server knows us by; "" if it does not say.
std::string who_am_i(Loop& loop, ApiServer& api);

// NotFound names those that there are.
Result<LiveUpdate> get_live_update(Loop& loop, ApiServer& api, const ObjectKey& key);
Result<std::vector<LiveUpdate>> list_live_updates(Loop& loop, ApiServer& api, const std::string& ns);
// Server-side apply with the field manager live-update; `json` is the object as the user wrote it.
Result<> apply_live_update(Loop& loop, ApiServer& api, const ObjectKey& key, const std::string& json);

std::string live_updates_path(const std::string& ns, const std::string& name = {});

}  // namespace live_update
