// A directory as programs see it that watch it: all that inotify says of it.
#pragma once

#include <sys/inotify.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace live_update {

class Watched {
 public:
  static constexpr std::uint32_t kGone = IN_MOVED_FROM | IN_DELETE;
  struct Event {
    std::string name;
    std::uint32_t mask = 0;
  };

  // What was said before is not told.
  explicit Watched(const std::string& directory) : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    inotify_add_watch(fd_, directory.c_str(),
                      kGone | IN_MOVED_TO | IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB);
  }
  ~Watched() { close(fd_); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  const std::vector<Event>& events() {
    alignas(inotify_event) char block[64 << 10];
    for (ssize_t got; (got = read(fd_, block, sizeof block)) > 0;) {
      for (const char* at = block; at < block + got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(at);
        events_.push_back({event->len ? event->name : "", event->mask});
        at += sizeof *event + event->len;
      }
    }
    return events_;
  }
  // The last that is said of each name.
  std::map<std::string, std::uint32_t> last() {
    std::map<std::string, std::uint32_t> last;
    for (const auto& event : events()) last[event.name] = event.mask;
    return last;
  }

 private:
  int fd_;
  std::vector<Event> events_;
};

}  // namespace live_update
