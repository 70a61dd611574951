#include "watcher/links.h"

#include <cstdlib>
#include <memory>

namespace live_update {

LinkEnd link_end(const std::string& root, const std::string& path) {
  const std::string name = path.empty() ? root : root + '/' + path;
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(name.c_str(), nullptr), &std::free);
  if (!real) return {};
  const std::string end = real.get();
  if (end == root) return {LinkEnd::Inside, ""};
  const std::string above = root == "/" ? root : root + '/';
  if (!end.starts_with(above)) return {LinkEnd::Outside, end};
  return {LinkEnd::Inside, end.substr(above.size())};
}

std::string say_refused(const LinkEnd& end) {
  if (end.where == LinkEnd::Nowhere) return "a link that leads to nothing";
  return "a link that leads out of the root, to " + end.path;
}

}  // namespace live_update
