#include "test/sim/driver/workers.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <sstream>
#include <string>
#include <vector>

namespace live_update::sim {
namespace {

constexpr std::size_t kLongestBreach = 2000;  // a line below PIPE_BUF is written as a whole

using Next = std::atomic<std::uint64_t>;

Next* shared_counter(std::uint64_t first) {
  void* place = mmap(nullptr, sizeof(Next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) std::abort();
  return new (place) Next(first);
}

void say(int out, const std::string& line) {
  if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(3);
}

void say(int out, std::uint64_t seed, const Outcome& outcome) {
  const std::string name = std::to_string(seed);
  for (const auto& [cell, times] : outcome.met)
    say(out, "met " + name + ' ' + cell.first + ' ' + cell.second + ' ' + std::to_string(times) + '\n');
  std::string breach = outcome.breach.substr(0, kLongestBreach);
  std::ranges::replace(breach, '\n', ' ');
  say(out, "end " + name + ' ' + std::to_string(outcome.saves) + ' ' + std::to_string(outcome.faults) + ' ' +
               breach + '\n');
}

[[noreturn]] void work_here(const Work& work, Next& next, int out,
                            const std::function<Outcome(std::uint64_t)>& simulate) {
  while (std::chrono::steady_clock::now() < work.until) {
    const std::uint64_t seed = next++;
    if (seed >= work.first + work.count) break;
    say(out, "begin " + std::to_string(seed) + '\n');
    say(out, seed, simulate(seed));
  }
  std::_Exit(0);
}

// What the processes say, as long as there are any.
class Listener {
 public:
  explicit Listener(const std::function<bool(std::uint64_t, const Outcome&)>& take) : take_(take) {}
  // False: enough.
  bool hear(const std::string& line) {
    std::istringstream in(line);
    std::string what;
    std::uint64_t seed = 0;
    in >> what >> seed;
    Outcome& outcome = begun_[seed];
    if (what == "met") {
      std::pair<std::string, std::string> cell;
      in >> cell.first >> cell.second;
      in >> outcome.met[cell];
    } else if (what == "end") {
      in >> outcome.saves >> outcome.faults;
      std::getline(in >> std::ws, outcome.breach);
      const bool more = take_(seed, outcome);
      begun_.erase(seed);
      return more;
    }
    return true;
  }
  void end() {
    for (auto& [seed, outcome] : begun_) {
      outcome.breach = "its process crashed";
      take_(seed, outcome);
    }
  }

 private:
  const std::function<bool(std::uint64_t, const Outcome&)>& take_;
  std::map<std::uint64_t, Outcome> begun_;
};

}  // namespace

void run_seeds(const Work& work, const std::function<Outcome(std::uint64_t)>& simulate,
               const std::function<bool(std::uint64_t, const Outcome&)>& take) {
  Next* next = shared_counter(work.first);
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(nullptr);
  for (unsigned i = 0; i < work.processes; ++i) {
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child > 0) continue;
    close(ends[0]);
    work_here(work, *next, ends[1], simulate);
  }
  close(ends[1]);
  Listener listener(take);
  FILE* in = fdopen(ends[0], "r");
  char* line = nullptr;
  std::size_t room = 0;
  while (getline(&line, &room, in) > 0)
    if (!listener.hear(line)) *next = work.first + work.count;
  std::free(line);
  std::fclose(in);
  while (wait(nullptr) > 0) {
  }
  listener.end();
  munmap(next, sizeof(Next));
}

}  // namespace live_update::sim
