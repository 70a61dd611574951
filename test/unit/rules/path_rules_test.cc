// What the rules say of a path, looked up piece by piece within a budget.
#include "core/rules/path_rules.h"

#include <doctest/doctest.h>

#include "core/reconcile/reconcile.h"
#include "core/rules/plan.h"
#include "test/fakes/change_sets.h"

using namespace live_update;

namespace {

// Many patterns, and long paths: small enough for a test, far more than one step.
constexpr std::uint64_t kStep = 300'000;
LiveUpdate costly() {
  LiveUpdate it;
  it.meta.generation = 1;
  it.spec.target.workload = WorkloadRef{"Deployment", "web"};
  it.spec.steps = {Sync{"src", "/app"}};
  for (int i = 0; i < 256; ++i) it.spec.source.ignore.push_back("**/*a" + std::to_string(i) + "*/*b*/x");
  return it;
}

std::shared_ptr<const ChangeSet> long_paths(std::int64_t sequence) {
  ChangeSetBuilder builder = delta(sequence);
  for (int i = 0; i < 20; ++i) {
    std::string path = "src";
    while (path.size() < 800) path += "/" + std::to_string(i) + std::string(200, 'a');
    builder.saved(path);
  }
  return builder;
}

}  // namespace

TEST_CASE("52 a costly ChangeSet is judged in many small steps, and the judgement is the same") {
  const LiveUpdate live_update = costly();
  const CheckedSpec checked = check_spec(live_update);
  History history;
  history.update({long_paths(1), delta(2).saved("elsewhere")}, 0);
  Judgements judgements;
  int steps = 1;
  for (WorkBudget budget{kStep}; !judge(live_update, checked, history, judgements, budget);
       budget = {kStep}) {
    ++steps;
    REQUIRE(steps < 1000);
  }
  CHECK(steps > 10);
  CHECK(judgements.size() == 2);
  CHECK(judgements.at(1).kind == Judgement::Update);
  CHECK(judgements.at(2).kind == Judgement::Nothing);
  WorkBudget nothing{0};
  CHECK(judge(live_update, checked, history, judgements, nothing));
}

TEST_CASE("52 an ordinary batch of a thousand files fits into one step") {
  LiveUpdate live_update = costly();
  live_update.spec.source.ignore = {"**/*.pyc", "node_modules", "*.log"};
  const CheckedSpec checked = check_spec(live_update);
  ChangeSetBuilder builder = delta(1);
  for (int i = 0; i < 1000; ++i)
    builder.saved("src/module/some_python_module_number_" + std::to_string(i) + ".py");
  History history;
  history.update({builder}, 0);
  Judgements judgements;
  WorkBudget budget{10'000'000};
  CHECK(judge(live_update, checked, history, judgements, budget));
}

TEST_CASE("52 what a container lacks is looked up in steps, too") {
  const LiveUpdate live_update = costly();
  const CheckedSpec checked = check_spec(live_update);
  History history;
  history.update({long_paths(1)}, 0);
  Judgements judgements;
  WorkBudget unbounded;
  judge(live_update, checked, history, judgements, unbounded);
  checked.rules().forget();
  const Lanes lanes;
  const PrintedMap printed;
  const BatchTimesMap times;
  const OlderPods older_pods;
  const PodDeletions deletions;
  const RateLimit redeploys{2, std::chrono::seconds(30)};
  Observed observed{live_update, checked, live_update.status, history,   judgements, lanes,
                    printed,     times,   older_pods,         deletions, redeploys};
  WorkBudget small{kStep};
  CHECK(prepare(observed, small));  // no container lacks anything
  Target target{"web-1", "u", "app", "c1"};
  target.running = true;
  observed.search.targets = {target};
  CHECK_FALSE(prepare(observed, small));
  for (int i = 0; i < 1000 && small.left == 0; ++i) {
    small = {kStep};
    prepare(observed, small);
  }
  CHECK(prepare(observed, small));
}

TEST_CASE("52 an invalid spec is not matched with anything") {
  LiveUpdate live_update = costly();
  live_update.spec.steps = {Sync{"src", "not absolute"}};
  const CheckedSpec checked = check_spec(live_update);
  History history;
  history.update({long_paths(1)}, 0);
  Judgements judgements;
  WorkBudget nothing{0};
  CHECK(judge(live_update, checked, history, judgements, nothing));
  CHECK(judgements.empty());
}
