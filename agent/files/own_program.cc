#include "agent/files/own_program.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <climits>

#include "agent/files/content.h"

namespace live_update::agent {

std::string own_program() {
  std::array<char, PATH_MAX> path;
  const auto size = readlink("/proc/self/exe", path.data(), path.size());
  return std::string(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

Fd open_own_program() { return Fd(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }

const Digest& own_digest() {
  static const Digest digest = [] {
    const Fd self = open_own_program();
    return self ? digest_of(self.get()).value_or(Digest{}) : Digest{};
  }();
  return digest;
}

}  // namespace live_update::agent
