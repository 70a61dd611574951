// Which kinds spec.target.workload can name, and how far off another spelling is (rule 5.1). Pure.
#pragma once

#include <string>
#include <string_view>

namespace live_update {

// Kubernetes' own kinds that own pods, and Pod itself, as the API spells them; and well-known kinds of others.
bool is_known_workload_kind(std::string_view kind);

// "no kind that is known is spelled deployment, the nearest is Deployment"; empty for a known kind. Any kind may
// own pods, so this is a doubt and no error.
std::string doubt_of_kind(std::string_view kind);

}  // namespace live_update
