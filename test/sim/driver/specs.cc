#include "test/sim/driver/specs.h"

#include <algorithm>

#include "test/sim/oracle/naive_rules.h"
#include "test/sim/world/world.h"

namespace live_update::sim {
namespace {

// "l" is a link to a folder.
const std::vector<std::string> kFolders{"a", "b", "c", "a/x", "l"};
const std::vector<std::string> kPlaces{"/app", "/srv", "/opt/web", "/data/y", "/app/x"};

const std::string kStopPath = "docs/stop";

LiveUpdateSpec bare() {
  LiveUpdateSpec spec;
  spec.target.workload = WorkloadRef{"Deployment", "web"};
  spec.source.context = {"."};
  spec.source.on_unmatched = OnUnmatched::Ignore;
  spec.steps.emplace_back(FallBackOn{{kStopPath}});
  return spec;
}

std::vector<Sync> syncs_of(const LiveUpdateSpec& spec) {
  std::vector<Sync> syncs;
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) syncs.push_back(*sync);
  return syncs;
}

std::vector<Run> runs_of(const LiveUpdateSpec& spec) {
  std::vector<Run> runs;
  for (const Step& step : spec.steps)
    if (const auto* run = std::get_if<Run>(&step)) runs.push_back(*run);
  return runs;
}

LiveUpdateSpec assembled(const std::vector<Sync>& syncs, const std::vector<Run>& runs) {
  LiveUpdateSpec spec = bare();
  spec.steps.insert(spec.steps.end(), syncs.begin(), syncs.end());
  spec.steps.insert(spec.steps.end(), runs.begin(), runs.end());
  return spec;
}

LiveUpdateSpec with_source_of(const LiveUpdateSpec& spec, LiveUpdateSpec changed) {
  changed.source = spec.source;
  return changed;
}

// One that no other sync has.
template <typename Member>
std::string unused(const std::vector<std::string>& all, const std::vector<Sync>& syncs, Member member,
                   Random& random) {
  std::vector<std::string> left;
  for (const std::string& it : all)
    if (std::ranges::none_of(syncs, [&](const Sync& sync) { return sync.*member == it; })) left.push_back(it);
  return left.empty() ? "" : random.pick(left);
}

// Now and then one that another sync has, so that files meet at one place (rule 3.3).
std::string place(const std::vector<Sync>& syncs, Random& random, const Breadth& breadth) {
  if (random.below(4) == 0 && breadth.overlaps) return random.pick(kPlaces);
  return unused(kPlaces, syncs, &Sync::to, random);
}

void add_sync(std::vector<Sync>& syncs, Random& random, const Breadth& breadth) {
  const std::string from = unused(kFolders, syncs, &Sync::from, random);
  const std::string to = place(syncs, random, breadth);
  if (from == "l" && !breadth.links) return;
  if (from.empty() || to.empty()) return;
  syncs.insert(syncs.begin() + random.below(static_cast<int>(syncs.size()) + 1), Sync{from, to});
}

Run make_run(int number, Random& random) {
  Run run;
  run.command = {"job", std::to_string(number)};
  run.timeout_seconds = random.between(2, 6);
  if (random.below(4) > 0) run.triggers = {random.pick(kFolders)};
  return run;
}

}  // namespace

LiveUpdateSpec first_spec(Random& random, const Breadth& breadth) {
  std::vector<Sync> syncs;
  for (int n = random.between(1, 3); n > 0; --n) add_sync(syncs, random, breadth);
  if (syncs.empty()) syncs.push_back({"a", "/app"});
  std::vector<Run> runs;
  for (int n = random.below(4); n > 0; --n) runs.push_back(make_run(n, random));
  return assembled(syncs, runs);
}

void mirror(LiveUpdateSpec& spec) {
  spec.source.deletes = DeletePolicy::Mirror;
  spec.source.ignore = {"**/" + std::string(kKeptBySpec)};
}

LiveUpdateSpec changed_syncs(const LiveUpdateSpec& spec, Random& random, const Breadth& breadth) {
  auto syncs = syncs_of(spec);
  Sync& one = syncs[static_cast<std::size_t>(random.below(static_cast<int>(syncs.size())))];
  switch (random.below(4)) {
    case 0:
      add_sync(syncs, random, breadth);
      break;
    case 1:
      if (syncs.size() > 1) syncs.erase(syncs.begin() + random.below(static_cast<int>(syncs.size())));
      break;
    case 2:
      std::swap(one, syncs.back());
      break;
    default:
      if (const std::string to = place(syncs, random, breadth); !to.empty()) one.to = to;
  }
  return with_source_of(spec, assembled(syncs, runs_of(spec)));
}

LiveUpdateSpec changed_runs(const LiveUpdateSpec& spec, Random& random) {
  auto runs = runs_of(spec);
  if (random.below(3) > 0 || runs.empty())
    runs.insert(runs.begin(), make_run(random.between(3, 99), random));
  else
    runs.erase(runs.begin() + random.below(static_cast<int>(runs.size())));
  return with_source_of(spec, assembled(syncs_of(spec), runs));
}

LiveUpdateSpec neighbour_spec() {
  Run run;
  run.command = {"job", "100"};
  run.triggers = {"docs"};
  run.timeout_seconds = 5;
  return assembled({{"docs", "/docs"}, {"c", "/other/c"}}, {run});
}

LiveUpdateSpec widest_spec() {
  LiveUpdateSpec spec = bare();
  for (std::size_t i = 0; i < kFolders.size(); ++i) spec.steps.emplace_back(Sync{kFolders[i], kPlaces[i]});
  spec.steps.emplace_back(Sync{"docs", "/docs"});
  return spec;
}

std::string describe(const LiveUpdateSpec& spec) {
  std::string text;
  for (const Sync& sync : syncs_of(spec)) text += (text.empty() ? "" : ", ") + sync.from + " -> " + sync.to;
  for (const Run& run : runs_of(spec)) {
    text += ", run " + run.command.back();
    if (!run.triggers.empty()) text += " on " + run.triggers.front();
  }
  return text;
}

}  // namespace live_update::sim
