// Numbers, times and changes in the words people are shown. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/api/kinds.h"

namespace live_update {

// "11 ms", "2.4 s", "3 min".
std::string say_elapsed(std::chrono::milliseconds elapsed);
// "1,204"
std::string say_count(std::int64_t count);
// "1 file", "1,204 files"
std::string say_count(std::int64_t count, const std::string& noun);

// That credentials stay on the machine (rule 2.8): the first five of them, and what lets them out. `file`: the
// LiveUpdate's, empty if none was given.
std::string say_held_back(const std::vector<std::string>& paths, const std::string& file);

// "src/a.py", "src/old.py deleted", "5 files (src/a.py, src/b.py, ...)", "3 files (a, b, ...), 2 deleted".
// Names are shown as `visible` has them.
std::string say_changes(const std::vector<Change>& changes);

}  // namespace live_update
