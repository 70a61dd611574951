// The judge of a simulation, written from the rules (docs and the texts they come from) and not from the code.
//
// Each LiveUpdate is judged by itself. Always: whenever a status is sent, each container that it counts as Synced has what complete batches have said up
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

  // Nothing is judged any more: that takes longer with each path that was ever said.
  void look_away() { looks_away_ = true; }
  // A request that writes reaches the API server.
  void sent(const Request& request);
  // Host paths are noted, so that what was deleted is known in the end. `widest`: all syncs that there may be.
  void note_host(const LiveUpdateSpec& widest);
  // Nobody knows any more what was there before, but for what ChangeSets say: that the image has files that were
  // deleted meanwhile, and never named, is no breach (rule 5.8).
  void notes_lost() { notes_lost_ = true; }

  // What the status says of each container at present.
  std::vector<std::string> states() const;
  // Breaches so far, each a sentence.
  const std::vector<std::string>& breaches() const { return breaches_; }
  // What is not yet as it has to be in the end; empty: nothing.
  std::string unfinished() const;
  // Some container lacks what is behind a link that leads to nothing by now: nobody has it (rules 5.9, 7.6).
  bool waits_for_link() const;
  // Requests that wrote, ever; and what containers took and ran, by their IDs.
  long writes() const { return writes_; }
  std::map<std::string, std::pair<int, std::size_t>> work() const;

 private:
  // One LiveUpdate, by its name.
  struct Judged {
    std::string uid;
    std::int64_t generation = 0;
    LiveUpdateSpec spec;
    // Since when its spec has them, without a break: what failed before is dropped with its step, or with the
    // LiveUpdate that had it (rule 4.7).
    std::map<std::string, Instant> runs;
  };

  void seen(const FakeObjects::Change& change);
  void check(const Judged& judged, const LiveUpdate& live_update);
  void check_container(const Judged& judged, const ContainerStatus& told, const ModelContainer& there,
                       const LiveUpdateStatus& status);
  // Where several host paths lead, what a file and a folder at one place become is not said: that is left alone.
  std::set<std::string> unclear(const LiveUpdateSpec& spec) const;
  std::optional<std::vector<SaidValue>> acceptable(const Judged& judged, const std::string& remote,
                                                   std::int64_t sequence) const;
  std::string differs(const LiveUpdateSpec& spec, const ModelContainer& there) const;
  bool ever_said(const std::string& path) const;
  std::string left_over(const LiveUpdateSpec& spec, const ModelContainer& there) const;
  // Rule 4.5, with Mirror: of what only the container has, what should have gone.
  std::string not_mirrored(const Judged& judged, const ModelContainer& there) const;
  // At or below where another LiveUpdate's sync leads.
  bool is_of_others(const Judged& judged, const std::string& path) const;
  // What nobody may delete, and is gone.
  std::string destroyed(const ModelContainer& there) const;
  void take_spec(const LiveUpdate& live_update);
  // Of this LiveUpdate's runs that failed before `until`: one of its name before it owes nothing any more (rule 4.7).
  std::string not_run(const Judged& judged, const ModelContainer& there, Instant until) const;
  std::string untold(const std::string& name) const;
  bool waits_for_link(const std::string& name) const;
  std::optional<LiveUpdate> live_update(const std::string& name) const;
  void breach(const std::string& what);

  const SimLoop& loop_;
  FakeApiServer& api_;
  const ModelCluster& cluster_;
  const ModelHost& host_;
  Trace& trace_;
  std::map<std::string, Judged> judged_;
  std::map<std::string, Said> said_;                // by uid
  std::set<std::string> first_paths_, host_paths_;  // files and links: at the start, and all that ever were
  long writes_ = 0;
  bool notes_lost_ = false, looks_away_ = false;
  std::set<std::string> roots_;  // of all specs
  std::vector<std::string> breaches_;
};

}  // namespace live_update::sim
