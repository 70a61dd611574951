// The port to what happens below a directory, as FileEvents. InotifyWatch is the real one.
//
// Events are hints, the file system is the truth (rule 7.2): whatever was lost, or cannot be told, is a Rescan
// event of what is in doubt. Not thread-safe: it belongs to the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "core/base/result.h"
#include "core/rules/change_buffer.h"
#include "run/loop.h"
#include "watcher/path_filter.h"

namespace live_update {

class TreeWatch {
 public:
  struct Callbacks {
    std::function<void(const FileEvent&)> on_event;
    std::function<void(const std::string&)> on_notice;  // for people, each once
  };

  virtual ~TreeWatch() = default;

  // Watches everything anew: at the start, after the filter changed, after an overflow, when the root is
  // back. Reports nothing: the caller scans the whole root after it. NotFound: the root is not there or is no
  // directory. Io: it cannot be looked at.
  virtual Result<> restart() = 0;

  // Calls `work` whenever `read` has something to do, also after a `restart`.
  [[nodiscard]] virtual Handle on_readable(Loop& loop, std::function<void()> work) = 0;
  // Reads what is queued and reports it. Never blocks.
  virtual void read() = 0;

  // Whether some directories have no watch; then `poll` is to be called every few seconds.
  virtual bool needs_polling() const = 0;
  virtual void poll() = 0;

  // False from the moment the root itself was moved, deleted or unmounted until `restart` succeeds
  // (rule 7.4).
  virtual bool root_watched() const = 0;
};

}  // namespace live_update
