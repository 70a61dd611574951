// Removing whole trees, without following anything out of them.
#pragma once

#include <string>
#include <vector>

namespace live_update::agent {

// Removes `name` in `directory`, whatever it is, with all below. Other file systems mounted below stay, and
// so do the directories that lead there. 0, or the errno of the first thing that could not be removed; the
// rest is removed.
int remove_tree(int directory, const std::string& name);
// Names in a directory but for "." and "..", unsorted. Empty if it cannot be read: `error` then has the
// errno.
std::vector<std::string> names_in(int directory, int& error);

}  // namespace live_update::agent
