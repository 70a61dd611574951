#include "core/base/path.h"

#include <algorithm>
#include <climits>
#include <ranges>

namespace live_update {
namespace {

bool has_component(std::string_view path, std::string_view component) {
  return std::ranges::any_of(path | std::views::split('/'), [&](auto part) {
    return std::string_view(part.begin(), part.end()) == component;
  });
}

constexpr std::string_view kNoNul = "must not contain a NUL character: no file name has one";

}  // namespace

std::string clean_path(std::string_view path) {
  std::string out;
  for (auto part : path | std::views::split('/')) {
    const std::string_view component(part.begin(), part.end());
    if (component.empty() || component == ".") continue;
    if (!out.empty()) out += '/';
    out += component;
  }
  return out.empty() ? "." : out;
}

bool at_or_below(std::string_view path, std::string_view ancestor) {
  return path == ancestor || strictly_below(path, ancestor);
}

bool strictly_below(std::string_view path, std::string_view ancestor) {
  if (path == ".") return false;
  if (ancestor == ".") return true;
  if (ancestor == "/") return path.size() > 1 && path.front() == '/';
  return path.size() > ancestor.size() && path.starts_with(ancestor) && path[ancestor.size()] == '/';
}

std::string_view relative_to(std::string_view path, std::string_view ancestor) {
  if (path == ancestor) return {};
  if (ancestor == ".") return path;
  return path.substr(ancestor == "/" ? 1 : ancestor.size() + 1);
}

std::string join_path(std::string_view directory, std::string_view relative) {
  if (relative.empty() || relative == ".") return std::string(directory);
  if (directory.empty() || directory == ".") return std::string(relative);
  std::string out(directory);
  if (!out.ends_with('/')) out += '/';
  return out += relative;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

bool has_long_name(std::string_view path) {
  return std::ranges::any_of(path | std::views::split('/'), [](auto part) { return part.size() > NAME_MAX; });
}

std::vector<std::string> host_path_errors(std::string_view path) {
  if (path.empty()) return {"must not be empty: write . for the root"};
  std::vector<std::string> errors;
  if (path.starts_with('/'))
    errors.emplace_back("must be relative to the root, not absolute: leave out the leading /");
  if (has_component(path, "..")) {
    errors.emplace_back("must not contain .. components: only paths below the root can be watched");
  }
  if (path.contains('\0')) errors.emplace_back(kNoNul);
  return errors;
}

std::vector<std::string> remote_path_errors(std::string_view path) {
  std::vector<std::string> errors;
  if (!path.starts_with('/')) {
    errors.emplace_back(
        "must be an absolute path in the container: write it with a leading /, such as /app/src");
  }
  if (path.contains("//")) errors.emplace_back("must not contain empty components: write a single /");
  if (has_component(path, ".") || has_component(path, "..")) {
    errors.emplace_back("must not contain . or .. components: write the path without them");
  }
  if (path.contains('\0')) errors.emplace_back(kNoNul);
  if (has_long_name(path))
    errors.emplace_back("must not have a component of more than 255 bytes: no file system takes one");
  if (is_kernel_path(path)) {
    errors.emplace_back(
        "must not be /proc, /sys or /dev or below, which belong to the kernel: choose another folder");
  }
  return errors;
}

bool is_kernel_path(std::string_view remote) {
  return std::ranges::any_of(std::initializer_list<std::string_view>{"/proc", "/sys", "/dev"},
                             [&](std::string_view kernel) { return at_or_below(remote, kernel); });
}

}  // namespace live_update
