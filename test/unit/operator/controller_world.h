// The whole operator in memory: caches, controller and transport on a fake API server.
#pragma once

#include "core/api/codec.h"
#include "core/api/conditions.h"
#include "operator/controller.h"
#include "operator/tar/tar_transport.h"
#include "run/content.h"
#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"
#include "test/fakes/turns.h"

namespace live_update {

// One operator; destroying it is a crash.
class Operator {
 public:
  // `transport`: in the place of the real one, whose exec sessions end as the API server says.
  Operator(Loop& loop, FakeApiServer& api, Controller::Options options = {"test"},
           ContainerTransport* transport = nullptr)
      : transport_(
            api, [&loop](Millis delay, Callback work) { return loop.after(delay, std::move(work)); },
            [&loop] { return loop.wall_clock(); }),
        cache_(loop, api,
               {.account = options.account,
                .on_change = [this](const ObjectKey& key) { controller_->enqueue(key); },
                .on_synced = [] {},
                .on_problem = [](const Error&) {}}) {
    log_ = std::move(*Log::create("error"));
    controller_ = std::make_unique<Controller>(loop, api, cache_, transport ? *transport : transport_, *log_,
                                               metrics_, std::move(options));
    cache_.start();
  }
  std::string metrics() const { return metrics_.text(); }

 private:
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  TarTransport transport_;
  std::unique_ptr<Controller> controller_;
  Cache cache_;
};

class Cluster {
 public:
  Cluster() : api(loop) {
    api.on_exec = [this](FakeExec& exec) {
      execs.push_back(exec.request().pod);
      exec.on_input([exec]() mutable {
        if (exec.input_closed()) exec.exit(0);
      });
      if (!exec.request().stdin_open) exec.exit(0);
    };
    api.objects.set("/apis/apps/v1/namespaces/shop/deployments/web",
                    R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":{"metadata":{}}}})");
    api.objects.set(kLiveUpdate, R"({"apiVersion":"liveupdate.dev/v1alpha1","kind":"LiveUpdate","spec":{
      "target":{"workload":{"kind":"Deployment","name":"web"}},
      "source":{"context":["."]},
      "steps":[{"sync":{"from":"src","to":"/app"}}]}})");
    replica_set("web-1", 1);
  }
  void replica_set(const std::string& name, int revision) {
    api.objects.set(
        "/apis/apps/v1/namespaces/shop/replicasets/" + name,
        R"({"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"annotations":{"deployment.kubernetes.io/revision":")" +
            std::to_string(revision) +
            R"("},"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"d","controller":true}]}})");
  }
  void pod(const std::string& name, const std::string& id, const std::string& annotations = "{}") {
    api.objects.set(
        "/api/v1/namespaces/shop/pods/" + name,
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":"2026-01-01T00:00:00Z","annotations":)" +
            annotations +
            R"(,"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-1","uid":"r","controller":true}]},
        "spec":{"containers":[{"name":"app","image":"web:1"}]},
        "status":{"phase":"Running","containerStatuses":[{"name":"app","containerID":"containerd://)" +
            id + R"(","state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}}}]}})");
  }
  void post(std::int64_t sequence, const std::string& path, const std::string& content) {
    ChangeSet it;
    it.meta = {"shop", change_set_name("web", "7f3a", sequence)};
    it.meta.created = *parse_time("2026-01-01T00:00:00Z");
    it.spec = {"web", "7f3a", "ada", sequence};
    it.spec.observed_at = it.spec.posted_at = loop.wall_clock() - std::chrono::milliseconds(3);
    Change change{path};
    change.size = content.size();
    change.digest = sha256(content);
    change.content = std::make_shared<std::string>(content);
    it.spec.changes.push_back(change);
    api.objects.set("/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/" + it.meta.name,
                    encode_change_set(it));
  }
  // Lets everything happen that can happen within some milliseconds; statuses are written 50 ms late.
  void turn(Millis time = Millis(80)) { turn_for(loop, time); }
  // Until this LiveUpdate's written status says so; ten seconds are the deadline, not the rule.
  bool until_synced(const std::string& synced, std::int64_t sequence) {
    return until([&] { return status().synced == synced && status().sequence == sequence; });
  }
  bool until(const std::function<bool()>& reached) {
    for (int i = 0; i < 1000 && !reached(); ++i) turn_for(loop, Millis(10));
    return reached();
  }
  LiveUpdateStatus status() { return decode_live_update(*parse_json(api.text(kLiveUpdate)))->status; }
  std::optional<ChangeSetStatus> change_set_status(std::int64_t sequence) {
    const std::string path = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/changesets/" +
                             change_set_name("web", "7f3a", sequence);
    const std::string text = api.text(path);
    if (text.empty()) return std::nullopt;
    return decode_change_set(*parse_json(text))->status;
  }
  std::string phase(std::int64_t sequence) {
    const auto status = change_set_status(sequence);
    return status ? status->phase : "deleted";
  }

  static constexpr const char* kLiveUpdate = "/apis/liveupdate.dev/v1alpha1/namespaces/shop/liveupdates/web";
  UvLoop loop;
  FakeApiServer api;
  std::vector<std::string> execs;  // pods, in order
};

}  // namespace live_update
