// What happened in a simulation, line by line with the virtual time: its hash tells whether two runs were the same,
// its lines what led to a failure.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "test/sim/world/sim_loop.h"

namespace live_update::sim {

class Trace {
 public:
  // `print`: each line goes to standard output, too.
  Trace(const SimLoop& loop, bool print) : loop_(loop), print_(print) {}

  void add(std::string_view who, std::string_view what) {
    const auto now = loop_.elapsed().count();
    mix(std::to_string(now));
    mix(who);
    mix(what);
    if (print_)
      std::printf("%4lld.%06lld %-10.*s %.*s\n", static_cast<long long>(now / 1'000'000),
                  static_cast<long long>(now % 1'000'000), static_cast<int>(who.size()), who.data(),
                  static_cast<int>(what.size()), what.data());
  }
  std::uint64_t hash() const { return hash_; }

 private:
  void mix(std::string_view text) {  // FNV-1a
    for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  const SimLoop& loop_;
  const bool print_;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace live_update::sim
