// InotifyWatch: what happens below a directory, from inotify. A queue overflow, a watch that the kernel took
// away, a directory that came or went lead to a Rescan event of what is in doubt. A directory is watched
// before it is walked, so that nothing created in between is missed. Ignored directories are neither watched
// nor walked. A directory reached by two paths (a followed link, a bind mount) has one watch, and its events
// are reported for both.
//
// Where the kernel's limit on watches is reached, `on_notice` says so with the remedy, and again when it is
// over; `poll` reports the remaining directories as Rescan. So it does for directories that could not be looked
// at (rule 7.6): only ENOENT and the like mean that there is none. Nothing else polls. Owns its descriptors. Not thread-safe: it
// belongs to the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "watcher/tree_watch.h"

struct inotify_event;  // of sys/inotify.h

namespace live_update {

class InotifyWatch : public TreeWatch {
 public:
  // `root` is an absolute path. `filter` outlives this.
  InotifyWatch(std::string root, const PathFilter& filter, Callbacks callbacks);
  ~InotifyWatch() override;
  InotifyWatch(const InotifyWatch&) = delete;
  InotifyWatch& operator=(const InotifyWatch&) = delete;

  Result<> restart() override;
  // Readable when `read` has something to do; the same descriptor for the life of this object.
  int fd() const { return epoll_; }
  [[nodiscard]] Handle on_readable(Loop& loop, std::function<void()> work) override {
    return loop.on_readable(epoll_, std::move(work));
  }
  void read() override;
  bool needs_polling() const override { return !unwatched_.empty() || !unseen_.empty(); }
  void poll() override;
  bool root_watched() const override { return root_watched_; }
  std::size_t watches() const { return paths_.size(); }

  // For tests: behave as if the kernel allowed no more watches than this.
  void limit_watches(std::size_t limit) { limit_ = limit; }

 private:
  enum class Added { Yes, NotThere, NoSpace, Failed };

  Result<> open_inotify();
  static Added why_not(int error);
  std::string absolute(const std::string& path) const;
  Added add(const std::string& path);
  std::optional<Added> add_link(const std::string& path);
  void drop_link(const std::string& path);
  void handle_target(int wd, const std::string& name, unsigned mask);
  void add_recursive(const std::string& path);
  void add_children(const std::string& path);
  void bind(int wd, const std::string& path);
  void drop_path(const std::string& path);
  void drop_below(const std::string& path);
  void cannot_watch(const std::string& path, int limit_errno);
  void say_all_watched();
  void handle(const ::inotify_event& event, const std::string& name);
  void handle_self(int wd, unsigned mask);
  void handle_directory(const std::string& path, unsigned mask);
  void handle_link(const std::string& path, unsigned mask);
  void handle_file(const std::string& path, unsigned mask);
  void emit(const std::string& path, FileEvent::Kind kind) { callbacks_.on_event({path, kind}); }
  void lose_root();

  const std::string root_;
  const PathFilter& filter_;
  const Callbacks callbacks_;
  int epoll_ = -1, inotify_ = -1;
  int root_wd_ = -1;
  unsigned generation_ = 0;  // of inotify_: events of an older one are void
  bool root_watched_ = false, said_limit_ = false;
  std::size_t limit_ = SIZE_MAX;
  std::unordered_map<int, std::vector<std::string>> paths_;  // by watch descriptor; mostly one
  std::map<std::string, int> watch_of_;                      // by path, sorted for "everything below"
  // Files that followed links lead to: by watch of their folder and name, the links.
  std::map<int, std::map<std::string, std::set<std::string>>> targets_;
  std::set<std::string> unwatched_;  // topmost directories that are polled
  std::set<std::string> unseen_;     // and those that could not be looked at
};

}  // namespace live_update
