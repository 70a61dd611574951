// One simulated world: a developer's machine, an API server, a cluster, the programs, and the judge of it all.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "test/sim/driver/specs.h"
#include "test/sim/oracle/oracle.h"
#include "test/sim/world/processes.h"

namespace live_update::sim {

inline const std::string kLiveUpdates = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/";
inline const std::string kChangeSets = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/";

class World {
 public:
  // `without`: faults and circumstances that there are not (faults.h).
  World(std::uint64_t seed, bool print, const std::set<std::string>& without = {});

  // Files, an image that holds them, a LiveUpdate, an operator and a watcher.
  void begin();
  // Runs until then, crashes included.
  void run_for(Micros time);

  // --- the programs; there is a watcher for each LiveUpdate, and they start and stop together
  void start_operator();
  void crash_operator(std::size_t which);
  std::size_t operators() const { return operators_.size(); }
  void start_watcher();
  void stop_watcher(bool clean);
  bool watching() const { return watching_; }
  // After so many further steps of the loop, whatever those are.
  void at_step(int steps, Callback work);
  void later(Micros delay, Callback work);

  // --- the LiveUpdate
  void make_live_update();
  void change_spec(LiveUpdateSpec spec);
  void ask_for_comparison();
  void delete_live_update();  // and, a little later, its ChangeSets
  bool has_live_update() const { return !api.text(kLiveUpdates + "web").empty(); }

  // --- the network
  void for_each_link(const std::function<void(Link&)>& work);
  // From now on admission refuses this path. Empty: none, and the watcher starts again, as it says that one has to.
  void forbid(const std::string& path);
  std::vector<std::string> change_sets() const;  // names, in order of sequence

  // Nothing goes wrong any more, and all programs run, one of each.
  void calm_down();

  Random random;  // of what happens
  const Breadth breadth;
  SimLoop loop;
  Trace trace;
  FakeApiServer api;
  ModelHost host;
  ModelCluster cluster;
  Oracle oracle;
  LiveUpdateSpec spec;
  std::set<std::string> commands;  // of runs, ever
  Limits limits;                   // small, so that all of them are met

 private:
  Link& new_link(const std::string& name);
  void allow(const std::string& name);
  void apply(const std::string& name, const LiveUpdateSpec& spec);

  const bool mirrors_, neighbours_, claims_;
  const std::uint64_t seed_;
  struct Running {
    std::string name;
    Link* link = nullptr;
    std::unique_ptr<OperatorProcess> process;
  };
  // A watcher that runs, or has: what it had sent may still be on its way.
  struct Watching {
    std::unique_ptr<Ceiling> ceiling;
    Link* link = nullptr;
    std::unique_ptr<WatcherProcess> process;
  };
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Running> operators_;
  std::map<std::string, Watching> watchers_;  // by LiveUpdate
  bool watching_ = false;
  std::string forbidden_;
  int operators_made_ = 0, watchers_made_ = 0, asked_ = 0;
  std::vector<std::pair<std::uint64_t, Callback>> at_steps_;
  std::vector<Handle> later_;
};

}  // namespace live_update::sim
