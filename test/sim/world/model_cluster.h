// What Kubernetes does with one Deployment: replica sets, pods that come and go, containers that are restarted, and
// the way into them (exec). Objects are in the API server, containers here.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "test/fakes/fake_api_server.h"
#include "test/sim/world/model_agent.h"
#include "test/sim/world/model_container.h"

namespace live_update::sim {

class ModelCluster {
 public:
  ModelCluster(SimLoop& loop, FakeApiServer& api, Trace& trace, Random random, agent::Digest program);

  void deploy(Nodes image, int replicas);

  // --- what happens
  void scale(int replicas);
  int replicas() const { return replicas_; }
  void delete_pod(const std::string& name);  // in its own time
  void restart_container(const std::string& pod);
  // From now on all that containers have lies on claims: a restarted one has what the one before had, and a new pod often
  // has what one had that is gone. Those that are there now are not found again once the claims are dropped.
  void give_claims() { claims_given_ = true; }
  void drop_claims() { claims_.clear(), ++claims_made_; }
  std::vector<std::string> pods() const;  // whose containers run
  // The program in it writes a file. `kept`: nobody may delete it.
  void leave(const std::string& pod, const std::string& path, bool kept);
  void set_failing_runs(int permille);
  void set_hanging_runs(int permille);
  void refuse_exec(bool refuse);  // and agents end
  void set_full(const std::string& pod, bool full);

  // --- what there is
  // Null: there is none any more.
  const ModelContainer* container(const std::string& id) const;
  std::vector<const ModelContainer*> running() const;
  // As it is at this moment with any container: all pods are there, run, and none is leaving.
  bool settled() const;

 private:
  // What lies on it, and what of that nobody may delete.
  struct Claim {
    Nodes tree;
    std::set<std::string> kept;
  };
  struct Pod {
    std::string name, uid;
    int revision = 0;
    std::string annotations;                    // JSON
    std::unique_ptr<ModelContainer> container;  // null: it does not run yet
    std::string ended;                          // the ID of the one before, while that is still told
    std::optional<Claim> claim;                 // what its next container finds
    int claims_made = 0;
    bool leaving = false;
    Handle timer;
  };

  void seen(const FakeObjects::Change& change);
  void deployment_changed(const rapidjson::Value& object);
  void pod_gone(const std::string& name);
  void reconcile();
  void reconcile_soon();
  void make_replica_set();
  void make_pod();
  void start_container(Pod& pod);
  void kill_container(Pod& pod);
  void write(const Pod& pod);
  void serve(FakeExec& exec);

  SimLoop& loop_;
  FakeApiServer& api_;
  Trace& trace_;
  Random random_;
  const agent::Digest program_;
  Nodes image_;
  int replicas_ = 0, revision_ = 1, names_ = 0, ids_ = 0;
  bool refuses_exec_ = false;
  int failing_runs_ = 0, hanging_runs_ = 0;
  bool claims_given_ = false;
  int claims_made_ = 0;
  std::vector<Claim> claims_;  // of pods that are gone
  std::string template_annotations_ = "{}";
  std::map<std::string, Pod> pods_;
  Handle reconcile_;
};

}  // namespace live_update::sim
