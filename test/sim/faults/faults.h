// What can go wrong in a world, by name: drawn by the driver, or left out.
#pragma once

#include <span>
#include <string_view>

namespace live_update::sim {

class World;

struct Fault {
  std::string_view name;
  int weight;  // how often it is drawn, among all
  void (*happen)(World& world);
  bool open = false;  // it leads to breaches that are known, and not mended yet (README)
};
// Not what happens, but how a world is made; left out by the same option. They are among the faults, with the weight 0.
inline constexpr std::string_view kWithLinks = "links", kWithOverlaps = "overlaps", kWithMirrors = "mirrors",
                                  kWithNeighbours = "neighbours", kWithAims = "aims", kWithClaims = "claims";

std::span<const Fault> faults();

}  // namespace live_update::sim
