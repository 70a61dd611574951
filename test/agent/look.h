// What is at a path, which must be there; a link is not followed.
#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>

namespace live_update::agent {

inline struct stat look(const std::string& path) {
  struct stat there{};
  REQUIRE(lstat(path.c_str(), &there) == 0);
  return there;
}

}  // namespace live_update::agent
