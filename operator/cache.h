// What the operator reads: LiveUpdates, ChangeSets, Pods and the workloads that own them, kept up to date by
// reflectors.
//
// Loop thread only. Pointers to pods and workloads hold until the next turn of the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/api/kinds.h"
#include "core/api/object_key.h"
#include "core/cluster/store.h"
#include "kube/api_server.h"
#include "kube/reflector.h"
#include "run/loop.h"

namespace live_update {

class Cache {
 public:
  struct Options {
    std::vector<std::string> namespaces;  // empty: all
    std::string account = {};             // this program's own: nobody else's Checkpoints count
    // Something that this LiveUpdate depends on has changed, or it has itself. Only once everything has come
    // in.
    std::function<void(const ObjectKey&)> on_change;
    // Everything has come in once: only then can be told what is not there.
    std::function<void()> on_synced;
    // For the log; it is tried again by itself.
    std::function<void(const Error&)> on_problem;
  };
  Cache(Loop& loop, ApiServer& api, Options options);
  ~Cache();

  void start();
  bool synced() const;

  // Null if there is none.
  Shared<LiveUpdate> live_update(const ObjectKey& key) const;
  std::vector<Shared<ChangeSet>> change_sets(const ObjectKey& live_update) const;
  std::vector<const Pod*> pods(const std::string& ns) const;
  std::vector<const Workload*> workloads(const std::string& ns) const;
  std::vector<Shared<LiveUpdate>> live_updates(const std::string& ns) const;
  // Another one whenever a pod or workload of the namespace has changed.
  std::uint64_t version(const std::string& ns) const;

  // A ChangeSet is refused: from now on only that is known of it, not what it holds.
  void drop_content(const ObjectKey& change_set, const std::string& why);

 private:
  struct Scope;  // one namespace, or all
  void watch_workloads(Loop& loop, ApiServer& api, const std::string& ns, Scope& scope);
  const Scope* scope_of(const std::string& ns) const;
  ChangeSet read(const rapidjson::Value& json, const Store<ChangeSet>& known) const;
  ChangeSet admit(ChangeSet change_set);
  void change_set_changed(const ObjectChange<ChangeSet>& change);
  void live_update_changed(const ObjectChange<LiveUpdate>& change);
  void namespace_changed(const std::string& ns);
  void wake(const std::string& ns);
  void changed(const ObjectKey& live_update);
  void list_came_in();

  // What ChangeSets of no LiveUpdate take, by namespace, since then.
  struct Homeless {
    Instant since{};
    std::size_t bytes = 0;
  };

  Loop& loop_;
  Options options_;
  std::map<std::string, Homeless> homeless_;
  std::map<std::string, std::unique_ptr<Scope>> scopes_;                       // by namespace; "" is all
  std::map<ObjectKey, std::map<std::string, Shared<ChangeSet>>> change_sets_;  // by LiveUpdate, then by name
  std::map<std::string, std::uint64_t> versions_;                              // by namespace
  bool synced_ = false;
};

}  // namespace live_update
