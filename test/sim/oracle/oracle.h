// The judge of a simulation, written from the rules (docs and the texts they come from) and not from the code.
//
// Always: whenever a status is sent, each container that it counts as Synced has what complete batches have said up
// to the status's sequence, where the syncs of its observedGeneration lead. In the end: host and containers are
// equal, and the status says so.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "test/sim/oracle/said.h"
#include "test/sim/world/link.h"
#include "test/sim/world/model_cluster.h"
#include "test/sim/world/model_host.h"

namespace live_update::sim {

class Oracle {
 public:
  // All outlive it. It listens to all that happens to the API server's objects.
  Oracle(const SimLoop& loop, FakeApiServer& api, const ModelCluster& cluster, const ModelHost& host,
         Trace& trace);

  // A request that writes reaches the API server.
  void sent(const Request& request);
  // Host paths are noted, so that what was deleted is known in the end.
  void note_host();

  // What the status says of each container at present.
  std::vector<std::string> states() const;
  // Breaches so far, each a sentence.
  const std::vector<std::string>& breaches() const { return breaches_; }
  // What is not yet as it has to be in the end; empty: nothing.
  std::string unfinished() const;

 private:
  void seen(const FakeObjects::Change& change);
  void check(const LiveUpdate& live_update);
  void check_container(const ContainerStatus& told, const ModelContainer& there,
                       const LiveUpdateStatus& status);
  std::string differs(const ModelContainer& there) const;
  std::string left_over(const ModelContainer& there) const;
  // Of runs that failed before `until`.
  std::string not_run(const ModelContainer& there, Instant until) const;
  std::string untold() const;
  std::optional<LiveUpdate> live_update() const;
  void breach(const std::string& what);

  const SimLoop& loop_;
  FakeApiServer& api_;
  const ModelCluster& cluster_;
  const ModelHost& host_;
  Trace& trace_;
  std::string uid_;
  std::int64_t generation_ = 0;
  LiveUpdateSpec spec_;
  std::map<std::string, Said> said_;  // by uid
  std::set<std::string> host_paths_;  // files that ever were
  std::set<std::string> roots_;       // of all specs
  std::vector<std::string> breaches_;
};

}  // namespace live_update::sim
