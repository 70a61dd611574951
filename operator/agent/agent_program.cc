#include "operator/agent/agent_program.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "run/content.h"

namespace live_update {
namespace {

constexpr std::string_view kPrefix = "live-update-agent-";

}  // namespace

Result<AgentPrograms> load_agents(const std::string& directory) {
  AgentPrograms programs;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    auto bytes =
        std::make_shared<std::string>(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (!file || bytes->empty()) return fail(ErrorKind::Io, entry.path().string() + ": cannot be read");
    const std::string machine = name.substr(kPrefix.size());
    programs[machine] = {machine, bytes, *agent::digest_from(sha256(*bytes))};
  }
  if (programs.empty())
    return fail(ErrorKind::NotFound, directory + ": has no " + std::string(kPrefix) +
                                         "amd64 or the like; the operator's image has them in /agents, see "
                                         "--agents");
  return programs;
}

}  // namespace live_update
