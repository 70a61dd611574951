#include "run/memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <utility>

namespace live_update {
namespace {

constexpr double kQuiet = 0.02, kBusy = 0.5;  // seconds of CPU: of one interval; until memory is worth a look

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

void share_one_heap() { mallopt(M_ARENA_MAX, 1); }

void give_back_memory() { malloc_trim(0); }

bool BusyThenQuiet::ask(double cpu_seconds) {
  const double used = cpu_seconds - std::exchange(before_, cpu_seconds);
  spent_ += used;
  if (used > kQuiet || spent_ < kBusy) return false;
  spent_ = 0;
  return true;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace live_update
