#include "test/sim/driver/simulation.h"

#include <algorithm>

#include "test/sim/driver/specs.h"
#include "test/sim/faults/faults.h"
#include "test/sim/world/world.h"

namespace live_update::sim {
namespace {

constexpr Micros kSettle{3'000'000}, kLook{500'000};
constexpr int kLooks = 240;  // 120 seconds, the promise of the rules
constexpr int kMostPause = 900;
constexpr Micros kCleaning{100'000'000}, kQuiet{20'000'000};

const Fault* draw(Random& random, const std::set<std::string>& without) {
  int all = 0;
  for (const Fault& it : faults())
    if (!without.contains(std::string(it.name))) all += it.weight;
  if (all == 0) return nullptr;
  int left = random.below(all);
  for (const Fault& it : faults()) {
    if (without.contains(std::string(it.name))) continue;
    if ((left -= it.weight) < 0) return &it;
  }
  return nullptr;
}

// States that are rare, and what leads to them.
struct Aim {
  std::string_view state, fault;
};
constexpr Aim kAims[] = {{"Retrying", "exec-refused"},
                         {"FallBack", "stop-path"},
                         {"Failed", "disk-full"},
                         {"RunFailed", "runs-fail"}};
constexpr Micros kGlance{10'000};
constexpr int kGlances = 100;

struct Action {
  const Fault* fault = nullptr;  // null: a save
  const Aim* aim = nullptr;      // it happens as soon as a container is in that state
  std::uint64_t chance = 0;
  Micros pause{0};  // behind it
};

// Saves, many of them close together, and faults among them.
std::vector<Action> draw_life(Random& random, const Plan& plan) {
  const bool aims = !plan.without.contains(std::string(kWithAims));
  std::vector<Action> life;
  for (int saves = random.between(30, 45); saves > 0;) {
    Action action;
    if (random.below(5) == 0) action.fault = draw(random, plan.without);
    if (!action.fault) --saves;
    if (aims && action.fault && random.below(5) == 0) action.aim = &kAims[random.below(std::size(kAims))];
    action.chance = random.next();
    action.pause = Micros(1000) * random.below(random.below(3) == 0 ? 3 * kMostPause : kMostPause / 6);
    life.push_back(action);
  }
  return life;
}

void happen(World& world, const Fault& fault, Outcome& outcome) {
  world.trace.add("driver", "fault " + std::string(fault.name));
  for (const std::string& state : world.oracle.states()) ++outcome.met[{std::string(fault.name), state}];
  ++outcome.faults;
  fault.happen(world);
}

void wait_for(World& world, const Plan& plan, const Aim& aim) {
  const auto cause = std::ranges::find(faults(), aim.fault, &Fault::name);
  if (plan.without.contains(std::string(aim.fault))) return;
  cause->happen(world);
  save_something(world);
  for (int i = 0; i < kGlances; ++i) {
    const auto states = world.oracle.states();
    if (std::ranges::find(states, aim.state) != states.end()) return;
    world.run_for(kGlance);
  }
}

void live(World& world, const Plan& plan, Outcome& outcome) {
  const std::vector<Action> life = draw_life(world.random, plan);
  outcome.actions = life.size();
  for (std::size_t i = 0; i < life.size(); ++i) {
    world.random = Random(life[i].chance, i);
    if (!plan.left_out.contains(i)) {
      if (life[i].aim) wait_for(world, plan, *life[i].aim);
      if (life[i].fault) {
        happen(world, *life[i].fault, outcome);
      } else {
        save_something(world);
        ++outcome.saves;
      }
    }
    world.run_for(life[i].pause);
  }
}

// Faults have stopped: within so long all is equal, and said.
std::string come_to_rest(World& world) {
  std::string left;
  for (int i = 0; i < kLooks; ++i) {
    world.run_for(kLook);
    if (left = world.oracle.unfinished(); left.empty()) return {};
  }
  return "not equal in the end: " + left;
}

// Then only watches go on, and an operator that starts anew finds nothing to do.
std::string stay_at_rest(World& world) {
  world.run_for(kCleaning);
  const auto work = world.oracle.work();
  const long writes = world.oracle.writes();
  world.run_for(kQuiet);
  if (world.oracle.writes() != writes) return "no rest: there are writes though nothing happens";
  world.crash_operator(0);
  world.start_operator();
  world.run_for(kQuiet);
  if (world.oracle.work() != work && !world.oracle.waits_for_link())
    return "no rest: a new operator does again what was done";
  const std::string left = world.oracle.unfinished();
  return left.empty() ? "" : "no rest: " + left;
}

// From what is still kept a container that is new gets all that was ever said.
std::string fill_new_container(World& world) {
  if (world.random.below(2))
    world.cluster.scale(world.cluster.replicas() + 1);
  else
    world.cluster.restart_container(world.random.pick(world.cluster.pods()));
  const std::string left = come_to_rest(world);
  return left.empty() ? "" : "a new container: " + left;
}

}  // namespace

Outcome simulate(const Plan& plan) {
  World world(plan.seed, plan.print, plan.without);
  Outcome outcome;
  world.begin();
  world.run_for(kSettle);
  live(world, plan, outcome);
  world.calm_down();
  world.run_for(kSettle);
  save_mapped(world);
  if (world.spec.source.deletes == DeletePolicy::Mirror) {
    world.run_for(kSettle);  // it compares with what was told by then (rule 4.5)
    world.ask_for_comparison();
  }
  std::string unfinished = come_to_rest(world);
  if (unfinished.empty()) unfinished = stay_at_rest(world);
  if (unfinished.empty()) unfinished = fill_new_container(world);
  if (!world.oracle.breaches().empty())
    outcome.breach = world.oracle.breaches().front();
  else
    outcome.breach = unfinished;
  world.trace.add("driver", outcome.breach.empty() ? "all is well" : outcome.breach);
  outcome.hash = world.trace.hash();
  return outcome;
}

}  // namespace live_update::sim
