// Path algebra on text alone: host paths, which are relative to the root, and remote paths, which are
// absolute (rules 1.4, 1.5).
//
// A *clean* path has no empty and no "." components, no leading "./" and no trailing "/"; the root itself is
// ".". Paths are bytes; nothing here looks at a file system.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace live_update {

// "./a//b/./c/" -> "a/b/c"; "", "." and "./" -> ".". A ".." stays as it is: host paths that have one are
// refused before.
std::string clean_path(std::string_view path);

// Component-wise: "src" and everything is at or below "src", "src2" is not; everything is below ".". Both
// clean.
bool at_or_below(std::string_view path, std::string_view ancestor);
bool strictly_below(std::string_view path, std::string_view ancestor);

// What follows `ancestor` in a clean path at or below it: "a/b" below "a" is "b"; "" if they are equal.
std::string_view relative_to(std::string_view path, std::string_view ancestor);

// "a", "b" -> "a/b"; the root or "" on either side adds nothing; "/" and "b" -> "/b".
std::string join_path(std::string_view directory, std::string_view relative);

std::string_view base_name(std::string_view path);    // "a/b" -> "b"
std::string_view parent_path(std::string_view path);  // "a/b" -> "a", "a" -> ".", "/a" -> "/"

// Whether a component is longer than a name can be in any file system of Linux: more than 255 bytes.
bool has_long_name(std::string_view path);

// What is wrong with a host path as a user wrote it (rule 1.5), in the words of the CRD; empty: nothing.
std::vector<std::string> host_path_errors(std::string_view path);
// What is wrong with sync.to (rule 1.4), likewise.
std::vector<std::string> remote_path_errors(std::string_view path);

// Whether a clean remote path is /proc, /sys, /dev or below (rule 1.4).
bool is_kernel_path(std::string_view remote);

}  // namespace live_update
