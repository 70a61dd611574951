#include "operator/agent/agent_places.h"

#include <algorithm>
#include <iterator>

#include "core/base/path.h"

namespace live_update {

std::vector<std::string> places(std::vector<std::string> all, const ContainerRef& to,
                                const std::vector<std::string>& roots) {
  all.insert(all.end(), to.empty_dirs.begin(), to.empty_dirs.end());
  for (std::string_view place : roots) {
    for (; place.size() > 1; place = parent_path(place)) all.emplace_back(place);
    all.emplace_back("/");
  }
  std::vector<std::string> once;
  for (std::string& place : all)
    if (std::ranges::find(once, place) == once.end()) once.push_back(std::move(place));
  return once;
}

std::vector<std::string> open_places(const ContainerRef& to, const std::vector<std::string>& roots) {
  std::vector<std::string> all = to.shared;
  std::ranges::copy_if(roots, std::back_inserter(all), [](const std::string& root) { return root != "/"; });
  return all;
}

std::vector<std::string> closed_places(std::vector<std::string> places, const std::vector<std::string>& open,
                                       std::vector<std::string>& tried) {
  std::erase_if(places, [&](const std::string& place) {
    const bool is_open = std::ranges::any_of(open, [&](const auto& it) { return at_or_below(place, it); });
    if (is_open)
      tried.push_back("ephemeral container: " + place + ": others than this container can write there");
    return is_open;
  });
  return places;
}

}  // namespace live_update
