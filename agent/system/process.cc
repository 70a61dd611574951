#include "agent/system/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <string_view>

#include "agent/system/fd.h"

namespace live_update::agent {
namespace {

std::string proc(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + '/' + std::string(file);
}

// Of /proc/PID/stat, fields counted as proc(5) does.
class Stat {
 public:
  explicit Stat(pid_t pid) : text_(read_small_file(proc(pid, "stat"))) {
    const auto name_end = text_.rfind(')');  // the name of the program may contain anything
    if (name_end != text_.npos) fields_ = std::string_view(text_).substr(name_end + 1);
  }
  Stat(const Stat&) = delete;
  Stat& operator=(const Stat&) = delete;

  std::uint64_t field(int number) const {
    std::size_t at = 0;
    for (int i = 3; i < number; ++i) {
      at = fields_.find(' ', at + 1);
      if (at == fields_.npos) return 0;
    }
    std::uint64_t value = 0;
    if (!fields_.empty()) std::from_chars(fields_.data() + at + 1, fields_.data() + fields_.size(), value);
    return value;
  }
  // A first thread that has ended leaves a zombie, too, while others go on.
  bool at_work() const {
    const char state = fields_.size() > 1 ? fields_[1] : 'X';
    return state != 'X' && (state != 'Z' || field(20) > 1);
  }

 private:
  std::string text_;
  std::string_view fields_;  // from the third on, each behind a space
};

std::uint64_t signal_mask(std::string_view status, std::string_view name) {
  const auto at = status.find(name);
  if (at == status.npos) return 0;
  auto digits = status.substr(at + name.size());
  digits.remove_prefix(std::min(digits.find_first_not_of(" \t"), digits.size()));
  std::uint64_t mask = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
  return mask;
}

// `unknown`: the answer where nobody can be seen.
bool any_process(const std::function<bool(pid_t)>& is_it, bool unknown = false) {
  DIR* all = opendir("/proc");
  if (!all) return unknown;
  bool found = false;
  while (const dirent* entry = found ? nullptr : readdir(all)) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec == std::errc()) found = is_it(pid);
  }
  closedir(all);
  return found;
}

// Of those for which `counts` is true.
std::optional<pid_t> oldest_process(const std::function<bool(pid_t)>& counts) {
  std::optional<pid_t> oldest;
  std::uint64_t since = ~std::uint64_t{0};
  any_process([&](pid_t pid) {
    if (!counts(pid)) return false;
    if (const auto start = start_of(pid); start < since) oldest = pid, since = start;
    return false;
  });
  return oldest;
}

// Whether a process is in our mount namespace, and known to be. /proc/PID/ns tells only who could also trace
// the process; the mounts that it sees are there to be read for everybody, and the number of a mount is its
// own in the whole system.
class OurMounts {
 public:
  bool has(pid_t pid) const {
    if (const auto other = mount_namespace(pid); other != 0 && namespace_ != 0) return other == namespace_;
    const auto others = numbers_in(read_small_file(proc(pid, "mountinfo")));
    return std::ranges::any_of(others, [&](const auto& it) { return numbers_.contains(it); });
  }

 private:
  static std::set<std::string> numbers_in(const std::string& mounts) {
    std::set<std::string> numbers;
    for (std::size_t at = 0; at < mounts.size(); at = std::min(mounts.find('\n', at), mounts.size() - 1) + 1)
      numbers.emplace(mounts, at, std::min(mounts.find(' ', at), mounts.size()) - at);
    return numbers;
  }
  const std::uint64_t namespace_ = mount_namespace(0);
  const std::set<std::string> numbers_ = numbers_in(read_small_file("/proc/self/mountinfo"));
};

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

std::uint64_t start_of(pid_t pid) { return Stat(pid).field(22); }

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

std::uint64_t mount_namespace(pid_t pid) {
  struct stat ns;
  const auto path = pid == 0 ? "/proc/self/ns/mnt" : proc(pid, "ns/mnt");
  return stat(path.c_str(), &ns) == 0 ? ns.st_ino : 0;
}

pid_t main_process() {
  std::array<char, 16> self{};
  // The /proc of another PID namespace has other numbers.
  if (readlink("/proc/self", self.data(), self.size() - 1) <= 0 || std::to_string(getpid()) != self.data())
    return 0;
  const OurMounts ours;
  if (ours.has(1)) return 1;
  // Who is younger than we are did not begin the container. Starts are told in hundredths of a second only.
  const auto since = start_of(getpid());
  const auto may_be = [&](pid_t pid) { return pid != getpid() && start_of(pid) <= since && ours.has(pid); };
  return oldest_process(may_be).value_or(0);
}

pid_t process_of_container(std::string_view id) {
  const auto is_there = [&](pid_t pid) {
    return read_small_file(proc(pid, "cgroup")).find(id) != std::string::npos;
  };
  return oldest_process(is_there).value_or(0);
}

bool at_work(pid_t pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return false;
  return access(proc(pid, "stat").c_str(), F_OK) != 0 || Stat(pid).at_work();
}

bool group_alive(pid_t group) { return kill(-group, 0) == 0 || errno == EPERM; }

// Who is not allowed to look must take it that there is somebody.
bool group_at_work(pid_t group) {
  if (kill(-group, 0) != 0) return errno == EPERM;
  const auto works_in_it = [&](pid_t pid) {
    const Stat stat(pid);
    return stat.field(5) == static_cast<std::uint64_t>(group) && stat.at_work();
  };
  return any_process(works_in_it, true);
}

}  // namespace live_update::agent
