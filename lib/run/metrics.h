// The operator's metrics, under controller-runtime's names with our prefix `live_update_`. All exist from the
// start, so that rates work.
//
// Any thread; the counters are atomic.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace live_update {

// How a look at a LiveUpdate ended: time alone will make a difference (RequeueAfter), or something failed that
// was asked for after the look before (Error).
enum class Looked { Success, RequeueAfter, Error };

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // reconcile_total{result="success"|"requeue_after"|"error"}, reconcile_time_seconds
  void reconciled(double seconds, Looked result);
  void queue_depth(std::size_t depth);  // workqueue_depth
  void queue_added();                   // workqueue_adds_total
  void queue_retried();                 // workqueue_retries_total
  // apply_total{result="success"|"error"}, apply_seconds: one batch for one container, runs included
  void delivered(double seconds, bool success);
  void saved_to_applied(double seconds);  // save_to_applied_seconds: the headline
  // save_to_applied_part_seconds{part="posted"|"received"|"planned"|"sent"|"confirmed"}: one stage of it
  void saved_to_applied_part(std::string_view part, double seconds);
  void change_set(const std::string& phase);                       // changesets_total{phase}
  void write_failed();                                             // write_errors_total
  void api_request(std::string_view verb, std::string_view code);  // api_requests_total{verb,code}
  void loop_turned(double cpu_seconds);  // loop_turn_seconds, loop_turn_longest_seconds
  void exec_opened();                    // exec_sessions_open, up
  void exec_closed();                    // exec_sessions_open, down
  // exec_sessions_total{result="success"|"exit"|"error"}: code 0, another code, or the connection broke
  void exec_ended(std::string_view result);

  // Prometheus' text format.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace live_update
