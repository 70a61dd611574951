// Makes a failing seed small: leaves out saves and faults for as long as the rules are still broken.
#pragma once

#include "test/sim/driver/simulation.h"

namespace live_update::sim {

// `plan` fails. The same with as much left out as can be.
Plan shrunk(Plan plan);

}  // namespace live_update::sim
