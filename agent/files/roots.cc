#include "agent/files/roots.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace live_update::agent {
namespace {

Failure bad_path(const std::string& path, const char* why) {
  return {Code::BadRequest, EINVAL, path, "\"" + path + "\" " + why,
          "let the sync lead to a path without such parts"};
}

bool at_or_below(std::string_view path, std::string_view above) {
  return above == "/" ||
         (path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/'));
}

// Rule 1.4.
bool of_the_system(std::string_view path) {
  constexpr std::array<std::string_view, 3> kSystem = {"/proc", "/sys", "/dev"};
  return std::ranges::any_of(kSystem, [&](auto one) { return at_or_below(path, one); });
}

}  // namespace

Failure nonsense(std::string reason) {
  return {Code::Protocol, 0, "", "agent protocol: " + std::move(reason),
          "this is a defect of the operator: report it"};
}

SyncRoot& Roots::sync_root(const std::string& path) {
  auto& root = sync_roots_[path];
  if (!root) root = std::make_unique<SyncRoot>(path);
  return *root;
}

Roots::Root Roots::above(const std::string& path) {
  const auto parent = parent_of(path);
  return {&sync_root(parent.empty() ? "/" : std::string(parent)), std::string(name_of(path))};
}

const std::string& Roots::outermost(const std::string& path) const {
  const std::string* found = &path;
  for (const auto& other : named_)
    if (at_or_below(*found, other)) found = &other;
  return *found;
}

Try<> Roots::open() {
  for (const auto& path : named_) {
    if (!valid_root(path)) return failed(bad_path(path, "is no absolute path of plain parts"));
    if (of_the_system(path)) return failed(bad_path(path, "belongs to the system"));
    struct stat there;
    if (const auto& outer = outermost(path); outer != path) {
      roots_.push_back({&sync_root(outer), path.substr(outer == "/" ? 1 : outer.size() + 1)});
    } else if (path != "/" && stat(path.c_str(), &there) == 0 && !S_ISDIR(there.st_mode)) {
      roots_.push_back(above(path));
    } else {
      roots_.push_back({&sync_root(path), ""});
    }
  }
  return {};
}

Try<Spot> Roots::spot(std::uint16_t index, const std::string& path) {
  if (index >= roots_.size())
    return failed(nonsense("a path has the root " + std::to_string(index) + ", which Begin did not name"));
  const auto& whole = named_[index];
  if (!valid_path(path)) return failed(bad_path(path, "is no relative path of plain parts"));
  if (path.empty() && whole == "/") return failed(bad_path("/", "cannot be replaced or deleted itself"));
  const auto root = path.empty() && roots_[index].prefix.empty() ? above(whole) : roots_[index];
  const bool both = !root.prefix.empty() && !path.empty();
  Spot spot{root.at, root.prefix + (both ? "/" : "") + path};
  if (of_the_system(spot.shown())) return failed(bad_path(spot.shown(), "belongs to the system"));
  return spot;
}

bool Roots::leads_to_one(const Spot& spot) const {
  const auto place = spot.shown();
  return std::ranges::any_of(named_, [&](const auto& root) { return at_or_below(root, place); });
}

bool Roots::is_directory(std::uint16_t index) const {
  struct stat there;
  return index < roots_.size() && roots_[index].prefix.empty() && stat(named_[index].c_str(), &there) == 0 &&
         S_ISDIR(there.st_mode);
}

void Roots::forget() {
  for (auto& [path, root] : sync_roots_) root->forget();
}

}  // namespace live_update::agent
