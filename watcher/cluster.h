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
#include "watcher/console.h"

namespace live_update {

struct Cluster {
  ClientConfig config;
  std::unique_ptr<ApiServer> api;
};
// Says so where the API server's certificate is not looked at.
Result<Cluster> connect(Loop& loop, const KubeOptions& options);

// Runs the loop until the answer is there: only before anything else is under way.
Result<Response> request_now(Loop& loop, ApiServer& api, Request request);

// The user name that the API server knows us by: what spec.user of our ChangeSets must be.
Result<std::string> who_am_i(Loop& loop, ApiServer& api);
// The same to begin with. A name that will not be told is no reason not to begin, as not every cluster has the
// policy that asks for it: "" then, and the console says what that means. Errors: those that pass.
Result<std::string> own_name(Loop& loop, ApiServer& api, Console& console);

// NotFound names those that there are.
Result<LiveUpdate> get_live_update(Loop& loop, ApiServer& api, const ObjectKey& key);
Result<std::vector<LiveUpdate>> list_live_updates(Loop& loop, ApiServer& api, const std::string& ns);
// Server-side apply with the field manager live-update; `json` is the object as the user wrote it.
Request apply_request(const ObjectKey& key, const std::string& json);
Result<> apply_live_update(Loop& loop, ApiServer& api, const ObjectKey& key, const std::string& json);

std::string live_updates_path(const std::string& ns, const std::string& name = {});

}  // namespace live_update
