// Where something is mounted, as this process sees it: also binds of the same device, which no device number shows.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace live_update::agent {

// Absolute paths, without symlinks. Nothing: /proc does not tell.
std::optional<std::set<std::string>> mount_points();
// The path of an open directory, likewise.
std::optional<std::string> path_of(int directory);
// Whether one of them is on the way from `top` down to `path`, which lies at or below it; `top` itself does not count.
bool crosses_mount(const std::set<std::string>& points, std::string_view top, std::string_view path);

}  // namespace live_update::agent
