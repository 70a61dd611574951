#include "agent/files/temp_name.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include "agent/files/tree_ops.h"
#include "agent/system/process.h"

namespace live_update::agent {
namespace {

constexpr std::string_view kPrefix = ".live-update-", kEnding = ".swp";
constexpr time_t kForeignAge = 3600;

struct Owner {
  std::uint64_t ns = 0, pid = 0, start = 0, number = 0;
};

std::uint64_t own_namespace() {
  struct stat ns;
  return stat("/proc/self/ns/pid", &ns) == 0 ? ns.st_ino : 0;
}

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return {digits.data(), end};
}

std::optional<Owner> owner_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  std::array<std::uint64_t, 4> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto read = std::from_chars(name.data(), name.data() + name.size(), parts[i], 16);
    if (read.ec != std::errc()) return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(read.ptr - name.data()));
    if (i < 3 && !name.starts_with('-')) return std::nullopt;
    if (i < 3) name.remove_prefix(1);
  }
  if (!name.empty() && name != kEnding) return std::nullopt;
  return Owner{parts[0], parts[1], parts[2], parts[3]};
}

bool alive(const Owner& owner) {
  const auto pid = static_cast<pid_t>(owner.pid);
  if (!at_work(pid)) return false;
  const auto start = start_of(pid);
  if (start == 0 || owner.start == 0) return true;
  // An emulator (qemu-user) tells a process another start than it tells others, by some clock ticks.
  constexpr std::uint64_t kTicks = 200;
  return std::max(start, owner.start) - std::min(start, owner.start) <= kTicks;
}

bool abandoned(int directory, const std::string& name) {
  const auto owner = owner_of(name);
  if (!owner) return false;
  if (owner->ns == own_namespace() && owner->ns != 0) return !alive(*owner);
  struct stat there;
  return fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         there.st_ctime < time(nullptr) - kForeignAge;
}

}  // namespace

std::string next_temp_name() {
  static const std::string prefix = std::string(kPrefix) + hex(own_namespace()) + '-' +
                                    hex(static_cast<std::uint64_t>(getpid())) + '-' +
                                    hex(start_of(getpid())) + '-';
  static std::uint64_t number = 0;
  return prefix + hex(++number) + std::string(kEnding);
}

bool is_temp_name(std::string_view name) { return owner_of(name).has_value(); }

void clean_directory(int directory) {
  int ignored = 0;
  for (const auto& name : names_in(directory, ignored)) {
    if (abandoned(directory, name)) remove_tree(directory, name);
  }
}

}  // namespace live_update::agent
