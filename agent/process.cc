#include "agent/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <functional>
#include <optional>
#include <string_view>

#include "agent/fd.h"

namespace live_update::agent {
namespace {

std::string proc(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + '/' + std::string(file);
}

// Field of /proc/PID/stat, counted as proc(5) does; the name of the program may contain anything.
std::uint64_t stat_field(pid_t pid, int field) {
  const auto text = read_small_file(proc(pid, "stat"));
  const auto name_end = text.rfind(')');
  if (name_end == text.npos) return 0;
  auto at = name_end;
  for (int i = 2; i < field; ++i) {
    at = text.find(' ', at + 1);
    if (at == text.npos) return 0;
  }
  std::uint64_t value = 0;
  std::from_chars(text.data() + at + 1, text.data() + text.size(), value);
  return value;
}

std::uint64_t signal_mask(std::string_view status, std::string_view name) {
  const auto at = status.find(name);
  if (at == status.npos) return 0;
  auto digits = status.substr(at + name.size());
  digits.remove_prefix(std::min(digits.find_first_not_of(" \t"), digits.size()));
  std::uint64_t mask = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
  return mask;
}

std::uint64_t mount_namespace(const std::string& process) {
  struct stat ns;
  return stat(("/proc/" + process + "/ns/mnt").c_str(), &ns) == 0 ? ns.st_ino : 0;
}

// Of those for which `counts` is true.
std::optional<pid_t> oldest_process(const std::function<bool(const std::string& pid)>& counts) {
  std::optional<pid_t> oldest;
  std::uint64_t since = ~std::uint64_t{0};
  DIR* all = opendir("/proc");
  while (const dirent* entry = all ? readdir(all) : nullptr) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    if (!counts(entry->d_name)) continue;
    if (const auto start = start_of(pid); start < since) oldest = pid, since = start;
  }
  if (all) closedir(all);
  return oldest;
}

std::int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t now_ms() { return now_ns() / 1'000'000; }
std::int64_t now_us() { return now_ns() / 1'000; }

std::string read_small_file(const std::string& path) {
  std::string text(64 << 10, '\0');
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto got = fd ? read(fd.get(), text.data(), text.size()) : -1;
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

std::uint64_t start_of(pid_t pid) { return stat_field(pid, 22); }

bool takes_signal(pid_t pid, int signal) {
  const auto has = [&](const std::string& status, const char* mask) {
    return (signal_mask(status, mask) >> (signal - 1) & 1) != 0;
  };
  // A shell blocks all for a moment when it forks; who waits for a signal has it blocked all the time.
  for (int look = 0;; ++look) {
    const auto status = read_small_file(proc(pid, "status"));
    if (status.find("SigCgt:") == status.npos || has(status, "SigCgt:")) return true;
    if (!has(status, "SigBlk:")) return false;
    if (look == 4) return true;
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
}

pid_t main_process() {
  const auto ours = mount_namespace("self"), first = mount_namespace("1");
  if (ours == 0 || first == 0 || ours == first) return 1;
  return oldest_process([&](const std::string& pid) { return mount_namespace(pid) == ours; }).value_or(1);
}

pid_t process_of_container(std::string_view id) {
  return oldest_process([&](const std::string& pid) {
           return read_small_file("/proc/" + pid + "/cgroup").find(id) != std::string::npos;
         })
      .value_or(0);
}

bool group_alive(pid_t group) { return kill(-group, 0) == 0 || errno == EPERM; }

}  // namespace live_update::agent
