// `live-update explain`: the plan for some changes, without a cluster, and for each path the reason why.
//
// The JSON that -o json prints is a contract (docs/explain.md); the text is for people. Decides nothing:
// core/rules/plan.h does.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "watcher/command_line.h"
#include "watcher/file_system.h"
#include "watcher/manifest_file.h"

namespace live_update {

// The exit code: 0; 1 if the decision is Invalid (the file is no LiveUpdate or breaks a rule); 2 for a wrong
// use: a file that cannot be opened, paths that cannot be meant, several LiveUpdates in the file, a root that
// is no directory. `files` is rooted at root_of(file, --root). Text for people and the JSON object go to
// `out`, what is wrong with the call to `err`.
int explain(const ExplainCommand& command, const FileSystem& files, std::ostream& out, std::ostream& err);

// The same for a file that has been read already.
int explain(const Result<std::vector<Manifest>>& manifests, const ExplainCommand& command,
            const FileSystem& files, std::ostream& out, std::ostream& err);

}  // namespace live_update
