#pragma once

namespace live_update::agent {
inline constexpr char kProgram[] = "live-update-agent " LIVE_UPDATE_VERSION;
}
