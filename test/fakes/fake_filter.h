// A PathFilter for tests: everything counts but the names given, at any depth, and what is below them.
#pragma once

#include <set>
#include <string>

#include "watcher/path_filter.h"

namespace live_update {

struct FakeFilter : PathFilter {
  std::set<std::string> ignored_names{".git"};
  std::set<std::string> followed;

  bool counts(const std::string& path) const override {
    for (std::size_t begin = 0; begin <= path.size();) {
      const auto end = std::min(path.find('/', begin), path.size());
      if (ignored_names.contains(path.substr(begin, end - begin))) return false;
      begin = end + 1;
    }
    return true;
  }
  bool enters(const std::string& directory) const override { return counts(directory); }
  bool follows(const std::string& path) const override { return followed.contains(path); }
};

}  // namespace live_update
