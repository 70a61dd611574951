// Which paths look like credentials (rule 2.8). On the host they are ignored by a matcher of their own
// (core/ignore_rules.h); nowhere does a Snapshot that leaves one out say that it is gone.
#pragma once

#include <span>
#include <string_view>

namespace live_update {

// In the dialect of rule 2.3; the last one that matches decides. Each of them begins a component with "." or
// "id_" or ends it as `looks_secret` knows.
std::span<const std::string_view> credential_patterns();

// Whether a component may make a path a credential; most do not, and then none of the patterns has to be asked.
bool looks_secret(std::string_view component);
bool has_secret_component(std::string_view path);

// Of a clean path: whether the patterns match it or a directory above it.
bool is_credential(std::string_view path);

}  // namespace live_update
