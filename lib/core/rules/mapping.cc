#include "core/rules/mapping.h"

#include <algorithm>

#include "core/base/path.h"
#include "core/rules/pattern.h"

namespace live_update {
namespace {

std::string clean_remote(std::string_view to) {
  while (to.size() > 1 && to.ends_with('/')) to.remove_suffix(1);
  return std::string(to);
}

void add_literals(const std::vector<std::string>& paths, std::vector<std::string>& out) {
  for (const std::string& path : paths) {
    if (!is_glob(path)) out.push_back(clean_path(path));
  }
}

std::vector<std::string> default_context(const LiveUpdateSpec& spec) {
  std::vector<std::string> out;
  for (const Step& step : spec.steps) {
    if (const auto* sync = std::get_if<Sync>(&step)) out.push_back(clean_path(sync->from));
    if (const auto* fall_back_on = std::get_if<FallBackOn>(&step)) add_literals(fall_back_on->paths, out);
    if (const auto* run = std::get_if<Run>(&step); run && run->when == RunWhen::Always)
      add_literals(run->triggers, out);
  }
  return out;
}

}  // namespace

std::string Route::remote(std::string_view path, bool directory) const {
  if (path == from && !directory && into && from != ".") return join_path(to, base_name(from));
  return join_path(to, relative_to(path, from));
}

Mapping::Mapping(const LiveUpdateSpec& spec, std::vector<std::string> others) : tops_(std::move(others)) {
  for (std::size_t i = 0; i < spec.steps.size(); ++i) {
    const Sync* sync = std::get_if<Sync>(&spec.steps[i]);
    if (!sync) continue;
    const Route route{static_cast<int>(i), clean_path(sync->from), clean_remote(sync->to),
                      sync->to.ends_with('/')};
    for (const Route& other : routes_) {
      // A file with a trailing "/" lands beside what its directory holds: look at both places that it may
      // have.
      for (const std::string& a : {route.to, route.remote(route.from, false)}) {
        for (const std::string& b : {other.to, other.remote(other.from, false)}) {
          overlapping_ = overlapping_ || at_or_below(a, b) || at_or_below(b, a);
        }
      }
    }
    routes_.push_back(route);
    tops_.push_back(route.to);
    if (route.into) inside_.push_back(route.remote(route.from, false));
  }
  for (Route& route : routes_) {
    route.tree_root = outermost(route.to);
    route.file_root = outermost(std::string(parent_path(route.remote(route.from, false))));
  }
}

std::string Mapping::outermost(const std::string& remote) const {
  std::string_view found = remote;
  for (const std::string& top : tops_) {
    if (at_or_below(found, top)) found = top;
  }
  return std::string(found);
}

bool Mapping::shared(std::string_view remote) const {
  return overlapping_ || std::ranges::find(inside_, remote) != inside_.end();
}

bool Mapping::leads_to_root(std::string_view remote) const {
  return std::ranges::any_of(tops_, [&](const std::string& top) { return at_or_below(top, remote); });
}

const Route* Mapping::route(std::string_view path) const {
  const auto it =
      std::ranges::find_if(routes_, [&](const Route& route) { return at_or_below(path, route.from); });
  return it == routes_.end() ? nullptr : &*it;
}

bool Mapping::follows(std::string_view path) const {
  for (const Route& route : routes_)
    if (at_or_below(route.from, path) || at_or_below(path, route.from)) return at_or_below(route.from, path);
  return false;
}

std::vector<std::string> sync_roots(const LiveUpdateSpec& spec) {
  std::vector<std::string> roots;
  for (const Step& step : spec.steps)
    if (const auto* sync = std::get_if<Sync>(&step)) roots.push_back(clean_remote(sync->to));
  return roots;
}

std::vector<std::string> reaching_into(std::vector<std::string> others,
                                       const std::vector<std::string>& roots) {
  std::erase_if(others, [&](const std::string& other) {
    return std::ranges::none_of(roots, [&](const std::string& root) {
      return strictly_below(other, root) || strictly_below(root, other);
    });
  });
  return others;
}

std::vector<std::string> context_of(const LiveUpdateSpec& spec) {
  std::vector<std::string> paths;
  if (spec.source.context && !spec.source.context->empty()) {
    for (const std::string& path : *spec.source.context) paths.push_back(clean_path(path));
  } else {
    paths = default_context(spec);
  }
  std::ranges::sort(paths);
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const bool covered =
        std::ranges::any_of(paths, [&](const std::string& other) { return strictly_below(path, other); });
    if (!covered && (out.empty() || out.back() != path)) out.push_back(path);
  }
  return out;
}

bool in_context(std::string_view path, const std::vector<std::string>& context) {
  return std::ranges::any_of(context, [&](const std::string& it) { return at_or_below(path, it); });
}

}  // namespace live_update
