#include "test/bench/sight.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "test/bench/sealed.h"

namespace live_update::bench {
namespace {

constexpr int kLookAnyway = 10;  // ms
constexpr auto kArrivals = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;

double milliseconds(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

Sight::Sight() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}
Sight::~Sight() { ::close(inotify_); }

void Sight::roots(std::vector<std::string> roots) {
  for (const auto& [watch, what] : watches_) ::inotify_rm_watch(inotify_, watch);
  watches_.clear();
  roots_ = std::move(roots);
}

void Sight::await_line(const std::string& log, const std::string& text) {
  if (log_watch_ < 0 || log != log_) log_watch_ = ::inotify_add_watch(inotify_, log.c_str(), IN_MODIFY);
  log_ = log;
  line_ = text;
  std::error_code missing;
  log_size_ = std::filesystem::file_size(log, missing);
}

void Sight::arm(std::vector<Expected> expected) {
  expected_ = std::move(expected);
  arrived_.assign(roots_.size(), 0);
  for (auto& [watch, what] : watches_) what.names.clear();
  for (std::size_t root = 0; root < roots_.size(); ++root)
    for (const Expected& it : expected_) watch(root, it.remote);
  std::array<char, 65536> old;
  while (::read(inotify_, old.data(), old.size()) > 0) continue;
}

// A directory that is not there yet is looked at anyway.
void Sight::watch(std::size_t root, const std::string& remote) {
  const auto slash = remote.rfind('/');
  const int watch =
      ::inotify_add_watch(inotify_, (roots_[root] + remote.substr(0, slash)).c_str(), kArrivals);
  if (watch < 0) return;
  watches_[watch].root = root;
  watches_[watch].names.insert(remote.substr(slash + 1));
}

bool Sight::holds(std::size_t root, const Expected& expected) const {
  const std::string path = roots_[root] + expected.remote;
  struct stat there;
  if (!expected.content) return ::lstat(path.c_str(), &there) != 0;
  std::string content;
  return read_file(path, content, expected.content->size() + 1) && content == *expected.content;
}

bool Sight::still() const {
  for (std::size_t root = 0; root < roots_.size(); ++root)
    for (const Expected& it : expected_)
      if (!holds(root, it)) return false;
  return true;
}

void Sight::look(std::size_t root, Clock::time_point saved, Seen& seen) {
  if (arrived_[root] == expected_.size()) return;
  while (arrived_[root] < expected_.size() && holds(root, expected_[arrived_[root]])) ++arrived_[root];
  if (arrived_[root] < expected_.size()) return;
  seen.last = milliseconds(Clock::now() - saved);
  if (seen.first == 0) seen.first = seen.last;
}

std::set<std::size_t> Sight::sleep() {
  std::set<std::size_t> touched;
  pollfd wait{inotify_, POLLIN, 0};
  if (::poll(&wait, 1, kLookAnyway) == 0)
    for (std::size_t root = 0; root < roots_.size(); ++root) touched.insert(root);
  alignas(inotify_event) std::array<char, 65536> buffer;
  ssize_t got;
  while ((got = ::read(inotify_, buffer.data(), buffer.size())) > 0) {
    for (const char* at = buffer.data(); at < buffer.data() + got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      const auto found = watches_.find(event->wd);
      if (found != watches_.end() && event->len && found->second.names.contains(event->name))
        touched.insert(found->second.root);
      at += sizeof *event + event->len;
    }
  }
  return touched;
}

bool Sight::line_is_there() {
  std::string text;
  if (!read_file(log_, text, log_size_ + 1'000'000)) return false;
  return text.find(line_, log_size_) != std::string::npos;
}

std::optional<Seen> Sight::wait(Clock::time_point saved, Clock::duration patience) {
  Seen seen;
  auto here = [&](std::size_t count) { return count == expected_.size(); };
  for (std::size_t root = 0; root < roots_.size(); ++root) look(root, saved, seen);
  while (!std::ranges::all_of(arrived_, here) || (!line_.empty() && seen.said == 0)) {
    if (Clock::now() - saved > patience) {
      const auto root = static_cast<std::size_t>(std::ranges::find_if_not(arrived_, here) - arrived_.begin());
      lost_ =
          root < roots_.size() ? roots_[root] + expected_[arrived_[root]].remote : "the line '" + line_ + "'";
      line_.clear();
      return std::nullopt;
    }
    for (const std::size_t root : sleep()) look(root, saved, seen);
    if (!line_.empty() && seen.said == 0 && line_is_there()) seen.said = milliseconds(Clock::now() - saved);
  }
  line_.clear();
  return seen;
}

}  // namespace live_update::bench
