// The operator's one loop over LiveUpdates: gather what the caches hold, `decide`, carry it out, record
// (controller-runtime's shape).
//
// Loop thread only. Everything it keeps beside the caches can be lost: after a restart it is rebuilt from
// what the API server holds (status, ChangeSets, pods).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/cluster/work_queue.h"
#include "core/reconcile/forgetting.h"
#include "core/reconcile/reconcile.h"
#include "kube/api_server.h"
#include "operator/cache.h"
#include "operator/checkpointer.h"
#include "operator/exec/transport.h"
#include "operator/held_rules.h"
#include "operator/meant_containers.h"
#include "operator/orphans.h"
#include "operator/recorder.h"
#include "operator/run_log.h"
#include "operator/write_queue.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/metrics.h"

namespace live_update {

class Controller {
 public:
  struct Options {
    std::string instance = {};       // this pod's name, for Events
    std::string own_namespace = {};  // nothing is applied there; empty: it is not known
    Millis redeploy_period{30'000};  // of a LiveUpdate, after the first two
    Millis retry{5'000};             // of what the API server or the cache could not give
    Millis refused_time{10'000};     // so long a refused ChangeSet can be read
    Millis orphan_time{30'000};      // and one that has no LiveUpdate
    // As the API server knows this program: Checkpoints are posted by that name. Empty: none are.
    std::string account = {};
    Limits limits = {};
  };
  Controller(Loop& loop, ApiServer& api, Cache& cache, ContainerTransport& transport, Log& log,
             Metrics& metrics, Options options);

  // Something of this LiveUpdate may have changed: it is looked at on this turn or the next.
  void enqueue(const ObjectKey& key);

 private:
  // What is remembered of one LiveUpdate between two looks.
  struct Memory {
    explicit Memory(const Options& options)
        : history(options.limits), redeploys(kRedeploysAtOnce, options.redeploy_period) {}
    std::string uid;  // another object of the same name starts afresh
    CheckedSpec checked;
    History history;
    std::int64_t lost_before = 0;  // what an operator before this one knew to be lost
    Judgements judgements;
    Lanes lanes;
    Forgetting forgetting;
    std::map<std::string, Handle> deliveries;  // under way, by container ID
    BatchTimesMap times;
    OlderPods older_pods;
    std::map<std::int64_t, Handle> pod_lists;  // under way, by the batch they are for
    RateLimit redeploys;
    std::set<std::string> redeployed_pods;  // uids that the last one deletes, while none is known to be
    PodDeletions deletions;
    std::size_t pods = 0;  // that are meant
    std::string redeploy_problem;
    std::int64_t redeploying = 0;  // the sequence that a restart is being asked for
    Handle redeploy;
    Records written;
    std::map<std::int64_t, RunLog> run_logs;  // by the batch's sequence
    PrintedMap printed;
    std::set<std::string> expected;  // container IDs that the transport knows of
    std::unique_ptr<Checkpointer> checkpointer;
    std::int64_t merging = 0;  // the sequence of the Checkpoint that was asked for last
    Instant merge_again{};     // if it is not seen by then
    bool failed = false;       // something that was asked for since the last look
  };
  static constexpr int kRedeploysAtOnce = 2;

  void schedule();
  void drain();
  Looked reconcile(const ObjectKey& key);
  Looked go_on_later(const LiveUpdate& live_update);
  void check(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory);
  Memory& memory_of(const ObjectKey& key, const LiveUpdate& live_update);
  void take_change_sets(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory);
  Observed observe(const LiveUpdate& live_update, Memory& memory);
  void carry_out(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory, Decision decision);
  void drop_gone(Memory& memory, const TargetSearch& search);
  void deliver(const ObjectKey& key, Memory& memory, const DeliverTo& it);
  void ran(const ObjectKey& key, const ContainerRef& to, std::int64_t sequence, int step,
           std::string_view bytes);
  void delivered(ObjectKey key, ContainerRef to, std::int64_t sequence, Instant began,
                 DeliveryOutcome outcome);
  void delete_pod(const ObjectKey& key, Memory& memory, const PodToDelete& pod);
  void pod_deleted(const ObjectKey& key, const PodToDelete& pod, const Result<>& result);
  void redeploy(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory,
                const RedeployAction& action);
  void redeployed(ObjectKey key, Result<Response> result, bool counted);
  void ask_for_pods(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory);
  void pods_listed(ObjectKey key, std::int64_t sequence, std::set<std::string> before,
                   const Result<Response>& result);
  void merge(const ObjectKey& key, const LiveUpdate& live_update, Memory& memory, std::int64_t through);
  void merged(const ObjectKey& key, const Result<>& result);
  void note_times(const ObjectKey& key, Memory& memory);
  void count(Memory& memory, const ChangeSetNote& note);
  void forget(const ObjectKey& key);
  void let_go(const Memory& memory);

  Loop& loop_;
  ApiServer& api_;
  Cache& cache_;
  MeantContainers meant_;
  HeldRules held_rules_;
  ContainerTransport& transport_;
  Log& log_;
  Metrics& metrics_;
  Options options_;
  WriteQueue writes_;
  Recorder recorder_;
  Orphans orphans_;
  WorkQueue<ObjectKey> queue_;
  Handle drain_;
  Instant drain_at_{};
  std::map<ObjectKey, Memory> memories_;
  std::map<ObjectKey, Time> arrivals_;  // of the first event since the last look
};

}  // namespace live_update
