#include "run/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace live_update {
namespace {

using Counters = prometheus::Family<prometheus::Counter>;
using Boundaries = prometheus::Histogram::BucketBoundaries;

const Boundaries kSeconds{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30};
// The headline lies between 2 ms and 1 s: there each step is at most half of the one before.
const Boundaries kSaveSeconds{0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.012, 0.015,
                              0.02,  0.025, 0.03,  0.04,  0.05,  0.075, 0.1,   0.15, 0.2,   0.3,
                              0.4,   0.5,   0.75,  1,     2,     5,     10,    30};
const Boundaries kPartSeconds{0.00025, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015,
                              0.02,    0.03,   0.05,  0.075, 0.1,   0.2,   0.5,   1,     2,     5,    10};
const Boundaries kTurnSeconds{0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5};
const Boundaries kLookSeconds{0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.1, 1};

}  // namespace

struct Metrics::Impl {
  Impl() {
    for (const char* result : {"success", "requeue_after", "error"}) reconciles.Add({{"result", result}});
    for (const char* result : {"success", "error"}) applies.Add({{"result", result}});
    for (const char* result : {"success", "exit", "error"}) execs.Add({{"result", result}});
    for (const char* phase : {"Waiting", "Applied", "FallBack", "Failed", "Refused", "Nothing", "Superseded"})
      change_sets.Add({{"phase", phase}});
    for (const char* part : {"posted", "received", "planned", "sent", "confirmed"})
      save_parts.Add({{"part", part}}, kPartSeconds);
    for (const auto& [verb, code] :
         {std::pair{"GET", "200"}, {"POST", "201"}, {"PATCH", "200"}, {"WATCH", "200"}})
      requests.Add({{"verb", verb}, {"code", code}});
    prometheus::BuildGauge()
        .Name("live_update_build_info")
        .Help("The version, as a label of the value 1")
        .Register(registry)
        .Add({{"version", LIVE_UPDATE_VERSION}})
        .Set(1);
  }
  Counters& counters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  prometheus::Gauge& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
  prometheus::Histogram& histogram(const char* name, const char* help, const Boundaries& boundaries) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, boundaries);
  }

  prometheus::Registry registry;
  Counters& reconciles = counters("live_update_reconcile_total", "Looks at a LiveUpdate, by result");
  prometheus::Histogram& reconcile_time =
      histogram("live_update_reconcile_time_seconds", "Time of one look at a LiveUpdate", kLookSeconds);
  prometheus::Gauge& depth = gauge("live_update_workqueue_depth", "LiveUpdates waiting for a look");
  prometheus::Counter& adds =
      counters("live_update_workqueue_adds_total", "LiveUpdates put into the queue").Add({});
  prometheus::Counter& retries = counters("live_update_workqueue_retries_total",
                                          "Looks asked for because something is to be tried again")
                                     .Add({});
  Counters& applies = counters("live_update_apply_total", "Batches brought to a container, by result");
  prometheus::Histogram& apply_time =
      histogram("live_update_apply_seconds", "Time of one batch for one container, runs included", kSeconds);
  prometheus::Histogram& save_to_applied =
      histogram("live_update_save_to_applied_seconds",
                "From the file event on the developer's machine until every container has it", kSaveSeconds);
  prometheus::Family<prometheus::Histogram>& save_parts =
      prometheus::BuildHistogram()
          .Name("live_update_save_to_applied_part_seconds")
          .Help("The stages of save_to_applied_seconds, each by itself")
          .Register(registry);
  Counters& change_sets = counters("live_update_changesets_total", "ChangeSets by the phase they reached");
  prometheus::Counter& write_errors =
      counters("live_update_write_errors_total", "Writes to the API server that failed").Add({});
  Counters& requests = counters("live_update_api_requests_total",
                                "Requests to the API server by verb and status code or kind of error");
  Counters& execs = counters("live_update_exec_sessions_total", "Exec sessions that ended, by result");
  prometheus::Histogram& turns =
      histogram("live_update_loop_turn_seconds", "CPU time of one turn of the event loop", kTurnSeconds);
  prometheus::Gauge& longest_turn =
      gauge("live_update_loop_turn_longest_seconds", "The most CPU time that one turn of it has taken");
  prometheus::Gauge& open_execs = gauge("live_update_exec_sessions_open", "Exec sessions under way");
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::reconciled(double seconds, Looked result) {
  const char* word = result == Looked::Error          ? "error"
                     : result == Looked::RequeueAfter ? "requeue_after"
                                                      : "success";
  impl_->reconciles.Add({{"result", word}}).Increment();
  impl_->reconcile_time.Observe(seconds);
}
void Metrics::queue_depth(std::size_t depth) { impl_->depth.Set(static_cast<double>(depth)); }
void Metrics::queue_added() { impl_->adds.Increment(); }
void Metrics::queue_retried() { impl_->retries.Increment(); }
void Metrics::delivered(double seconds, bool success) {
  impl_->applies.Add({{"result", success ? "success" : "error"}}).Increment();
  impl_->apply_time.Observe(seconds);
}
void Metrics::saved_to_applied(double seconds) { impl_->save_to_applied.Observe(seconds); }
void Metrics::saved_to_applied_part(std::string_view part, double seconds) {
  impl_->save_parts.Add({{"part", std::string(part)}}, kPartSeconds).Observe(seconds);
}
void Metrics::change_set(const std::string& phase) { impl_->change_sets.Add({{"phase", phase}}).Increment(); }
void Metrics::write_failed() { impl_->write_errors.Increment(); }
void Metrics::api_request(std::string_view verb, std::string_view code) {
  impl_->requests.Add({{"verb", std::string(verb)}, {"code", std::string(code)}}).Increment();
}
void Metrics::loop_turned(double cpu_seconds) {
  impl_->turns.Observe(cpu_seconds);
  if (cpu_seconds > impl_->longest_turn.Value()) impl_->longest_turn.Set(cpu_seconds);
}
void Metrics::exec_opened() { impl_->open_execs.Increment(); }
void Metrics::exec_closed() { impl_->open_execs.Decrement(); }
void Metrics::exec_ended(std::string_view result) {
  impl_->execs.Add({{"result", std::string(result)}}).Increment();
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace live_update
