// live-update-agent as a file: what the operator carries along to put into containers, one per machine.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/wire/agent_protocol.h"

namespace live_update {

struct AgentProgram {
  std::string machine;                       // "amd64", "arm64"
  std::shared_ptr<const std::string> bytes;  // never null
  agent::Digest digest{};                    // of the bytes
  std::string file_name() const { return agent::program_file_name(digest); }
};
using AgentPrograms = std::map<std::string, AgentProgram>;  // by machine

// Reads `live-update-agent-<machine>` of a directory, each once. NotFound: there is none; Io: unreadable.
Result<AgentPrograms> load_agents(const std::string& directory);

}  // namespace live_update
