// File systems for one test. Root only: `if (!can_mount()) return;`
#pragma once

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <string>

namespace live_update::agent {

inline bool can_mount() {
  if (geteuid() == 0) return true;
  MESSAGE("not root: left out");
  return false;
}

class Mounted {
 public:
  Mounted(const char* source, const char* type, std::string at, unsigned long flags,
          const char* options = nullptr)
      : at_(std::move(at)) {
    REQUIRE(mount(source, at_.c_str(), type, flags, options) == 0);
  }
  ~Mounted() { umount2(at_.c_str(), MNT_DETACH); }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

 private:
  std::string at_;
};

}  // namespace live_update::agent
