#include "run/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace live_update {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

namespace {
const prometheus::Histogram::BucketBoundaries kSeconds{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                                       0.2,   0.5,   1,     2,    5,    10,   30};
}

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Counter& reconciles = BuildCounter()
                                        .Name("live_update_reconcile_total")
                                        .Help("Looks at a LiveUpdate")
                                        .Register(registry)
                                        .Add({});
  prometheus::Histogram& reconcile_time =
      BuildHistogram()
          .Name("live_update_reconcile_time_seconds")
          .Help("Time of one look at a LiveUpdate")
          .Register(registry)
          .Add({}, prometheus::Histogram::BucketBoundaries{0.0001, 0.001, 0.01, 0.1, 1});
  prometheus::Gauge& depth = BuildGauge()
                                 .Name("live_update_workqueue_depth")
                                 .Help("LiveUpdates waiting for a look")
                                 .Register(registry)
                                 .Add({});
  prometheus::Family<prometheus::Counter>& deliveries = BuildCounter()
                                                            .Name("live_update_deliveries_total")
                                                            .Help("Batches brought to a container, by result")
                                                            .Register(registry);
  prometheus::Counter& delivered = deliveries.Add({{"result", "success"}});
  prometheus::Counter& not_delivered = deliveries.Add({{"result", "error"}});
  prometheus::Histogram& delivery_time = BuildHistogram()
                                             .Name("live_update_delivery_seconds")
                                             .Help("Time of one batch for one container, runs included")
                                             .Register(registry)
                                             .Add({}, kSeconds);
  prometheus::Histogram& save_to_applied =
      BuildHistogram()
          .Name("live_update_save_to_applied_seconds")
          .Help("From the file event on the developer's machine until every container has it")
          .Register(registry)
          .Add({}, kSeconds);
  prometheus::Family<prometheus::Counter>& change_sets = BuildCounter()
                                                             .Name("live_update_changesets_total")
                                                             .Help("ChangeSets by the phase they reached")
                                                             .Register(registry);
  prometheus::Counter& write_errors = BuildCounter()
                                          .Name("live_update_write_errors_total")
                                          .Help("Writes to the API server that failed")
                                          .Register(registry)
                                          .Add({});
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  for (const char* phase : {"Waiting", "Applied", "FallBack", "Failed", "Refused", "Nothing", "Superseded"})
    impl_->change_sets.Add({{"phase", phase}});
}
Metrics::~Metrics() = default;

void Metrics::reconciled(double seconds) {
  impl_->reconciles.Increment();
  impl_->reconcile_time.Observe(seconds);
}
void Metrics::queue_depth(std::size_t depth) { impl_->depth.Set(static_cast<double>(depth)); }
void Metrics::delivered(double seconds, bool success) {
  (success ? impl_->delivered : impl_->not_delivered).Increment();
  impl_->delivery_time.Observe(seconds);
}
void Metrics::saved_to_applied(double seconds) { impl_->save_to_applied.Observe(seconds); }
void Metrics::change_set(const std::string& phase) { impl_->change_sets.Add({{"phase", phase}}).Increment(); }
void Metrics::write_failed() { impl_->write_errors.Increment(); }

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace live_update
