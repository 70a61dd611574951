// One simulated world: a developer's machine, an API server, a cluster, the programs, and the judge of it all.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "test/sim/oracle/oracle.h"
#include "test/sim/world/processes.h"

namespace live_update::sim {

inline const std::string kLiveUpdates = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/";
inline const std::string kChangeSets = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/";

class World {
 public:
  World(std::uint64_t seed, bool print);

  // Files, an image that holds them, a LiveUpdate, an operator and a watcher.
  void begin();
  // Runs until then, crashes included.
  void run_for(Micros time);

  // --- the programs
  void start_operator();
  void crash_operator(std::size_t which);
  std::size_t operators() const { return operators_.size(); }
  void start_watcher();
  void stop_watcher(bool clean);
  bool watching() const { return watcher_ != nullptr; }
  // After so many further steps of the loop, whatever those are.
  void at_step(int steps, Callback work);
  void later(Micros delay, Callback work);

  // --- the LiveUpdate
  void make_live_update();
  void change_spec(LiveUpdateSpec spec);
  void delete_live_update();  // and, a little later, its ChangeSets
  bool has_live_update() const { return !api.text(kLiveUpdates + "web").empty(); }

  // --- the network
  void for_each_link(const std::function<void(Link&)>& work);
  // From now on admission refuses this path. Empty: none, and the watcher starts again, as it says that one has to.
  void forbid(const std::string& path);
  std::vector<std::string> change_sets() const;  // names

  // Nothing goes wrong any more, and all programs run, one of each.
  void calm_down();

  Random random;  // of what happens
  SimLoop loop;
  Trace trace;
  FakeApiServer api;
  ModelHost host;
  ModelCluster cluster;
  Oracle oracle;
  LiveUpdateSpec spec;
  std::set<std::string> commands;  // of runs, ever

 private:
  Link& new_link(const std::string& name);

  const std::uint64_t seed_;
  struct Running {
    std::string name;
    Link* link = nullptr;
    std::unique_ptr<OperatorProcess> process;
  };
  std::unique_ptr<Ceiling> ceiling_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Running> operators_;
  std::unique_ptr<WatcherProcess> watcher_;
  Link* watcher_link_ = nullptr;
  std::string forbidden_;
  int operators_made_ = 0, watchers_made_ = 0;
  std::vector<std::pair<std::uint64_t, Callback>> at_steps_;
  std::vector<Handle> later_;
};

}  // namespace live_update::sim
