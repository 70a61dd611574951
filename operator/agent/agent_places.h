// Where the agent may lie in a container. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/desired/delivery.h"

namespace live_update {

// `all`, then the pod's scratch space, the sync roots and what is above those; each once, the best first.
std::vector<std::string> places(std::vector<std::string> all, const ContainerRef& to,
                                const std::vector<std::string>& roots);

// Where others than this container can write: other containers, and, below the sync roots, who posts
// ChangeSets. (With a sync to "/" that is everywhere, whatever we do.)
std::vector<std::string> open_places(const ContainerRef& to, const std::vector<std::string>& roots);

// Without those, for an ephemeral container: what it puts there is executed by its path, now and later.
// `tried`: says of each why it is left out.
std::vector<std::string> closed_places(std::vector<std::string> places, const std::vector<std::string>& open,
                                       std::vector<std::string>& tried);

}  // namespace live_update
