#include "watcher/session_id.h"

#include <spdlog/fmt/fmt.h>

#include "core/base/digest64.h"

namespace live_update {
namespace {

constexpr std::size_t kMark = 6, kRandom = 8;

}  // namespace

std::string make_session_id(std::string_view machine, std::string_view root, std::uint32_t random) {
  const std::string digest = Digest64().add(std::string(machine)).add(std::string(root)).text();
  return fmt::format("{}{:08x}", digest.substr(0, kMark), random);
}

bool from_one_root(std::string_view session, std::string_view other) {
  return session.size() == kMark + kRandom && other.size() == session.size() &&
         session.substr(0, kMark) == other.substr(0, kMark);
}

}  // namespace live_update
