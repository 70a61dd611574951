// What LiveUpdates of the simulation look like: a few folders to a few places, a few runs.
#pragma once

#include <string>

#include "core/api/kinds.h"
#include "test/sim/world/random.h"

namespace live_update::sim {

class World;

LiveUpdateSpec first_spec(Random& random);
// A sync comes, goes, changes its place or leads elsewhere; a run comes above the others, or goes.
LiveUpdateSpec changed_syncs(const LiveUpdateSpec& spec, Random& random);
LiveUpdateSpec changed_runs(const LiveUpdateSpec& spec, Random& random);
// What may leave the machine: every folder.
LiveUpdateSpec widest_spec();
// "a -> /app, b -> /srv, run 1 on a".
std::string describe(const LiveUpdateSpec& spec);

void first_files(World& world);
// The developer does something to a file or a few, or a folder.
void save_something(World& world);
// A file that falls back: its pods are made anew.
void save_stop_path(World& world);
// One file that a sync maps gets new content.
void save_mapped(World& world);

}  // namespace live_update::sim
