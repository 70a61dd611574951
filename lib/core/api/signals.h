// The signals that a spec may name. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace live_update {

// Those of restart.process.signal and restart.signal, as in the CRD: without "SIG".
const std::vector<std::string_view>& allowed_signals();

// Its number on Linux, with "SIG" before it or without; 0: there is no such signal.
int signal_number(std::string_view name);

}  // namespace live_update
