// What this container has confirmed, for the next session: of each LiveUpdate the newest sequence.
//
// A file beside the program, there only where nobody else can write: the program lies under its own name then
// (operator/agent/agent_script.h). It is mapped into memory, so that a save costs a store and no program that watches
// the folder hears of it. Each entry belongs to a container ID and a LiveUpdate's UID together: what another container
// left in a volume that outlives it says nothing of this one. Of the newest entries there are kEntries; a file that
// cannot be had is a record of this session alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/system/failure.h"

namespace live_update::agent {

class Record {
 public:
  static constexpr std::size_t kEntries = 100;

  Record() = default;
  ~Record();
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;

  // Whose sequences come now. The first one opens the file.
  void about(const Subject& subject);
  // The newest one that was confirmed of it; 0: none, or it is not known whose they are.
  std::int64_t newest() const { return entry_ ? entry_->sequence : 0; }
  // Never goes back.
  void confirm(std::int64_t sequence);

 private:
  struct Entry {
    Digest key{};  // of container and LiveUpdate; zero: free
    std::int64_t sequence = 0;
    std::int64_t used = 0;  // counts up with each `about`: the smallest goes first
  };
  struct File {
    std::int64_t format = 0;
    Entry entries[kEntries];
  };

  void open();

  File* file_ = nullptr;  // mapped, or our own
  bool mapped_ = false;
  Entry* entry_ = nullptr;
};

// How its name begins; the user's number follows.
inline constexpr const char* kRecordPrefix = ".live-update-record-";

}  // namespace live_update::agent
