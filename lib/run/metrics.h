// The operator's metrics, under controller-runtime's names with our prefix. All exist from the start, so that
// rates work.
//
// Any thread; the counters are atomic.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace live_update {

class Metrics {
 public:
  Metrics();
  ~Metrics();

  void reconciled(double seconds);      // live_update_reconcile_total, live_update_reconcile_time_seconds
  void queue_depth(std::size_t depth);  // live_update_workqueue_depth
  void delivered(double seconds,
                 bool success);  // live_update_deliveries_total{result}, live_update_delivery_seconds
  void saved_to_applied(double seconds);      // live_update_save_to_applied_seconds: the headline
  void change_set(const std::string& phase);  // live_update_changesets_total{phase}
  void write_failed();                        // live_update_write_errors_total

  // Prometheus' text format.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
