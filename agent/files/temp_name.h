// Names of what is staged beside its destination: `.live-update-<namespace>-<pid>-<start>-<number>.swp`,
// hexadecimal. They end as an editor's swap files do, which programs that rebuild on changes ignore: chokidar
// (Vite, nodemon), watchfiles, watchexec and listen would else build for our file, too. Earlier agents' names
// had no ending.
//
// They tell whose they are, so that what a killed agent left is removed, and never what a living one works
// with: of the same PID namespace, when no such process is alive; of another one (a volume that pods share, a
// container that was restarted), when it is an hour old.
#pragma once

#include <string>
#include <string_view>

namespace live_update::agent {

// A new one of this process.
std::string next_temp_name();
bool is_temp_name(std::string_view name);
// Removes what dead agents left in a directory (an O_PATH descriptor will do).
void clean_directory(int directory);

}  // namespace live_update::agent
