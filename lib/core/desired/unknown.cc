#include "core/desired/unknown.h"

namespace live_update {
namespace {

std::string plain(const std::string& path) { return path == "." ? "" : path; }

}  // namespace

Unknowns::Unknowns(const std::vector<UnknownPath>& paths) {
  for (const UnknownPath& it : paths) add(it.path, it.below);
}

void Unknowns::add(const std::string& path, bool below) { paths_[plain(path)] |= below; }

void Unknowns::forget(const std::string& path) {
  const std::string top = plain(path);
  if (top.empty()) return paths_.clear();
  paths_.erase(top);
  paths_.erase(paths_.lower_bound(top + '/'), paths_.lower_bound(top + '0'));
}

bool Unknowns::hides(const std::string& path) const {
  if (paths_.empty()) return false;
  const std::string at = plain(path);
  if (paths_.contains(at)) return true;
  if (const auto root = paths_.find(""); root != paths_.end() && root->second) return true;
  for (auto slash = at.find('/'); slash != std::string::npos; slash = at.find('/', slash + 1))
    if (const auto above = paths_.find(std::string_view(at).substr(0, slash));
        above != paths_.end() && above->second)
      return true;
  return false;
}

bool Unknowns::names(const std::string& path) const {
  const std::string at = plain(path);
  if (paths_.contains(at)) return true;
  if (at.empty()) return !paths_.empty();
  const auto first_below = paths_.lower_bound(at + '/');
  return first_below != paths_.end() && first_below->first.starts_with(at + '/');
}

bool Unknowns::spares(const std::string& path) const {
  return !paths_.empty() && (hides(path) || names(path));
}

std::vector<UnknownPath> Unknowns::list() const {
  std::vector<UnknownPath> out;
  for (const auto& [path, below] : paths_) out.push_back({path.empty() ? "." : path, below});
  return out;
}

}  // namespace live_update
