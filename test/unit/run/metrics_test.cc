#include "run/metrics.h"

#include <doctest/doctest.h>

#include "operator/metered.h"
#include "run/uv_loop.h"
#include "test/fakes/fake_api_server.h"

using namespace live_update;

TEST_CASE("metrics: all are there from the start, at zero") {
  const std::string text = Metrics().text();
  for (const char* line :
       {"live_update_reconcile_total{result=\"success\"} 0", "live_update_reconcile_time_seconds_count 0",
        "live_update_workqueue_depth 0", "live_update_workqueue_adds_total 0",
        "live_update_workqueue_retries_total 0", "live_update_apply_total{result=\"error\"} 0",
        "live_update_apply_seconds_count 0", "live_update_save_to_applied_seconds_bucket{le=\"0.01\"} 0",
        "live_update_save_to_applied_part_seconds_count{part=\"received\"} 0",
        "live_update_changesets_total{phase=\"Applied\"} 0",
        "live_update_api_requests_total{code=\"200\",verb=\"GET\"} 0",
        "live_update_exec_sessions_total{result=\"error\"} 0", "live_update_exec_sessions_open 0",
        "live_update_loop_turn_seconds_bucket{le=\"0.1\"} 0", "live_update_loop_turn_longest_seconds 0",
        "live_update_write_errors_total 0"}) {
    CAPTURE(line);
    CHECK((text.contains(std::string("\n") + line + "\n") || text.starts_with(line)));
  }
  CHECK(text.contains("live_update_build_info{version=\""));
}

TEST_CASE("metrics: the longest turn of the loop stays") {
  Metrics metrics;
  for (const double seconds : {0.001, 0.25, 0.002}) metrics.loop_turned(seconds);
  CHECK(metrics.text().contains("live_update_loop_turn_longest_seconds 0.25\n"));
  CHECK(metrics.text().contains("live_update_loop_turn_seconds_bucket{le=\"0.1\"} 2\n"));
  CHECK(metrics.text().contains("live_update_loop_turn_seconds_count 3\n"));
}

TEST_CASE("metrics: what is counted shows") {
  Metrics metrics;
  metrics.reconciled(0.0003, Looked::RequeueAfter);
  metrics.reconciled(0.0003, Looked::Error);
  metrics.queue_depth(3);
  metrics.delivered(0.15, true);
  metrics.saved_to_applied(0.011);
  metrics.saved_to_applied_part("sent", 0.0007);
  metrics.change_set("Applied");
  const std::string text = metrics.text();
  CHECK(text.contains("live_update_reconcile_total{result=\"requeue_after\"} 1\n"));
  CHECK(text.contains("live_update_reconcile_total{result=\"error\"} 1\n"));
  CHECK(text.contains("live_update_workqueue_depth 3\n"));
  CHECK(text.contains("live_update_apply_total{result=\"success\"} 1\n"));
  CHECK(text.contains("live_update_save_to_applied_seconds_bucket{le=\"0.01\"} 0\n"));
  CHECK(text.contains("live_update_save_to_applied_seconds_bucket{le=\"0.012\"} 1\n"));
  CHECK(text.contains("live_update_save_to_applied_part_seconds_bucket{part=\"sent\",le=\"0.0005\"} 0\n"));
  CHECK(text.contains("live_update_save_to_applied_part_seconds_bucket{part=\"sent\",le=\"0.001\"} 1\n"));
  CHECK(text.contains("live_update_changesets_total{phase=\"Applied\"} 1\n"));
}

TEST_CASE("metrics: requests and exec sessions are counted by how they ended") {
  UvLoop loop;
  FakeApiServer fake(loop);
  fake.on_exec = [n = 0](FakeExec& exec) mutable {
    ++n;
    if (n == 3) return exec.cut({ErrorKind::Unavailable, "cut"});
    exec.exit(n == 1 ? 0 : 2);
  };
  Metrics metrics;
  MeteredApiServer api(fake, metrics);
  int left = 4;
  const auto ended = [&] { --left == 0 ? loop.stop() : void(); };
  Handle request =
      api.request({.path = "/api/v1/namespaces/shop/pods/none"}, [&](Result<Response>) { ended(); });
  std::vector<std::unique_ptr<ExecSession>> sessions;
  for (int i = 0; i < 3; ++i)
    sessions.push_back(
        api.exec({"shop", "web-1", "web", {"true"}}, {[] {}, {}, {}, [&](Result<ExecExit>) { ended(); }}));
  CHECK(metrics.text().contains("live_update_exec_sessions_open 3\n"));
  Handle end = loop.after(Millis(10'000), [&] { loop.stop(); });
  loop.run();
  sessions.clear();
  const std::string text = metrics.text();
  CHECK(text.contains("live_update_api_requests_total{code=\"NotFound\",verb=\"GET\"} 1\n"));
  for (const char* result : {"success", "exit", "error"})
    CHECK(text.contains("live_update_exec_sessions_total{result=\"" + std::string(result) + "\"} 1\n"));
  CHECK(text.contains("live_update_exec_sessions_open 0\n"));
}
