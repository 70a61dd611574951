// The file of the program that runs.
#pragma once

#include <string>

#include "agent/system/fd.h"
#include "core/wire/agent_protocol.h"

namespace live_update::agent {

// Its path; empty where /proc does not tell. One that was removed meanwhile ends in " (deleted)".
std::string own_program();
// It, open for reading; nothing where that cannot be.
Fd open_own_program();
// It is read once. Zero if it cannot be.
const Digest& own_digest();

}  // namespace live_update::agent
