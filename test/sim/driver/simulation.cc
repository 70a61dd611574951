#include "test/sim/driver/simulation.h"

#include "test/sim/driver/specs.h"
#include "test/sim/faults/faults.h"
#include "test/sim/world/world.h"

namespace live_update::sim {
namespace {

constexpr Micros kSettle{3'000'000}, kLook{500'000};
constexpr int kLooks = 240;  // 120 seconds, the promise of the rules
constexpr int kMostPause = 900;

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

struct Action {
  const Fault* fault = nullptr;  // null: a save
  std::uint64_t chance = 0;
  Micros pause{0};  // behind it
};

// Saves, many of them close together, and faults among them.
std::vector<Action> draw_life(Random& random, const Plan& plan) {
  std::vector<Action> life;
  for (int saves = random.between(30, 45); saves > 0;) {
    Action action;
    if (random.below(5) == 0) action.fault = draw(random, plan.without);
    if (!action.fault) --saves;
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

void live(World& world, const Plan& plan, Outcome& outcome) {
  const std::vector<Action> life = draw_life(world.random, plan);
  outcome.actions = life.size();
  for (std::size_t i = 0; i < life.size(); ++i) {
    world.random = Random(life[i].chance, i);
    if (!plan.left_out.contains(i)) {
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

}  // namespace

Outcome simulate(const Plan& plan) {
  World world(plan.seed, plan.print);
  Outcome outcome;
  world.begin();
  world.run_for(kSettle);
  live(world, plan, outcome);
  world.calm_down();
  world.run_for(kSettle);
  save_mapped(world);
  const std::string unfinished = come_to_rest(world);
  if (!world.oracle.breaches().empty())
    outcome.breach = world.oracle.breaches().front();
  else
    outcome.breach = unfinished;
  world.trace.add("driver", outcome.breach.empty() ? "all is well" : outcome.breach);
  outcome.hash = world.trace.hash();
  return outcome;
}

}  // namespace live_update::sim
