// The environment for programs that we start.
#pragma once

#include <string>
#include <vector>

namespace live_update {

// "NAME=value" for each variable of ours, as it was before the first LoopIo: what we start needs the system's
// authorities.
std::vector<std::string> environment_for_children();

}  // namespace live_update
