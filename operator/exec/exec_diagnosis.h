// Why a batch did not arrive, told from how an exec ended: a condition reason, and a message with the path,
// the user ID and a remedy (rule 4.9). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/desired/delivery.h"

namespace live_update {

// "shop/web-1, container web"
std::string to_string(const ContainerRef& to);

// The command could not be started, or the connection to it broke: nothing is known of it.
// Reasons: ToolMissing (no `sh`), Waiting (the container does not run), Forbidden, Unreachable; all but the
// first curable.
NotDelivered diagnose(const ContainerRef& to, const Error& error);

// A batch command (tar_script.h) ended with `exit_code` other than 0, having written `err`. `at`: the path it
// was about, as far as is known, for tools that do not name it (busybox' tar on a full disk).
// Reasons: ToolMissing, NotWritable, ReadOnlyFileSystem, NoSpace, PathEscapes, RestartFailed, Retrying (it
// was killed; the only curable one), Failed (whatever else).
NotDelivered diagnose(const ContainerRef& to, int exit_code, std::string_view err, std::string_view at = {});

// True where tar has unpacked everything and could only not set the mode or time of directories that belong
// to somebody else (GNU tar exits with 2, busybox does not mind). `warning`: one sentence.
bool only_metadata_failed(std::string_view err, std::string& warning);

// A file that has become root's, as its owner could not be given back (rule 4.4), where that is all that was
// said.
std::optional<std::string> lost_owner(std::string_view err);

// One sentence about what could not be deleted, of the lines that begin with `kStays`; nothing where there are
// none.
std::optional<std::string> not_deleted(const std::vector<std::string>& said);

}  // namespace live_update
