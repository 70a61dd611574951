// Answers List, a slice at a time, so that everything else goes on meanwhile.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/files/sync_root.h"
#include "core/wire/agent_protocol.h"

namespace live_update::agent {

class ListJob {
 public:
  // Code BadRequest: the root or a folder breaks the rules.
  static Try<ListJob> start(List list);

  // Works until an answer is worth sending (64 KiB), all is done, or so many names have been looked at.
  void step(std::size_t names);
  // What has been found since the last time, if it is worth sending or all.
  std::optional<Listing> take();
  bool done() const { return !stream_ && next_ == list_.folders.size(); }

 private:
  struct Close {
    void operator()(DIR* stream) const { closedir(stream); }
  };

  explicit ListJob(List list);
  void open_next();
  void read_one();
  void say(Listed kind) { add("", kind); }
  void add(std::string name, Listed kind);
  Listed kind_of(const dirent& entry) const;

  List list_;
  std::unique_ptr<SyncRoot> root_;
  std::optional<std::set<std::string>> mounts_;
  std::size_t next_ = 0;  // folder
  std::uint32_t listed_ = 0;
  std::unique_ptr<DIR, Close> stream_;  // of the one before `next_`
  std::string here_;                    // its path without symlinks
  dev_t device_ = 0;
  Listing found_;
  std::size_t found_bytes_ = 0;
};

}  // namespace live_update::agent
