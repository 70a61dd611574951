// The name of a session: random for each start, with a mark of the root that it sends from. So sessions of one
// root, such as a `push` beside a running `watch`, know each other: they send the same files. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace live_update {

// Lower-case letters and digits. `machine` tells machines apart, `random` the starts.
std::string make_session_id(std::string_view machine, std::string_view root, std::uint32_t random);

// Whether both send from one root of one machine. False where one of them is of an older watcher, or made by hand.
bool from_one_root(std::string_view session, std::string_view other);

}  // namespace live_update
