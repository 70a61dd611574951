// sim: runs seeds of the simulation.
//
//   sim --seeds 500 [--from 1] [--without FAULT,FAULT] [--only FAULT,FAULT]
//   sim --seed 42 [...]      one of them, with its trace
//   sim --seed 42 --shrink   the same, as small as it fails
//   sim --coverage [...]     and how often each fault met containers in each state
//   sim --closed [...]       without the faults that lead to breaches which are known (README)
//   sim --hashed 20000       so many saves, each of a file with another name, of seed 1 or --seed
//   sim --first [...]        up to the first that fails
//   sim --seconds 90 [...]   as many of the seeds as fit; --jobs N: on so many cores, else on all
//
// Each seed runs twice, and both must have the same trace. Last line: "N seeds, M failed". Exit code 1: some have.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "test/sim/driver/hashed.h"
#include "test/sim/driver/shrink.h"
#include "test/sim/driver/simulation.h"
#include "test/sim/driver/workers.h"
#include "test/sim/faults/faults.h"

namespace live_update::sim {
namespace {

struct Arguments {
  std::uint64_t from = 1, seeds = 100;
  std::uint64_t seconds = 100'000, jobs = std::max(1u, std::thread::hardware_concurrency());
  std::optional<std::uint64_t> seed;
  std::set<std::string> without, only;
  int hashed = 0;      // saves, in the place of seeds
  bool quick = false;  // once, not twice
  bool shrink = false, coverage = false, first = false;
};

std::optional<std::uint64_t> number(const std::string& text) {
  std::uint64_t value = 0;
  const auto end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return {};
  return value;
}

std::set<std::string> names(const std::string& text) {
  std::set<std::string> all;
  std::istringstream in(text);
  for (std::string name; std::getline(in, name, ',');) all.insert(name);
  return all;
}

bool known(const std::set<std::string>& all) {
  for (const std::string& name : all) {
    bool found = false;
    for (const Fault& fault : faults()) found |= fault.name == name;
    if (found) continue;
    std::fprintf(stderr, "sim: there is no fault %s; there are:", name.c_str());
    for (const Fault& fault : faults()) std::fprintf(stderr, " %s", std::string(fault.name).c_str());
    std::fprintf(stderr, "\n");
    return false;
  }
  return true;
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--once") {
      arguments.quick = true;
      continue;
    }
    if (name == "--shrink") {
      arguments.shrink = true;
      continue;
    }
    if (name == "--first") {
      arguments.first = true;
      continue;
    }
    if (name == "--coverage") {
      arguments.coverage = true;
      continue;
    }
    if (name == "--closed") {
      for (const Fault& fault : faults())
        if (fault.open) arguments.without.emplace(fault.name);
      continue;
    }
    ++i;
    if (name == "--without")
      arguments.without = names(value);
    else if (name == "--only")
      arguments.only = names(value);
    else if (const auto n = number(value); !n)
      return {};
    else if (name == "--seeds")
      arguments.seeds = *n;
    else if (name == "--from")
      arguments.from = *n;
    else if (name == "--seconds")
      arguments.seconds = *n;
    else if (name == "--jobs" && *n > 0)
      arguments.jobs = *n;
    else if (name == "--hashed")
      arguments.hashed = static_cast<int>(*n);
    else if (name == "--seed")
      arguments.seed = *n;
    else
      return {};
  }
  if (!known(arguments.without) || !known(arguments.only)) return {};
  if (!arguments.only.empty())
    for (const Fault& fault : faults())
      if (!arguments.only.contains(std::string(fault.name))) arguments.without.emplace(fault.name);
  return arguments;
}

// Empty: the rules held, and both runs were the same.
Outcome run_seed(Plan plan, bool once) {
  Outcome outcome = simulate(plan);
  plan.print = false;
  if (!once && simulate(plan).hash != outcome.hash)
    outcome.breach = "two runs of this seed differ: something outside of the simulation decides";
  return outcome;
}

using Met = std::map<std::pair<std::string, std::string>, int>;

// Each fault, and how often it met a container in each state.
void print_coverage(const Met& met) {
  std::set<std::string> states;
  for (const auto& [cell, times] : met) states.insert(cell.second);
  std::printf("%-20s", "");
  for (const std::string& state : states) std::printf(" %10s", state.c_str());
  for (const Fault& fault : faults()) {
    if (fault.weight == 0) continue;
    std::printf("\n%-20s", std::string(fault.name).c_str());
    for (const std::string& state : states) {
      const auto found = met.find({std::string(fault.name), state});
      std::printf(" %10d", found == met.end() ? 0 : found->second);
    }
  }
  std::printf("\n");
}

Outcome run_seed(const Arguments& arguments, std::uint64_t seed) {
  Plan plan{.seed = seed, .without = arguments.without};
  if (arguments.shrink && !simulate(plan).breach.empty()) plan = shrunk(plan);
  plan.print = arguments.seed.has_value();
  return run_seed(plan, arguments.quick);
}

// What came of all seeds.
class Sum {
 public:
  // Whether it failed.
  bool add(std::uint64_t seed, const Outcome& outcome) {
    ++seeds_;
    saves_ += outcome.saves;
    faults_ += outcome.faults;
    for (const auto& [cell, times] : outcome.met) met_[cell] += times;
    if (outcome.breach.empty()) return false;
    ++failed_;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), outcome.breach.c_str());
    std::fflush(stdout);
    return true;
  }
  // 0: all is well.
  int print(bool coverage) const {
    if (coverage) print_coverage(met_);
    std::printf("%ld saves and %ld faults\n", saves_, faults_);
    std::printf("%ld seeds, %ld failed\n", seeds_, failed_);
    return failed_ == 0 && seeds_ > 0 ? 0 : 1;
  }

 private:
  long seeds_ = 0, failed_ = 0, saves_ = 0, faults_ = 0;
  Met met_;
};

// One seed runs here, where its trace can be read.
int run(const Arguments& arguments) {
  if (arguments.hashed > 0) {
    const std::string wrong = save_hashed(arguments.seed.value_or(1), arguments.hashed);
    std::printf("%d saves of other names, %s\n", arguments.hashed,
                wrong.empty() ? "0 failed" : wrong.c_str());
    return wrong.empty() ? 0 : 1;
  }
  Sum sum;
  if (arguments.seed)
    sum.add(*arguments.seed, run_seed(arguments, *arguments.seed));
  else
    run_seeds(
        {.first = arguments.from,
         .count = arguments.seeds,
         .processes = static_cast<unsigned>(std::min(arguments.jobs, arguments.seeds)),
         .until = std::chrono::steady_clock::now() + std::chrono::seconds(arguments.seconds)},
        [&](std::uint64_t seed) { return run_seed(arguments, seed); },
        [&](std::uint64_t seed, const Outcome& outcome) {
          return !sum.add(seed, outcome) || !arguments.first;
        });
  return sum.print(arguments.coverage);
}

}  // namespace
}  // namespace live_update::sim

int main(int argc, char** argv) {
  const auto arguments = live_update::sim::parse(argc, argv);
  if (arguments) return live_update::sim::run(*arguments);
  std::fprintf(
      stderr,
      "usage: sim [--seeds N] [--from S] [--seed S] [--once] [--shrink] [--coverage] [--closed] [--first] "
      "[--seconds N] [--jobs N] [--hashed N] [--without FAULT,...] "
      "[--only FAULT,...]\n");
  return 2;
}
