// What LiveUpdates of the simulation look like: a few folders to a few places, a few runs.
#pragma once

#include <string>

#include "core/api/kinds.h"
#include "test/sim/world/random.h"

namespace live_update::sim {

class World;

// Folders that are ignored: by specs with Mirror, and by the ignore file of their machine.
inline constexpr std::string_view kKeptBySpec = "kept", kKeptByFile = "cache";

// What specs may have (faults.h).
struct Breadth {
  bool links = true, overlaps = true;
};
LiveUpdateSpec first_spec(Random& random, const Breadth& breadth);
// What only containers have goes, but for what is ignored.
void mirror(LiveUpdateSpec& spec);
// A sync comes, goes, changes its place or leads elsewhere; a run comes above the others, or goes.
LiveUpdateSpec changed_syncs(const LiveUpdateSpec& spec, Random& random, const Breadth& breadth);
LiveUpdateSpec changed_runs(const LiveUpdateSpec& spec, Random& random);
// Another LiveUpdate of the same containers, to places of its own.
LiveUpdateSpec neighbour_spec();
// What may leave the machine: every folder.
LiveUpdateSpec widest_spec();
// "a -> /app, b -> /srv, run 1 on a".
std::string describe(const LiveUpdateSpec& spec);

void first_files(World& world);
// The developer does something to a file or a few, or a folder.
void save_something(World& world);
// A file that falls back: its pods are made anew.
void save_stop_path(World& world);
// One file that a sync of each LiveUpdate maps gets new content.
void save_mapped(World& world);

}  // namespace live_update::sim
